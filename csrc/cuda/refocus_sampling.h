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
__device__ __forceinline__ void tap_weights(Interpolation interpolation, R f, R (&w)[N]) {
  if constexpr (N == 4) {
    Taps<Interpolation::bicubic>::weights(f, w);
  } else {
    Taps<Interpolation::bilinear>::weights(interpolation == Interpolation::nearest ? (f < R(0.5) ? R(0) : R(1)) : f, w);
  }
}
template <int N, class R>
__device__ __forceinline__ void tap_slopes(Interpolation interpolation, R f, R (&slope)[N]) {
  if constexpr (N == 4) {
    Taps<Interpolation::bicubic>::slopes(f, slope);
  } else {
    slope[1] = interpolation == Interpolation::nearest ? R(0) : R(1);
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
__device__ __forceinline__ R disparity_at(const R* disparity, const RefocusShape& s, int64_t d, int y, int x) {
  return disparity[s.map ? (d * s.h + y) * s.w + x : d];
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
