// The loops of the CPU `refocus`'s gradient of the aperture.
#if !defined(LFD_AVX512)  // these run on AVX2 at most
#include <algorithm>
#include <type_traits>
#include <vector>

#include "cpu/buffer.h"
#include "cpu/refocus.h"
#include "cpu/refocus_weights.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/refocus_axis.h"
#include "cpu/kernels/refocus_row_blocks.h"
#include "cpu/kernels/refocus_samples.h"

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

// sum_x g[x] * sum_i w[i] * row[x + first + i] with the border put on; the row below is read next.
template <int N, class T>
double dot_row(const T* row, const AxisTaps<acc_t<T>>& t, const acc_t<T>* g, const RefocusShape& s) {
  using R = acc_t<T>;
  constexpr int L = kLanes<R>, B = 4;
  const int64_t width = s.w, from = std::min(t.hi, std::max(t.lo, -t.first));
  const int64_t to = std::max(from, std::min(t.hi, width - (t.first + N - 1)));
  const T* at = row + t.first;
  Vec<R> w[N], sums[B] = {};
  for (int i = 0; i < N; ++i) w[i] = splat(t.w[i]);
  const auto add = [&](int64_t x, Vec<R>& sum) {
    Vec<R> value = w[0] * load(at + x);
#pragma GCC unroll 4
    for (int i = 1; i < N; ++i) value += w[i] * load(at + x + i);
    sum += value * load(g + x);
  };
  int64_t x = from;
  for (; x + B * L <= to; x += B * L) {
    for (int i = 0; i < B * L; i += 64 / static_cast<int>(sizeof(T))) __builtin_prefetch(at + x + s.sy + i);
#pragma GCC unroll 4
    for (int b = 0; b < B; ++b) add(x + b * L, sums[b]);
  }
  for (; x + L <= to; x += L) add(x, sums[0]);
  R rest = R(0);
  const auto add_pixels = [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      R value = R(0);
      for (int i = 0; i < N; ++i) {
        const int64_t tap = p + t.first + i, pixel = clamp_index(tap, width);
        if (!s.zeros || tap == pixel) value += t.w[i] * to_acc(row[pixel]);
      }
      rest += value * g[p];
    }
  };
  add_pixels(t.lo, from);
  add_pixels(x, t.hi);
  return static_cast<double>(sum_lanes<R>((sums[0] + sums[1]) + (sums[2] + sums[3]))) + rest;
}

template <class T>
double dot_row(const T* row, const AxisTaps<acc_t<T>>& t, const acc_t<T>* g, const RefocusShape& s) {
  return t.count == 1 ? dot_row<1>(row, t, g, s) : t.count == 2 ? dot_row<2>(row, t, g, s) : dot_row<4>(row, t, g, s);
}

// Separable, as the forward pass is: the adjoint of the vertical taps serves all views of a row.
template <class T>
class ApertureOfPlanes {
 public:
  using R = acc_t<T>;

  ApertureOfPlanes(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field, const acc_t<T>* disparity,
                   const RefocusShape& s)
      : s_(s),
        grad_(grad),
        out_(out),
        light_field_(light_field),
        rows_(all_axis_taps(disparity, s.v, s.h, s)),
        columns_(all_axis_taps(disparity, s.u, s.w, s)),
        line_(s.w) {}

  // totals[a * U + u] of the views [u0, u1) of row v.
  void run(int64_t v, int64_t u0, int64_t u1, double* totals) {
    for (int64_t b = 0; b < s_.b; ++b)
      for (int64_t c = 0; c < s_.c; ++c)
        for (int64_t r = 0; r < s_.h; ++r)
          for (int64_t p = 0; p < s_.a * s_.d; ++p) {
            if (!sum_reading_rows(plane(grad_, b, p, c), rows_[p % s_.d * s_.v + v], r, s_, line_.data())) continue;
            for (int64_t u = u0; u < u1; ++u) {
              const T* row = light_field_ + b * s_.sb + v * s_.sv + u * s_.su + c * s_.sc + r * s_.sy;
              totals[p / s_.d * s_.u + u] += dot_row(row, columns_[p % s_.d * s_.u + u], line_.data(), s_);
            }
          }
    for (int64_t i = 0; i < s_.a * s_.u; ++i) totals[i] *= Element<T>::scale;
    if (s_.valid) subtract_result(v, u0, u1, totals);
  }

 private:
  const R* plane(const R* of, int64_t b, int64_t p, int64_t c) const {
    return of + ((b * s_.a * s_.d + p) * s_.c + c) * s_.h * s_.w;
  }

  // The weights are divided by their sum: of what counts, the result is subtracted.
  void subtract_result(int64_t v, int64_t u0, int64_t u1, double* totals) const {
    std::vector<double> products(s_.w);
    for (int64_t p = 0; p < s_.a * s_.d; ++p) {
      const AxisTaps<R>& t = rows_[p % s_.d * s_.v + v];
      std::fill(products.begin(), products.end(), 0.0);
      for (int64_t b = 0; b < s_.b; ++b)
        for (int64_t c = 0; c < s_.c; ++c)
          for (int64_t i = t.lo * s_.w; i < t.hi * s_.w; i += s_.w) {
            const R *g = plane(grad_, b, p, c) + i, *o = plane(out_, b, p, c) + i;
            for (int64_t x = 0; x < s_.w; ++x) products[x] += static_cast<double>(g[x]) * o[x];
          }
      for (int64_t u = u0; u < u1; ++u) {
        const AxisTaps<R>& k = columns_[p % s_.d * s_.u + u];
        for (int64_t x = k.lo; x < k.hi; ++x) totals[p / s_.d * s_.u + u] -= products[x];
      }
    }
  }

  const RefocusShape& s_;
  const R *grad_, *out_;
  const T* light_field_;
  const std::vector<AxisTaps<R>> rows_, columns_;
  std::vector<R> line_;
};

template <class T>
void grad_aperture_of_planes(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field, const acc_t<T>* disparity,
                             acc_t<T>* grad_aperture, const RefocusShape& s, int64_t begin, int64_t end) {
  ApertureOfPlanes<T> planes(grad, out, light_field, disparity, s);
  std::vector<double> totals(s.a * s.u);
  for (int64_t v = begin / s.u; v * s.u < end; ++v) {
    const int64_t u0 = std::max<int64_t>(0, begin - v * s.u), u1 = std::min(s.u, end - v * s.u);
    std::fill(totals.begin(), totals.end(), 0.0);
    planes.run(v, u0, u1, totals.data());
    for (int64_t a = 0; a < s.a; ++a)
      for (int64_t u = u0; u < u1; ++u)
        grad_aperture[(a * s.v + v) * s.u + u] = static_cast<acc_t<T>>(totals[a * s.u + u]);
  }
}

template <class T>
void refocus_grad_aperture(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field, const acc_t<T>* disparity,
                           acc_t<T>* grad_aperture, const RefocusShape& s, int64_t begin, int64_t end) {
  if (!s.map) return grad_aperture_of_planes(grad, out, light_field, disparity, grad_aperture, s, begin, end);
  for_taps(s.interpolation, [&](auto taps) {
    constexpr int N = decltype(taps)::value;
    grad_aperture_of_map<T, N>(grad, out, light_field, disparity, grad_aperture, s, begin, end);
  });
}

#define INSTANTIATE(T)                                                                                        \
  template void refocus_grad_aperture(const acc_t<T>*, const acc_t<T>*, const T*, const acc_t<T>*, acc_t<T>*, \
                                      const RefocusShape&, int64_t, int64_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)
INSTANTIATE(uint8_t)
INSTANTIATE(uint16_t)

#include "cpu/kernels/end.h"
#endif
