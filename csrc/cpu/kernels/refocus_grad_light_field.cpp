// The loops of the CPU `refocus`'s gradient of the light field.
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
template <class T>
void refocus_grad_light_field(const acc_t<T>* grad, const acc_t<T>* disparity, const acc_t<T>* aperture,
                              T* grad_light_field, const RefocusShape& s, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  const auto rows = all_axis_taps(disparity, s.v, s.h, s), columns = all_axis_taps(disparity, s.u, s.w, s);
  const int64_t planes = s.a * s.d, plane_size = s.h * s.w;
  std::vector<R> row(s.w), lines(s.u * s.w);
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t r = unit % s.h, c = unit / s.h % s.c, v = unit / s.h / s.c % s.v, b = unit / s.h / s.c / s.v;
    std::fill(lines.begin(), lines.end(), R(0));
    for (int64_t p = 0; p < planes; ++p) {
      const int64_t a = p / s.d, d = p % s.d;
      const AxisTaps<R>& t = rows[d * s.v + v];
      const R* g = grad + ((b * planes + p) * s.c + c) * plane_size;
      if (!sum_reading_rows(g, t, r, s, row.data())) continue;
      for (int64_t u = 0; u < s.u; ++u) {
        const R weight = aperture[(a * s.v + v) * s.u + u];
        if (weight == R(0)) continue;
        const AxisTaps<R>& k = columns[d * s.u + u];
        R* line = lines.data() + u * s.w;
        for (int i = 0; i < k.count; ++i) {
          const int64_t shift = k.first + i;
          const int64_t from = std::min(k.hi, std::max(k.lo, -shift)), to = std::max(from, std::min(k.hi, s.w - shift));
          const R w = weight * k.w[i];
          if (to > from) add_scaled(line + from + shift, w, row.data() + from, to - from);
          if (s.zeros) continue;
          add_scaled_sum(line, w, row.data() + k.lo, from - k.lo);
          add_scaled_sum(line + s.w - 1, w, row.data() + to, k.hi - to);
        }
      }
    }
    for (int64_t u = 0; u < s.u; ++u) {
      T* to = grad_light_field + (((b * s.v + v) * s.u + u) * s.c + c) * plane_size + r * s.w;
      for (int64_t x = 0; x < s.w; ++x) to[x] = from_acc<T>(lines[u * s.w + x]);
    }
  }
}

// In the sum's type alone: compiled once for all element types. view: [C, H, W], with kLanes more elements at the end.
template <class R, int N>
void grad_light_field_view(const R* grad, const R* disparity, const R* aperture, int64_t b, int64_t view_index,
                           Scatter<R, N>& strip, const RefocusShape& s, R* view) {
  constexpr int64_t L = kLanes<R>;
  const int64_t u = view_index % s.u, v = view_index / s.u;
  bool open = false;
  for (int64_t a = 0; a < s.a; ++a) open = open || aperture[a * s.v * s.u + view_index] != R(0);
  if (!open) return;
  for (int64_t row = 0; row < s.d * s.h; ++row)
    for (int64_t x0 = 0; x0 < s.w; x0 += strip.width * L) {
      const int64_t d = row / s.h, y = row % s.h;
      strip.set(disparity + b * s.sdb, d, y, x0, view_index, view_index + 1);
      for (int64_t block = 0; block < strip.blocks(); ++block) {
        const int64_t x = x0 + block * L, count = std::min(L, s.w - x);
        const Vec<R> inside = s.valid ? strip.inside(v, u, block) : splat(R(1));
        for (int64_t c = 0; c < s.c; ++c) {
          Vec<R> values{};
          for (int64_t a = 0; a < s.a; ++a) {
            const R* g = grad + ((((b * s.a + a) * s.d + d) * s.c + c) * s.h + y) * s.w + x;
            R some[L] = {};
            if (count < L) std::copy(g, g + count, some);
            values += splat(aperture[a * s.v * s.u + view_index]) * load(count < L ? some : g);
          }
          strip.add(view + c * s.h * s.w, v, u, block, inside * values);
        }
      }
    }
}

template <class T>
void refocus_grad_light_field_map(const acc_t<T>* grad, const acc_t<T>* disparity, const acc_t<T>* aperture,
                                  T* grad_light_field, const RefocusShape& s, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  const int64_t size = s.c * s.h * s.w;
  RefocusShape dense = s;
  dense.sy = s.w;
  std::vector<R> view(size + kLanes<R>);
  for_taps(s.interpolation, [&](auto taps) {
    Scatter<R, decltype(taps)::value> strip(dense);
    for (int64_t unit = begin; unit < end; ++unit) {
      std::fill(view.begin(), view.end(), R(0));
      grad_light_field_view(grad, disparity, aperture, unit / s.u / s.v, unit % (s.v * s.u), strip, dense, view.data());
      T* to = grad_light_field + unit * size;
      for (int64_t i = 0; i < size; ++i) to[i] = from_acc<T>(view[i]);
    }
  });
}

#define INSTANTIATE(T)                                                                                               \
  template void refocus_grad_light_field(const acc_t<T>*, const acc_t<T>*, const acc_t<T>*, T*, const RefocusShape&, \
                                         int64_t, int64_t);                                                          \
  template void refocus_grad_light_field_map(const acc_t<T>*, const acc_t<T>*, const acc_t<T>*, T*,                  \
                                             const RefocusShape&, int64_t, int64_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)

#include "cpu/kernels/end.h"
#endif
