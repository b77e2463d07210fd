// The loops of the CPU `refocus` in which every output pixel has its own disparity.
#if !defined(LFD_AVX512)  // longer vectors read more rows and wider windows
#include <algorithm>
#include <type_traits>
#include <vector>

#include "cpu/buffer.h"
#include "cpu/refocus.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/refocus_samples.h"
template <class T, int N>
void map_rows(const T* light_field, const acc_t<T>* disparity, const acc_t<T>* aperture, out_t<T>* out,
              const RefocusShape& s, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  using Strip = Sampler<T, N>;
  constexpr int L = kLanes<R>;
  Strip strip(s);
  Buffer<Vec<R>> sums(s.a * s.c * strip.width), counted(s.a * strip.width), weights(s.a);
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t y = unit % s.h, d = unit / s.h % s.d, b = unit / s.h / s.d;
    for (int64_t x0 = 0; x0 < s.w; x0 += strip.width * L) {
      strip.set(disparity, d, y, x0, 0, s.v * s.u);
      std::fill(sums.begin(), sums.end(), Vec<R>{});
      std::fill(counted.begin(), counted.end(), Vec<R>{});
      for (int64_t v = 0; v < s.v; ++v)
        for (int64_t u = 0; u < s.u; ++u) {
          const R* open = aperture + v * s.u + u;
          bool any_open = false;
          for (int64_t a = 0; a < s.a; ++a) any_open = any_open || open[a * s.v * s.u] != R(0);
          if (!any_open) continue;
          if (s.a == 1 && !s.valid) {
            const Vec<R> weight = splat(open[0]);
            strip.read(light_field + b * s.sb, v, u, [&](int64_t block) {
              Vec<R>* to = sums.data() + block * s.c;
              return [=](int64_t c, Vec<R> sample) { to[c] += weight * sample; };
            });
            continue;
          }
          strip.read(light_field + b * s.sb, v, u, [&](int64_t block) {
            for (int64_t a = 0; a < s.a; ++a) {
              weights[a] = splat(open[a * s.v * s.u]);
              if (!s.valid) continue;
              weights[a] *= strip.inside(v, u, block);
              counted[a * strip.width + block] += weights[a];
            }
            return [&, block](int64_t c, Vec<R> sample) {
              for (int64_t a = 0; a < s.a; ++a) sums[(a * strip.width + block) * s.c + c] += weights[a] * sample;
            };
          });
        }
      for (int64_t a = 0; a < s.a; ++a)
        for (int64_t c = 0; c < s.c; ++c) {
          out_t<T>* to = out + ((((b * s.a + a) * s.d + d) * s.c + c) * s.h + y) * s.w;
          for (int64_t block = 0; block < strip.blocks(); ++block) {
            Vec<R> total = sums[(a * strip.width + block) * s.c + c] * splat(R(Element<T>::scale));
            if (s.valid) {
              const Vec<R> n = counted[a * strip.width + block];
              total = n > Vec<R>{} ? total / n : Vec<R>{};
            }
            const int64_t x = x0 + block * L;
            if (x + L <= s.w)
              store(to + x, total);
            else
              for (int64_t l = 0; x + l < s.w; ++l) to[x + l] = from_acc<out_t<T>>(total[l]);
          }
        }
    }
  }
}

template <class T>
void refocus_map(const T* light_field, const acc_t<T>* disparity, const acc_t<T>* aperture, out_t<T>* out,
                 const RefocusShape& s, int64_t begin, int64_t end) {
  for_taps(s.interpolation, [&](auto taps) {
    map_rows<T, decltype(taps)::value>(light_field, disparity, aperture, out, s, begin, end);
  });
}

template <class R>
void refocus_scale_gradient(R* grad, const R* disparity, const R* aperture, const RefocusShape& s, int64_t begin,
                            int64_t end) {
  using Strip = Positions<R, 2, 1>;
  constexpr int L = kLanes<R>;
  Strip strip(s, 0, true);
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t a = unit / s.d, d = unit % s.d;
    for (int64_t y = 0; y < s.h; ++y)
      for (int64_t x0 = 0; x0 < s.w; x0 += strip.width * L) {
        strip.set(disparity, d, y, x0, 0, s.v * s.u);
        for (int64_t block = 0; block < strip.blocks(); ++block) {
          Vec<R> counted{};
          for (int64_t v = 0; v < s.v; ++v)
            for (int64_t u = 0; u < s.u; ++u)
              counted += splat(aperture[(a * s.v + v) * s.u + u]) * strip.inside(v, u, block);
          const int64_t x = x0 + block * L;
          for (int64_t b = 0; b < s.b; ++b)
            for (int64_t c = 0; c < s.c; ++c) {
              R* row = grad + ((((b * s.a + a) * s.d + d) * s.c + c) * s.h + y) * s.w;
              for (int64_t l = 0; l < L && x + l < s.w; ++l)
                row[x + l] = counted[l] > R(0) ? row[x + l] / counted[l] : R(0);
            }
        }
      }
  }
}

#define INSTANTIATE(T)                                                                                           \
  template void refocus_map(const T*, const acc_t<T>*, const acc_t<T>*, out_t<T>*, const RefocusShape&, int64_t, \
                            int64_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)
INSTANTIATE(uint8_t)
INSTANTIATE(uint16_t)
template void refocus_scale_gradient(double*, const double*, const double*, const RefocusShape&, int64_t, int64_t);
template void refocus_scale_gradient(float*, const float*, const float*, const RefocusShape&, int64_t, int64_t);

#include "cpu/kernels/end.h"
#endif
