// The loops of the CPU `refocus`'s gradients of disparity and aperture.
#if !defined(LFD_AVX512)  // these run on AVX2 at most
#include <algorithm>
#include <type_traits>
#include <vector>

#include "cpu/buffer.h"
#include "cpu/refocus.h"
#include "cpu/refocus_weights.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/refocus_axis.h"
#include "cpu/kernels/refocus_samples.h"
// A strip of a row y of all planes of a tensor [B, A, D, C, H, W] at one d, in blocks; zeros beyond the row's end.
template <class R>
class RowBlocks {
 public:
  explicit RowBlocks(const RefocusShape& s, int64_t width) : s_(s), width_(width), blocks_(s.b * s.a * s.c * width) {}

  void read(const R* from, int64_t d, int64_t y, int64_t x0, int64_t blocks) {
    constexpr int64_t L = kLanes<R>;
    for (int64_t ba = 0; ba < s_.b * s_.a; ++ba)
      for (int64_t c = 0; c < s_.c; ++c) {
        const R* row = from + (((ba * s_.d + d) * s_.c + c) * s_.h + y) * s_.w;
        for (int64_t block = 0; block < blocks; ++block) {
          const int64_t x = x0 + block * L, count = std::min(L, s_.w - x);
          R values[L] = {};
          std::copy(row + x, row + x + count, values);
          memcpy(&blocks_[((ba * width_) + block) * s_.c + c], values, sizeof(values));
        }
      }
  }
  // Of all channels.
  const Vec<R>* at(int64_t b, int64_t a, int64_t block) const {
    return blocks_.data() + ((b * s_.a + a) * width_ + block) * s_.c;
  }

 private:
  const RefocusShape& s_;
  const int64_t width_;
  Buffer<Vec<R>> blocks_;
};

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

template <class T, int N>
void grad_aperture_of_map(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field, const acc_t<T>* disparity,
                          acc_t<T>* grad_aperture, const RefocusShape& s, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  constexpr int L = kLanes<R>;
  Sampler<T, N> strip(s);
  RowBlocks<R> g(s, strip.width), o(s, s.valid ? strip.width : 0);
  Buffer<Vec<R>> sums(s.a);
  std::vector<double> totals((end - begin) * s.a);  // over all pixels: float32 would lose digits
  const Vec<R> scale = splat(R(Element<T>::scale));
  for (int64_t row = 0; row < s.d * s.h; ++row)
    for (int64_t x0 = 0; x0 < s.w; x0 += strip.width * L) {
      const int64_t d = row / s.h, y = row % s.h;
      strip.set(disparity, d, y, x0, begin, end);
      g.read(grad, d, y, x0, strip.blocks());
      if (s.valid) o.read(out, d, y, x0, strip.blocks());
      for (int64_t view = begin; view < end; ++view) {
        const int64_t v = view / s.u, u = view % s.u;
        std::fill(sums.begin(), sums.end(), Vec<R>{});
        for (int64_t b = 0; b < s.b; ++b)
          strip.read(light_field + b * s.sb, v, u, [&](int64_t block) {
            const Vec<R> inside = s.valid ? strip.inside(v, u, block) : splat(R(1));
            return [&, b, block, inside](int64_t c, Vec<R> sample) {
              for (int64_t a = 0; a < s.a; ++a) {
                Vec<R> value = sample * scale;
                if (s.valid) value = inside * (value - o.at(b, a, block)[c]);
                sums[a] += g.at(b, a, block)[c] * value;
              }
            };
          });
        for (int64_t a = 0; a < s.a; ++a) totals[(view - begin) * s.a + a] += sum_lanes<R>(sums[a]);
      }
    }
  for (int64_t view = begin; view < end; ++view)
    for (int64_t a = 0; a < s.a; ++a)
      grad_aperture[a * s.v * s.u + view] = static_cast<R>(totals[(view - begin) * s.a + a]);
}

template <class T>
void refocus_grad_aperture(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field, const acc_t<T>* disparity,
                           acc_t<T>* grad_aperture, const RefocusShape& s, int64_t begin, int64_t end) {
  for_taps(s.interpolation, [&](auto taps) {
    constexpr int N = decltype(taps)::value;
    grad_aperture_of_map<T, N>(grad, out, light_field, disparity, grad_aperture, s, begin, end);
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
