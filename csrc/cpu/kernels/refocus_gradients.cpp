// The loops of the CPU `refocus`'s gradients that need each sample by itself.
#if !defined(LFD_AVX512)  // these run on AVX2 at most
#include <algorithm>
#include <memory>
#include <vector>

#include "cpu/refocus.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/refocus_samples.h"

template <class T>
void refocus_grad_light_field_map(const acc_t<T>* grad, const acc_t<T>* disparity, const acc_t<T>* aperture,
                                  T* grad_light_field, const RefocusShape& s, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  const auto samples = row_samples<R>(nullptr, s);
  const int64_t plane = s.h * s.w;
  std::vector<R> values(s.w), view(s.c * plane);
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t u = unit % s.u, v = unit / s.u % s.v, b = unit / s.u / s.v;
    std::fill(view.begin(), view.end(), R(0));
    for (int64_t d = 0; d < s.d; ++d)
      for (int64_t y = 0; y < s.h; ++y) {
        samples->set_row(disparity, d, y);
        samples->set_view_row(v);
        samples->set_view_column(u);
        for (int64_t a = 0; a < s.a; ++a) {
          const R weight = aperture[(a * s.v + v) * s.u + u];
          if (weight == R(0)) continue;
          for (int64_t c = 0; c < s.c; ++c) {
            const R* g = grad + ((((b * s.a + a) * s.d + d) * s.c + c) * s.h + y) * s.w;
            for (int64_t x = 0; x < s.w; ++x) values[x] = weight * samples->counts(x) * g[x];
            samples->scatter(values.data(), view.data() + c * plane);
          }
        }
      }
    T* to = grad_light_field + unit * s.c * plane;
    for (int64_t i = 0; i < s.c * plane; ++i) to[i] = from_acc<T>(view[i]);
  }
}

// scale: of a stored unit, here and below.
template <class R>
void grad_disparity_rows(RowSamples<R>& samples, R scale, const R* grad, const R* disparity, const R* aperture,
                         R* grad_disparity, const RefocusShape& s, int64_t begin, int64_t end) {
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t y = unit % s.h, d = unit / s.h;
    R* to = grad_disparity + unit * s.w;
    std::fill(to, to + s.w, R(0));
    samples.set_row(disparity, d, y);
    for (int64_t v = 0; v < s.v; ++v) {
      samples.set_view_row(v);
      for (int64_t u = 0; u < s.u; ++u) {
        samples.set_view_column(u);
        for (int64_t b = 0; b < s.b; ++b)
          for (int64_t c = 0; c < s.c; ++c) {
            samples.read_slope(b, c);
            for (int64_t a = 0; a < s.a; ++a) {
              const R weight = aperture[(a * s.v + v) * s.u + u] * scale;
              const R* g = grad + ((((b * s.a + a) * s.d + d) * s.c + c) * s.h + y) * s.w;
              for (int64_t x = 0; x < s.w; ++x) to[x] += weight * samples.counts(x) * samples.slope[x] * g[x];
            }
          }
      }
    }
  }
}

template <class T>
void refocus_grad_disparity(const acc_t<T>* grad, const T* light_field, const acc_t<T>* disparity,
                            const acc_t<T>* aperture, acc_t<T>* grad_disparity, const RefocusShape& s, int64_t begin,
                            int64_t end) {
  grad_disparity_rows<acc_t<T>>(*row_samples(light_field, s, true), Element<T>::scale, grad, disparity, aperture,
                                grad_disparity, s, begin, end);
}

template <class R>
void grad_aperture_views(RowSamples<R>& samples, R scale, const R* grad, const R* out, const R* disparity,
                         R* grad_aperture, const RefocusShape& s, int64_t begin, int64_t end) {
  std::vector<double> sums(s.a);  // over all pixels: float32 would lose digits
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t u = unit % s.u, v = unit / s.u;
    std::fill(sums.begin(), sums.end(), 0.0);
    for (int64_t d = 0; d < s.d; ++d)
      for (int64_t y = 0; y < s.h; ++y) {
        samples.set_row(disparity, d, y);
        samples.set_view_row(v);
        samples.set_view_column(u);
        for (int64_t b = 0; b < s.b; ++b)
          for (int64_t c = 0; c < s.c; ++c) {
            samples.read(b, c);
            for (int64_t a = 0; a < s.a; ++a) {
              const int64_t row = ((((b * s.a + a) * s.d + d) * s.c + c) * s.h + y) * s.w;
              double sum = 0;
              for (int64_t x = 0; x < s.w; ++x) {
                const R difference = samples.sample[x] * scale - (s.valid ? out[row + x] : R(0));
                sum += grad[row + x] * samples.counts(x) * difference;
              }
              sums[a] += sum;
            }
          }
      }
    for (int64_t a = 0; a < s.a; ++a) grad_aperture[a * s.v * s.u + unit] = static_cast<R>(sums[a]);
  }
}

template <class T>
void refocus_grad_aperture(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field, const acc_t<T>* disparity,
                           acc_t<T>* grad_aperture, const RefocusShape& s, int64_t begin, int64_t end) {
  grad_aperture_views<acc_t<T>>(*row_samples(light_field, s), Element<T>::scale, grad, out, disparity, grad_aperture, s,
                                begin, end);
}

#define INSTANTIATE_VIEW(T)                                                                                    \
  template void refocus_grad_disparity(const acc_t<T>*, const T*, const acc_t<T>*, const acc_t<T>*, acc_t<T>*, \
                                       const RefocusShape&, int64_t, int64_t);                                 \
  template void refocus_grad_aperture(const acc_t<T>*, const acc_t<T>*, const T*, const acc_t<T>*, acc_t<T>*,  \
                                      const RefocusShape&, int64_t, int64_t);
#define INSTANTIATE_FLOAT(T)                                                                        \
  INSTANTIATE_VIEW(T)                                                                               \
  template void refocus_grad_light_field_map(const acc_t<T>*, const acc_t<T>*, const acc_t<T>*, T*, \
                                             const RefocusShape&, int64_t, int64_t);
INSTANTIATE_FLOAT(double)
INSTANTIATE_FLOAT(float)
INSTANTIATE_FLOAT(f16)
INSTANTIATE_FLOAT(bf16)
INSTANTIATE_VIEW(uint8_t)
INSTANTIATE_VIEW(uint16_t)

#include "cpu/kernels/end.h"
#endif
