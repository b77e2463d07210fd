// What the kernels of `refocus` share: where the views are sampled.
#pragma once
#include <type_traits>

#include "cuda/access.h"
#include "lfdeblur/refocus.h"

namespace lfdeblur::cuda {

inline constexpr int kWarps = 4;    // sweep: 2; a block is 32 x kWarps threads
inline constexpr int kWindow = 32;  // views along an axis, or planes, that a block prepares at once

// Kernels are compiled per number of taps: 4 is bicubic, 2 is bilinear or nearest.
template <int N>
inline constexpr int kFirstTap = 1 - N / 2;

template <int N, class R>
__device__ __forceinline__ void tap_weights(Interpolation interpolation, R cubic, R f, R (&w)[N]) {
  if constexpr (N == 4) {
    Taps<Interpolation::bicubic>::weights(f, cubic, w);
  } else {
    const R g = interpolation == Interpolation::nearest ? (f < R(0.5) ? R(0) : R(1)) : f;
    Taps<Interpolation::bilinear>::weights(g, cubic, w);
  }
}
template <int N, class R>
__device__ __forceinline__ void tap_weights(const RefocusShape& s, R f, R (&w)[N]) {
  tap_weights(s.interpolation, static_cast<R>(s.cubic), f, w);
}
template <int N, class R>
__device__ __forceinline__ void tap_slopes(const RefocusShape& s, R f, R (&slope)[N]) {
  if constexpr (N == 4) {
    Taps<Interpolation::bicubic>::slopes(f, static_cast<R>(s.cubic), slope);
  } else {
    slope[1] = s.interpolation == Interpolation::nearest ? R(0) : R(1);
    slope[0] = -slope[1];
  }
}

// The shift of one view row or column for a plane of one disparity; exact, as it is computed once for many pixels.
template <class R>
__device__ __forceinline__ AxisShift<R> plane_shift(R disparity, int64_t view, int64_t views, int64_t size) {
  const AxisShift<double> exact = axis_shift<double>(disparity, view - 0.5 * (views - 1), size);
  return {exact.first, static_cast<R>(exact.f)};
}

// The shift of one view row or column at one pixel: `disparity` points at the plane's value, or at the map's pixel.
template <class R>
__device__ __forceinline__ AxisShift<R> pixel_shift(R disparity, bool map, int64_t view, int64_t views, int64_t size) {
  if (!map) return plane_shift(disparity, view, views, size);
  return axis_shift<R>(disparity, static_cast<R>(view - 0.5 * (views - 1)), size);
}

__device__ __forceinline__ int clamp_int(int p, int64_t size) { return min(max(p, 0), static_cast<int>(size) - 1); }

template <class R>
__device__ __forceinline__ R disparity_at(const R* disparity, const RefocusShape& s, int64_t b, int64_t d, int y,
                                          int x) {
  return disparity[s.map ? b * s.sdb + (d * s.h + y) * s.w + x : d];
}

// Kernels that take each sample by itself are compiled twice: GENERAL ones know every option, the others disparity maps
// with weights [A, V, U], their sum and the borders `replicate` and `valid`.
inline bool takes_general(const RefocusShape& s) { return s.general() || s.zeros; }

// Calls f with that as a compile-time constant.
template <class F>
cudaError_t for_general(const RefocusShape& s, const F& f) {
  return takes_general(s) ? f(std::true_type{}) : f(std::false_type{});
}

// The weight of view v, u in aperture a at a pixel.
template <bool GENERAL, class R>
__device__ __forceinline__ R weight_at(const R* aperture, const RefocusShape& s, int64_t b, int64_t a, int64_t v,
                                       int64_t u, int64_t pixel) {
  const int64_t view = (a * s.v + v) * s.u + u;
  return GENERAL && s.per_pixel ? aperture[b * s.sab + view * s.h * s.w + pixel] : aperture[view];
}

// With border `zeros`: taps beyond the view weigh nothing. w: their weights or slopes along an axis, at pixel p.
template <bool GENERAL, int N, class R>
__device__ __forceinline__ void cut_taps(const RefocusShape& s, int p, const AxisShift<R>& shift, int64_t size,
                                         R (&w)[N]) {
  if (!GENERAL || !s.zeros) return;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    const int64_t tap = static_cast<int64_t>(p) + shift.first + kFirstTap<N> + i;
    if (tap < 0 || tap >= size) w[i] = R(0);
  }
}

// The row (a, d, c) of light field b in an output of the sums' shape, counted in pictures; `none` has views beside.
template <bool GENERAL>
__device__ __forceinline__ int64_t picture_of(const RefocusShape& s, int64_t b, int64_t a, int64_t d, int64_t v,
                                              int64_t u, int64_t c) {
  if (!GENERAL || s.reduce == Reduce::mean) return ((b * s.a + a) * s.d + d) * s.c + c;
  if (s.reduce == Reduce::none) return ((((b * s.a + a) * s.d + d) * s.v + v) * s.u + u) * s.c + c;
  return ((2 * b * s.a + a) * s.d + d) * s.c + c;  // of the mean; the variance's is a * d * c pictures on
}

// One sample, unscaled. y, x: the pixel.
template <int N, class T, class R>
__device__ __forceinline__ R sample_at(const T* plane, const RefocusShape& s, int y, int x, const AxisShift<R>& row,
                                       const AxisShift<R>& column, const R (&wy)[N], const R (&wx)[N]) {
  R sum = 0;
#pragma unroll
  for (int i = 0; i < N; ++i) {
    const T* from = plane + clamp_int(y + row.first + kFirstTap<N> + i, s.h) * s.sy;
    R line = 0;
#pragma unroll
    for (int j = 0; j < N; ++j) line += wx[j] * to_acc(from[clamp_int(x + column.first + kFirstTap<N> + j, s.w)]);
    sum += wy[i] * line;
  }
  return sum;
}

// Calls f with the number of taps as a compile-time constant.
template <class F>
cudaError_t for_taps(Interpolation interpolation, const F& f) {
  return interpolation == Interpolation::bicubic ? f(std::integral_constant<int, 4>{})
                                                 : f(std::integral_constant<int, 2>{});
}

// A pixel per thread: the grid of kernels over [planes, H, W].
struct Pixel {
  int plane, y, x;
};
__device__ __forceinline__ Pixel pixel_of_thread(const RefocusShape& s) {
  unsigned index = blockIdx.x;
  const int x = peel(index, ceil_div(static_cast<int>(s.w), 32)) * 32 + threadIdx.x;
  const int y = peel(index, ceil_div(static_cast<int>(s.h), kWarps)) * kWarps + threadIdx.y;
  return {static_cast<int>(index), y, x};
}
inline int64_t pixel_grid(const RefocusShape& s, int64_t planes) {
  return planes * ceil_div<int64_t>(s.h, kWarps) * ceil_div<int64_t>(s.w, 32);
}

}  // namespace lfdeblur::cuda
