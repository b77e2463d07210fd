// The loops of the CPU `refocus`'s gradient of the disparity.
#if !defined(LFD_AVX512)  // these run on AVX2 at most
#include <algorithm>
#include <type_traits>
#include <vector>

#include "cpu/buffer.h"
#include "cpu/refocus.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/refocus_row_blocks.h"
#include "cpu/kernels/refocus_samples.h"
template <class T, int N>
void grad_disparity_rows(const acc_t<T>* grad, const T* light_field, const acc_t<T>* disparity,
                         const acc_t<T>* aperture, acc_t<T>* grad_disparity, const RefocusShape& s, int64_t begin,
                         int64_t end) {
  using R = acc_t<T>;
  constexpr int L = kLanes<R>;
  Sampler<T, N, 2> strip(s);
  RowBlocks<R> g(s, strip.width);
  Buffer<Vec<R>> sums(strip.width);
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t y = unit % s.h, d = unit / s.h;
    for (int64_t x0 = 0; x0 < s.w; x0 += strip.width * L) {
      strip.set(disparity, d, y, x0, 0, s.v * s.u);
      g.read(grad, d, y, x0, strip.blocks());
      std::fill(sums.begin(), sums.end(), Vec<R>{});
      for (int64_t view = 0; view < s.v * s.u; ++view)
        for (int64_t b = 0; b < s.b; ++b) {
          const int64_t v = view / s.u, u = view % s.u;
          strip.read(light_field + b * s.sb, v, u, [&](int64_t block) {
            const Vec<R> inside = s.valid ? strip.inside(v, u, block) : splat(R(1));
            return [&, block, inside](int64_t c, Vec<R> slope) {
              for (int64_t a = 0; a < s.a; ++a)
                sums[block] += splat(aperture[a * s.v * s.u + view]) * inside * slope * g.at(b, a, block)[c];
            };
          });
        }
      R* to = grad_disparity + unit * s.w + x0;
      for (int64_t x = 0; x < std::min(strip.width * L, s.w - x0); ++x)
        to[x] = sums[x / L][x % L] * R(Element<T>::scale);
    }
  }
}

template <class T>
void refocus_grad_disparity(const acc_t<T>* grad, const T* light_field, const acc_t<T>* disparity,
                            const acc_t<T>* aperture, acc_t<T>* grad_disparity, const RefocusShape& s, int64_t begin,
                            int64_t end) {
  for_taps(s.interpolation, [&](auto taps) {
    constexpr int N = decltype(taps)::value;
    grad_disparity_rows<T, N>(grad, light_field, disparity, aperture, grad_disparity, s, begin, end);
  });
}

#define INSTANTIATE(T)                                                                                         \
  template void refocus_grad_disparity(const acc_t<T>*, const T*, const acc_t<T>*, const acc_t<T>*, acc_t<T>*, \
                                       const RefocusShape&, int64_t, int64_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)
INSTANTIATE(uint8_t)
INSTANTIATE(uint16_t)

#include "cpu/kernels/end.h"
#endif
