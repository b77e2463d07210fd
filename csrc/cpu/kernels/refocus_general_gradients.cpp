// The loops of the gradients of the CPU `refocus` in which each sample is taken by itself.
#if !defined(LFD_AVX512)  // these run on AVX2 at most
#include <algorithm>
#include <type_traits>
#include <vector>

#include "cpu/buffer.h"
#include "cpu/refocus.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/refocus_each_sample.h"

// For one channel of a view: adds up what the apertures give its samples. False: none weighs it.
template <class R, class Positions>
bool gradient_of_samples(const R* aperture, StripGradients<R>& gradients, const RefocusShape& s,
                         const Positions& positions, const Strip& strip, int64_t v, int64_t u, int64_t c,
                         const Vec<R>* sample, Vec<R>* weight, Vec<R>* to) {
  bool any_open = false;
  std::fill(to, to + strip.blocks, Vec<R>{});
  for (int64_t a = 0; a < s.a; ++a) {
    if (!read_weights(aperture, s, positions, strip, a, v, u, weight)) continue;
    any_open = true;
    gradients.set(strip, a, v, u, c);
    gradients.add_of_samples(weight, sample, to);
  }
  return any_open;
}

template <class T, int N>
void general_grad_light_field(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field,
                              const acc_t<T>* disparity, const acc_t<T>* aperture, T* grad_light_field,
                              const RefocusShape& s, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  RefocusShape dense = s;
  dense.sy = s.w;
  StripSamples<T, N> samples(s);
  Scatter<R, N> scatter(dense);
  StripGradients<R> gradients(grad, out, s);
  const int64_t plane = s.h * s.w, width = scatter.width;
  Buffer<Vec<R>> weight(width), values(width);
  std::vector<R> view(s.c * plane + kLanes<R>);
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t index = unit % (s.v * s.u), u = index % s.u, v = index / s.u, b = unit / s.u / s.v;
    std::fill(view.begin(), view.end(), R(0));
    for (int64_t row = 0; row < s.d * s.h; ++row)
      for_strips(scatter, disparity, s, b, row / s.h, row % s.h, index, index + 1, [&](const Strip& strip) {
        if (gradients.needs_samples()) {
          samples.positions.set(disparity + b * s.sdb, strip.d, strip.y, strip.x, index, index + 1);
          samples.read(light_field + b * s.sb, v, u);
        }
        for (int64_t c = 0; c < s.c; ++c) {
          if (!gradient_of_samples(aperture, gradients, s, scatter, strip, v, u, c, samples.channel(c), weight.data(),
                                   values.data()))
            break;
          for (int64_t i = 0; i < strip.blocks; ++i) scatter.add(view.data() + c * plane, v, u, i, values[i]);
        }
      });
    T* to = grad_light_field + unit * s.c * plane;
    for (int64_t i = 0; i < s.c * plane; ++i) to[i] = from_acc<T>(view[i]);
  }
}

template <class T, int N>
void general_grad_disparity(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field, const acc_t<T>* disparity,
                            const acc_t<T>* aperture, acc_t<T>* grad_disparity, const RefocusShape& s, int64_t begin,
                            int64_t end) {
  using R = acc_t<T>;
  StripSamples<T, N> samples(s);
  StripSamples<T, N, 2> slopes(s);
  StripGradients<R> gradients(grad, out, s);
  const int64_t width = slopes.positions.width, views = s.v * s.u;
  Buffer<Vec<R>> weight(width), values(width), sums(width);
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t y = unit % s.h, d = unit / s.h % s.d, map = unit / s.h / s.d;
    for_strips(slopes.positions, disparity, s, map, d, y, 0, views, [&](Strip strip) {
      if (gradients.needs_samples()) samples.positions.set(disparity + map * s.sdb, d, y, strip.x, 0, views);
      std::fill(sums.begin(), sums.end(), Vec<R>{});
      for (int64_t view = 0; view < views; ++view)
        for (int64_t b = s.sdb ? map : 0; b < (s.sdb ? map + 1 : s.b); ++b) {
          const int64_t v = view / s.u, u = view % s.u;
          strip.b = b;
          if (gradients.needs_samples()) samples.read(light_field + b * s.sb, v, u);
          slopes.read(light_field + b * s.sb, v, u);
          for (int64_t c = 0; c < s.c; ++c) {
            if (!gradient_of_samples(aperture, gradients, s, slopes.positions, strip, v, u, c, samples.channel(c),
                                     weight.data(), values.data()))
              break;
            for (int64_t i = 0; i < strip.blocks; ++i) sums[i] += values[i] * slopes.channel(c)[i];
          }
        }
      R* to = grad_disparity + unit * s.w + strip.x;
      for (int64_t i = 0; i < strip.blocks; ++i) store_block(to, i, strip.count, sums[i]);
    });
  }
}

template <class T, int N>
void general_grad_aperture(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field, const acc_t<T>* disparity,
                           acc_t<T>* grad_aperture, const RefocusShape& s, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  StripSamples<T, N> samples(s);
  StripGradients<R> gradients(grad, out, s);
  const int64_t views = s.v * s.u, size = s.h * s.w;
  std::vector<double> totals((end - begin) * s.a);  // over all pixels: float32 would lose digits
  if (s.per_pixel)
    for (int64_t picture = 0; picture < (s.sab ? s.b : 1) * s.a; ++picture)
      std::fill(grad_aperture + (picture * views + begin) * size, grad_aperture + (picture * views + end) * size, R(0));
  for (int64_t row = 0; row < s.b * s.d * s.h; ++row) {
    const int64_t y = row % s.h, d = row / s.h % s.d, b = row / s.h / s.d;
    for_strips(samples.positions, disparity, s, b, d, y, begin, end, [&](const Strip& strip) {
      for (int64_t view = begin; view < end; ++view) {
        const int64_t v = view / s.u, u = view % s.u;
        samples.read(light_field + b * s.sb, v, u);
        for (int64_t a = 0; a < s.a; ++a) {
          R* to = grad_aperture + b * s.sab + ((a * views + view) * s.h + y) * s.w + strip.x;
          Vec<R> total{};
          for (int64_t c = 0; c < s.c; ++c) {
            gradients.set(strip, a, v, u, c);
            for (int64_t i = 0; i < strip.blocks; ++i) {
              Vec<R> value = gradients.of_weight(samples.channel(c), i);
              if (s.valid) value *= samples.positions.inside(v, u, i);
              if (s.per_pixel)
                store_block(to, i, strip.count, load_block(to, i, strip.count) + value);
              else
                total += value;  // 0 beyond the row's end, as the gradient is
            }
          }
          totals[(view - begin) * s.a + a] += sum_lanes<R>(total);
        }
      }
    });
  }
  if (s.per_pixel) return;
  for (int64_t view = begin; view < end; ++view)
    for (int64_t a = 0; a < s.a; ++a)
      grad_aperture[a * views + view] = static_cast<R>(totals[(view - begin) * s.a + a]);
}

template <class R>
void refocus_scale_gradient(R* grad, const R* disparity, const R* aperture, const RefocusShape& s, int64_t begin,
                            int64_t end) {
  Positions<R, 2, 1> positions(s, 0, true);  // where samples lie is all that matters here
  const int64_t width = positions.width, views = s.v * s.u;
  Buffer<Vec<R>> counted(width), weight(width);
  const bool alike = s.sdb == 0 && s.sab == 0;  // for all light fields
  const auto divide = [&](R* row, const Strip& strip) {
    for (int64_t i = 0; i < strip.blocks; ++i) {
      const Vec<R> n = counted[i];
      store_block(row, i, strip.count, n > Vec<R>{} ? load_block(row, i, strip.count) / n : Vec<R>{});
    }
  };
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t a = unit / s.d, d = unit % s.d;
    for (int64_t y = 0; y < s.h; ++y)
      for (int64_t first = 0; first < (alike ? 1 : s.b); ++first)
        for_strips(positions, disparity, s, first, d, y, 0, views, [&](Strip strip) {
          std::fill(counted.begin(), counted.end(), Vec<R>{});
          for (int64_t view = 0; view < views; ++view) {
            if (!read_weights(aperture, s, positions, strip, a, view / s.u, view % s.u, weight.data())) continue;
            for (int64_t i = 0; i < strip.blocks; ++i) counted[i] += weight[i];
          }
          for (strip.b = first; strip.b < (alike ? s.b : first + 1); ++strip.b)
            for (int64_t c = 0; c < s.c; ++c) {
              R* row = grad + place_in_output(s, strip, a, 0, 0, c);
              divide(row, strip);
              if (s.reduce == Reduce::moments) divide(row + mean_to_variance(s), strip);
            }
        });
  }
}

template <class T>
void refocus_general_grad_light_field(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field,
                                      const acc_t<T>* disparity, const acc_t<T>* aperture, T* grad_light_field,
                                      const RefocusShape& s, int64_t begin, int64_t end) {
  for_taps(s.interpolation, [&](auto taps) {
    constexpr int N = decltype(taps)::value;
    general_grad_light_field<T, N>(grad, out, light_field, disparity, aperture, grad_light_field, s, begin, end);
  });
}

template <class T>
void refocus_general_grad_disparity(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field,
                                    const acc_t<T>* disparity, const acc_t<T>* aperture, acc_t<T>* grad_disparity,
                                    const RefocusShape& s, int64_t begin, int64_t end) {
  for_taps(s.interpolation, [&](auto taps) {
    constexpr int N = decltype(taps)::value;
    general_grad_disparity<T, N>(grad, out, light_field, disparity, aperture, grad_disparity, s, begin, end);
  });
}

template <class T>
void refocus_general_grad_aperture(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field,
                                   const acc_t<T>* disparity, acc_t<T>* grad_aperture, const RefocusShape& s,
                                   int64_t begin, int64_t end) {
  for_taps(s.interpolation, [&](auto taps) {
    constexpr int N = decltype(taps)::value;
    general_grad_aperture<T, N>(grad, out, light_field, disparity, grad_aperture, s, begin, end);
  });
}

#define INSTANTIATE_VIEW(T)                                                                                           \
  template void refocus_general_grad_disparity(const acc_t<T>*, const acc_t<T>*, const T*, const acc_t<T>*,           \
                                               const acc_t<T>*, acc_t<T>*, const RefocusShape&, int64_t, int64_t);    \
  template void refocus_general_grad_aperture(const acc_t<T>*, const acc_t<T>*, const T*, const acc_t<T>*, acc_t<T>*, \
                                              const RefocusShape&, int64_t, int64_t);
#define INSTANTIATE_FLOAT(T)                                                                                  \
  INSTANTIATE_VIEW(T)                                                                                         \
  template void refocus_general_grad_light_field(const acc_t<T>*, const acc_t<T>*, const T*, const acc_t<T>*, \
                                                 const acc_t<T>*, T*, const RefocusShape&, int64_t, int64_t);
INSTANTIATE_FLOAT(double)
INSTANTIATE_FLOAT(float)
INSTANTIATE_FLOAT(f16)
INSTANTIATE_FLOAT(bf16)
INSTANTIATE_VIEW(uint8_t)
INSTANTIATE_VIEW(uint16_t)
template void refocus_scale_gradient(double*, const double*, const double*, const RefocusShape&, int64_t, int64_t);
template void refocus_scale_gradient(float*, const float*, const float*, const RefocusShape&, int64_t, int64_t);

#include "cpu/kernels/end.h"
#endif
