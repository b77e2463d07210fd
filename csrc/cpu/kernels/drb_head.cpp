// The loops of the CPU `drb_head`. Pixels are taken in blocks of a row; a block's filters lie planar in the first-level
// cache and are used at once.
#include "cpu/drb_head.h"

#include <algorithm>
#include <vector>

#include "cpu/buffer.h"
#include "lfdeblur/dynamic_filter.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/drb_head_blocks.h"

template <class R>
inline Vec<R> clip(Vec<R> v, R low, R high) {  // NaN stays NaN
  v = v < low - Vec<R>{} ? low - Vec<R>{} : v;
  return v > high - Vec<R>{} ? high - Vec<R>{} : v;
}

template <class T, class U>
void drb_head(const T* kernel_features, const T* residual_features, const U* image, const DrbHeadWeights<acc_t<T>>& w,
              U* out, const DrbHeadShape& s, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  constexpr int L = kLanes<R>;
  const int64_t taps = int64_t(s.k) * s.k;
  Buffer<R> features(std::max(s.kernel.channels, s.residual.channels) * kBlock);
  Buffer<R> filters(taps * kBlock), residual(s.channels * kBlock), sums(s.channels * kBlock);
  Picture<R> picture(s);
  for (int64_t row = begin; row < end; ++row) {
    const int64_t n = row / s.height, y = row % s.height;
    picture.move_to(image, n, s.first_row + y);
    for (int64_t x = 0; x < s.width; x += kBlock) {
      const int64_t count = std::min(kBlock, s.width - x);
      const T* kernel_at = kernel_features + n * s.kernel.sn + y * s.kernel.sy + x * s.kernel.sx;
      const T* residual_at = residual_features + n * s.residual.sn + y * s.residual.sy + x * s.residual.sx;
      read_planar(kernel_at, s.kernel, count, features.data());
      // While the products keep the processor busy, the features that are read next come from memory.
      const void* next[] = {residual_at, kernel_at + kBlock * s.kernel.sx};
      for (int64_t half : {0, 1}) {
        const int64_t first = half * (taps / 2), last = half ? taps : taps / 2;
        predict(last - first, s.kernel.channels, count, w.kernel + first * s.kernel.channels, w.kernel_bias + first,
                features.data(), filters.data() + first * kBlock, kBlock, next[half]);
      }
      read_planar(residual_at, s.residual, count, features.data());
      predict(s.channels, s.residual.channels, count, w.residual, w.residual_bias, features.data(), residual.data(),
              kBlock);
      picture.filter(filters.data(), kBlock, x, count, sums.data());
      for (int64_t c = 0; c < s.channels; ++c) {
        const R* centre = picture.at(c, s.k / 2) + s.k / 2 + x;
        U* to = out + ((n * s.channels + c) * s.height + y) * s.width + x;
        for (int64_t p = 0; p < count; p += L) {
          Vec<R> v = load(centre + p) + load(sums.data() + c * kBlock + p);
          v += leaky<R>(load(residual.data() + c * kBlock + p), R(s.slope));
          v = clip<R>(v, R(s.low), R(s.high));
          if (p + L <= count) {
            store(to + p, v);
          } else {
            for (int64_t i = 0; i < count - p; ++i) to[p + i] = from_acc<U>(v[i]);
          }
        }
      }
    }
  }
}

#define INSTANTIATE(T, U)                                                                                        \
  template void drb_head(const T*, const T*, const U*, const DrbHeadWeights<acc_t<T>>&, U*, const DrbHeadShape&, \
                         int64_t, int64_t);
INSTANTIATE(double, double)
INSTANTIATE(float, float)
INSTANTIATE(f16, f16)
INSTANTIATE(f16, float)
INSTANTIATE(bf16, bf16)
INSTANTIATE(bf16, float)

#include "cpu/kernels/end.h"
