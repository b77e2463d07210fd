// The loops of the gradients of the CPU `refocus` in which each sample is taken by itself.
#if !defined(LFD_AVX512)  // these run on AVX2 at most
#include <algorithm>
#include <type_traits>
#include <vector>

#include "cpu/refocus.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/refocus_each_sample.h"
#include "cpu/kernels/refocus_samples.h"

// The samples, in units of the output, where the gradient needs them.
template <class T, Interpolation I>
void read_samples(RowSampler<T, I>& sampler, const T* light_field, const RefocusShape& s, int64_t b, int64_t v,
                  int64_t u, int64_t c, acc_t<T>* to) {
  using R = acc_t<T>;
  sampler.read(light_field + b * s.sb + v * s.sv + u * s.su + c * s.sc);
  for (int64_t x = 0; x < s.w; ++x) to[x] = sampler.sample[x] * R(Element<T>::scale);
}

template <class T, Interpolation I>
void general_grad_light_field(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field,
                              const acc_t<T>* disparity, const acc_t<T>* aperture, T* grad_light_field,
                              const RefocusShape& s, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  RowSampler<T, I> sampler(s);
  const WeightRows<R> rows(aperture, s);
  GradientRows<R> gradients(grad, out, s);
  const int64_t plane = s.h * s.w;
  std::vector<R> weights(s.a * s.w), sample(s.w), values(s.w), view(s.c * plane);
  std::vector<uint8_t> open(s.a);
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t u = unit % s.u, v = unit / s.u % s.v, b = unit / s.u / s.v;
    std::fill(view.begin(), view.end(), R(0));
    for (int64_t d = 0; d < s.d; ++d)
      for (int64_t y = 0; y < s.h; ++y) {
        sampler.set_row(disparity + b * s.sdb, d, y);
        sampler.set_view_row(v);
        sampler.set_view_column(u);
        bool any = false;
        for (int64_t a = 0; a < s.a; ++a) {
          open[a] = rows.read(sampler, b, a, v, u, y, weights.data() + a * s.w);
          any = any || open[a];
        }
        if (!any) continue;
        for (int64_t c = 0; c < s.c; ++c) {
          if (gradients.needs_samples()) read_samples(sampler, light_field, s, b, v, u, c, sample.data());
          std::fill(values.begin(), values.end(), R(0));
          for (int64_t a = 0; a < s.a; ++a) {
            if (!open[a]) continue;
            gradients.set(b, a, d, v, u, c, y);
            gradients.add_of_samples(weights.data() + a * s.w, sample.data(), values.data());
          }
          sampler.scatter(values.data(), view.data() + c * plane);
        }
      }
    T* to = grad_light_field + unit * s.c * plane;
    for (int64_t i = 0; i < s.c * plane; ++i) to[i] = from_acc<T>(view[i]);
  }
}

template <class T, Interpolation I>
void general_grad_disparity(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field, const acc_t<T>* disparity,
                            const acc_t<T>* aperture, acc_t<T>* grad_disparity, const RefocusShape& s, int64_t begin,
                            int64_t end) {
  using R = acc_t<T>;
  RowSampler<T, I> sampler(s, true);
  const WeightRows<R> rows(aperture, s);
  GradientRows<R> gradients(grad, out, s);
  std::vector<R> weight(s.w), sample(s.w), values(s.w);
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t y = unit % s.h, d = unit / s.h % s.d, map = unit / s.h / s.d;
    R* to = grad_disparity + unit * s.w;
    std::fill(to, to + s.w, R(0));
    sampler.set_row(disparity + map * s.sdb, d, y);
    for (int64_t v = 0; v < s.v; ++v) {
      sampler.set_view_row(v);
      for (int64_t u = 0; u < s.u; ++u) {
        sampler.set_view_column(u);
        for (int64_t b = s.sdb ? map : 0; b < (s.sdb ? map + 1 : s.b); ++b)
          for (int64_t c = 0; c < s.c; ++c) {
            if (gradients.needs_samples()) read_samples(sampler, light_field, s, b, v, u, c, sample.data());
            std::fill(values.begin(), values.end(), R(0));
            for (int64_t a = 0; a < s.a; ++a) {
              if (!rows.read(sampler, b, a, v, u, y, weight.data())) continue;
              gradients.set(b, a, d, v, u, c, y);
              gradients.add_of_samples(weight.data(), sample.data(), values.data());
            }
            sampler.read_slope(light_field + b * s.sb + v * s.sv + u * s.su + c * s.sc);
            for (int64_t x = 0; x < s.w; ++x) to[x] += values[x] * R(Element<T>::scale) * sampler.slope[x];
          }
      }
    }
  }
}

template <class T, Interpolation I>
void general_grad_aperture(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field, const acc_t<T>* disparity,
                           acc_t<T>* grad_aperture, const RefocusShape& s, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  RowSampler<T, I> sampler(s);
  GradientRows<R> gradients(grad, out, s);
  std::vector<R> sample(s.w), values(s.w);
  std::vector<double> sums(s.a);  // over all pixels: float32 would lose digits
  const int64_t views = s.v * s.u;
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t u = unit % s.u, v = unit / s.u;
    std::fill(sums.begin(), sums.end(), 0.0);
    const auto row_of = [&](int64_t b, int64_t a, int64_t y) {
      return grad_aperture + b * s.sab + ((a * views + unit) * s.h + y) * s.w;
    };
    if (s.per_pixel)
      for (int64_t b = 0; b < (s.sab ? s.b : 1); ++b)
        for (int64_t a = 0; a < s.a; ++a) std::fill(row_of(b, a, 0), row_of(b, a, s.h), R(0));
    for (int64_t b = 0; b < s.b; ++b)
      for (int64_t d = 0; d < s.d; ++d)
        for (int64_t y = 0; y < s.h; ++y) {
          sampler.set_row(disparity + b * s.sdb, d, y);
          sampler.set_view_row(v);
          sampler.set_view_column(u);
          for (int64_t c = 0; c < s.c; ++c) {
            read_samples(sampler, light_field, s, b, v, u, c, sample.data());
            for (int64_t a = 0; a < s.a; ++a) {
              gradients.set(b, a, d, v, u, c, y);
              gradients.of_weights(sample.data(), values.data());
              if (s.valid)
                for (int64_t x = 0; x < s.w; ++x) values[x] *= sampler.counts(x);
              if (s.per_pixel) {
                R* to = row_of(b, a, y);
                for (int64_t x = 0; x < s.w; ++x) to[x] += values[x];
              } else {
                double sum = 0;
                for (int64_t x = 0; x < s.w; ++x) sum += values[x];
                sums[a] += sum;
              }
            }
          }
        }
    if (!s.per_pixel)
      for (int64_t a = 0; a < s.a; ++a) grad_aperture[a * views + unit] = static_cast<R>(sums[a]);
  }
}

template <class R>
void refocus_scale_gradient(R* grad, const R* disparity, const R* aperture, const RefocusShape& s, int64_t begin,
                            int64_t end) {
  RowSampler<R, Interpolation::nearest> sampler(s);  // only where a sample lies matters here
  const WeightRows<R> rows(aperture, s);
  std::vector<R> counted(s.w), weight(s.w);
  const bool alike = s.sdb == 0 && s.sab == 0;  // for all light fields
  const int64_t results = s.reduce == Reduce::moments ? 2 : 1;
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t a = unit / s.d, d = unit % s.d;
    for (int64_t y = 0; y < s.h; ++y)
      for (int64_t b = 0; b < s.b; ++b) {
        if (b == 0 || !alike) {
          std::fill(counted.begin(), counted.end(), R(0));
          sampler.set_row(disparity + b * s.sdb, d, y);
          for (int64_t v = 0; v < s.v; ++v) {
            sampler.set_view_row(v);
            for (int64_t u = 0; u < s.u; ++u) {
              sampler.set_view_column(u);
              if (!rows.read(sampler, b, a, v, u, y, weight.data())) continue;
              for (int64_t x = 0; x < s.w; ++x) counted[x] += weight[x];
            }
          }
        }
        for (int64_t i = 0; i < results; ++i)
          for (int64_t c = 0; c < s.c; ++c) {
            R* row = grad + (((((b * results + i) * s.a + a) * s.d + d) * s.c + c) * s.h + y) * s.w;
            for (int64_t x = 0; x < s.w; ++x) row[x] = counted[x] > R(0) ? row[x] / counted[x] : R(0);
          }
      }
  }
}

template <class T>
void refocus_general_grad_light_field(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field,
                                      const acc_t<T>* disparity, const acc_t<T>* aperture, T* grad_light_field,
                                      const RefocusShape& s, int64_t begin, int64_t end) {
  for_interpolation(s.interpolation, [&](auto i) {
    general_grad_light_field<T, decltype(i)::value>(grad, out, light_field, disparity, aperture, grad_light_field, s,
                                                    begin, end);
  });
}

template <class T>
void refocus_general_grad_disparity(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field,
                                    const acc_t<T>* disparity, const acc_t<T>* aperture, acc_t<T>* grad_disparity,
                                    const RefocusShape& s, int64_t begin, int64_t end) {
  for_interpolation(s.interpolation, [&](auto i) {
    general_grad_disparity<T, decltype(i)::value>(grad, out, light_field, disparity, aperture, grad_disparity, s, begin,
                                                  end);
  });
}

template <class T>
void refocus_general_grad_aperture(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field,
                                   const acc_t<T>* disparity, acc_t<T>* grad_aperture, const RefocusShape& s,
                                   int64_t begin, int64_t end) {
  for_interpolation(s.interpolation, [&](auto i) {
    general_grad_aperture<T, decltype(i)::value>(grad, out, light_field, disparity, grad_aperture, s, begin, end);
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
