// The loops of the CPU `refocus`'s gradients of disparity and aperture.
#if !defined(LFD_AVX512)  // these run on AVX2 at most
#include <algorithm>
#include <type_traits>
#include <vector>

#include "cpu/refocus.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/refocus_samples.h"

template <class T, Interpolation I>
void grad_disparity_rows(const acc_t<T>* grad, const T* light_field, const acc_t<T>* disparity,
                         const acc_t<T>* aperture, acc_t<T>* grad_disparity, const RefocusShape& s, int64_t begin,
                         int64_t end) {
  using R = acc_t<T>;
  RowSampler<T, I> sampler(s, true);
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
            sampler.read_slope(light_field + b * s.sb + v * s.sv + u * s.su + c * s.sc);
            for (int64_t a = 0; a < s.a; ++a) {
              const R weight = aperture[(a * s.v + v) * s.u + u] * R(Element<T>::scale);
              const R* g = grad + ((((b * s.a + a) * s.d + d) * s.c + c) * s.h + y) * s.w;
              for (int64_t x = 0; x < s.w; ++x) to[x] += weight * sampler.counts(x) * sampler.slope[x] * g[x];
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
  for_interpolation(s.interpolation, [&](auto i) {
    grad_disparity_rows<T, decltype(i)::value>(grad, light_field, disparity, aperture, grad_disparity, s, begin, end);
  });
}

template <class T, Interpolation I>
void grad_aperture_views(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field, const acc_t<T>* disparity,
                         acc_t<T>* grad_aperture, const RefocusShape& s, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  RowSampler<T, I> sampler(s);
  std::vector<double> sums(s.a);  // over all pixels: float32 would lose digits
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t u = unit % s.u, v = unit / s.u;
    std::fill(sums.begin(), sums.end(), 0.0);
    for (int64_t b = 0; b < s.b; ++b)
      for (int64_t d = 0; d < s.d; ++d)
        for (int64_t y = 0; y < s.h; ++y) {
          sampler.set_row(disparity + b * s.sdb, d, y);
          sampler.set_view_row(v);
          sampler.set_view_column(u);
          for (int64_t c = 0; c < s.c; ++c) {
            sampler.read(light_field + b * s.sb + v * s.sv + u * s.su + c * s.sc);
            for (int64_t a = 0; a < s.a; ++a) {
              const int64_t row = ((((b * s.a + a) * s.d + d) * s.c + c) * s.h + y) * s.w;
              double sum = 0;
              for (int64_t x = 0; x < s.w; ++x) {
                const R difference = sampler.sample[x] * R(Element<T>::scale) - (s.valid ? out[row + x] : R(0));
                sum += grad[row + x] * sampler.counts(x) * difference;
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
  for_interpolation(s.interpolation, [&](auto i) {
    grad_aperture_views<T, decltype(i)::value>(grad, out, light_field, disparity, grad_aperture, s, begin, end);
  });
}

#define INSTANTIATE(T)                                                                                         \
  template void refocus_grad_disparity(const acc_t<T>*, const T*, const acc_t<T>*, const acc_t<T>*, acc_t<T>*, \
                                       const RefocusShape&, int64_t, int64_t);                                 \
  template void refocus_grad_aperture(const acc_t<T>*, const acc_t<T>*, const T*, const acc_t<T>*, acc_t<T>*,  \
                                      const RefocusShape&, int64_t, int64_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)
INSTANTIATE(uint8_t)
INSTANTIATE(uint16_t)

#include "cpu/kernels/end.h"
#endif
