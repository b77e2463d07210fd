// Kernels of `dynamic_filter_separable`. A thread is an output or a pixel; the caches hold what threads read again.
#include "cuda/dynamic_filter_separable.h"
#include "cuda/filter_places.h"

namespace lfdeblur::cuda {
namespace {

template <class T>
__global__ void __launch_bounds__(kPlaceThreads, 4)
    dynamic_filter_separable_fwd_kernel(const T* __restrict__ x, const T* __restrict__ filters, T* __restrict__ out,
                                        const FilterGeometry s) {
  using R = acc_t<T>;
  const Output at(s, chunks(s));
  if (!at.live) return;
  const Origin origin(s, at.row, at.column);
  const int64_t c0 = static_cast<int64_t>(at.chunk) * kChunk;
  const T* vertical = filters + first_tap(s, s.filters, at.n, at.g, at.row, at.column);
  const T* horizontal = vertical + s.kernel_height * s.filters.t;
  const T* from = x + pixel(s.x, at.n, at.g, c0, 0, 0);
  R sum[kChunk] = {};
  for (int i = 0; i < s.kernel_height; ++i) {
    const int64_t py = shown(origin.y + i * s.dilation_y, s.x_height, s.border);
    if (py < 0) continue;
    R inner[kChunk] = {};
    for (int j = 0; j < s.kernel_width; ++j) {
      const int64_t px = shown(origin.x + j * s.dilation_x, s.x_width, s.border);
      if (px < 0) continue;
      const R tap = to_acc(horizontal[j * s.filters.t]);
#pragma unroll
      for (int c = 0; c < kChunk; ++c)
        if (c0 + c < s.channels) inner[c] += tap * to_acc(from[c * s.x.c + py * s.x.y + px * s.x.x]);
    }
    const R tap = to_acc(vertical[i * s.filters.t]);
#pragma unroll
    for (int c = 0; c < kChunk; ++c) sum[c] += tap * inner[c];
  }
  T* to = out + pixel(s.out, at.n, at.g, c0, at.row, at.column);
#pragma unroll
  for (int c = 0; c < kChunk; ++c)
    if (c0 + c < s.channels) to[c * s.out.c] = from_acc<T>(sum[c]);
}

// A vertical tap sees a row of the picture by the horizontal ones, and a horizontal tap a column by the vertical ones.
template <class T>
__global__ void __launch_bounds__(kPlaceThreads, 4)
    dynamic_filter_separable_grad_filters_kernel(const T* __restrict__ grad, const T* __restrict__ x,
                                                 const T* __restrict__ filters, T* __restrict__ grad_filters,
                                                 const FilterGeometry s) {
  using R = acc_t<T>;
  const Output at(s, 1);
  if (!at.live) return;
  const Origin origin(s, at.row, at.column);
  const T* by = grad + pixel(s.out, at.n, at.g, 0, at.row, at.column);
  const T* from = x + pixel(s.x, at.n, at.g, 0, 0, 0);
  const T* vertical = filters + first_tap(s, s.filters, at.n, at.g, at.row, at.column);
  const T* horizontal = vertical + s.kernel_height * s.filters.t;
  T* to_vertical = grad_filters + first_tap(s, s.grad_filters, at.n, at.g, at.row, at.column);
  T* to_horizontal = to_vertical + s.kernel_height * s.grad_filters.t;
  const auto seen = [&](int i, int j) {  // the gradient of the product of two taps
    const int64_t py = shown(origin.y + i * s.dilation_y, s.x_height, s.border);
    const int64_t px = shown(origin.x + j * s.dilation_x, s.x_width, s.border);
    R sum = 0;
    if (py >= 0 && px >= 0)
      for (int64_t c = 0; c < s.channels; ++c)
        sum += to_acc(by[c * s.out.c]) * to_acc(from[c * s.x.c + py * s.x.y + px * s.x.x]);
    return sum;
  };
  for (int i = 0; i < s.kernel_height; ++i) {
    R sum = 0;
    for (int j = 0; j < s.kernel_width; ++j) sum += to_acc(horizontal[j * s.filters.t]) * seen(i, j);
    to_vertical[i * s.grad_filters.t] = from_acc<T>(sum);
  }
  for (int j = 0; j < s.kernel_width; ++j) {
    R sum = 0;
    for (int i = 0; i < s.kernel_height; ++i) sum += to_acc(vertical[i * s.filters.t]) * seen(i, j);
    to_horizontal[j * s.grad_filters.t] = from_acc<T>(sum);
  }
}

// A pixel gathers from all outputs that read it, by itself or by the border that shows it.
template <class T>
__global__ void __launch_bounds__(kPlaceThreads, 4)
    dynamic_filter_separable_grad_x_kernel(const T* __restrict__ grad, const T* __restrict__ filters,
                                           T* __restrict__ grad_x, const FilterGeometry s) {
  using R = acc_t<T>;
  const Place at = place(s.x_height, s.x_width, chunks(s), s.groups);
  if (!at.live) return;
  const int64_t c0 = static_cast<int64_t>(at.chunk) * kChunk;
  const T* by = grad + pixel(s.out, at.n, at.g, c0, 0, 0);
  R sum[kChunk] = {};
  const Showing rows(at.y, s.x_height, s.pad_y(), s.border), columns(at.x, s.x_width, s.pad_x(), s.border);
  for (int64_t m = rows.first; m <= rows.last; ++m) {
    for (int i = 0; i < s.kernel_height; ++i) {
      const int y = position(rows.at(m) + s.pad_y() - i * s.dilation_y, 1, s.height);
      if (y < 0) continue;
      for (int64_t l = columns.first; l <= columns.last; ++l) {
#pragma unroll 1  // to keep the registers of strides few
        for (int j = 0; j < s.kernel_width; ++j) {
          const int x = position(columns.at(l) + s.pad_x() - j * s.dilation_x, 1, s.width);
          if (x < 0) continue;
          const T* taps = filters + first_tap(s, s.filters, at.n, at.g, y, x);
          const R weight = to_acc(taps[i * s.filters.t]) * to_acc(taps[(s.kernel_height + j) * s.filters.t]);
#pragma unroll
          for (int c = 0; c < kChunk; ++c)
            if (c0 + c < s.channels) sum[c] += weight * to_acc(by[c * s.out.c + y * s.out.y + x * s.out.x]);
        }
      }
    }
  }
  T* to = grad_x + pixel(s.x, at.n, at.g, c0, at.y, at.x);
#pragma unroll
  for (int c = 0; c < kChunk; ++c)
    if (c0 + c < s.channels) to[c * s.x.c] = from_acc<T>(sum[c]);
}

}  // namespace

template <class T>
cudaError_t dynamic_filter_separable(const T* x, const T* filters, T* out, const FilterGeometry& s,
                                     cudaStream_t stream) {
  return for_outputs(s, chunks(s), [&](dim3 blocks, dim3 threads) {
    return LFD_LAUNCH(dynamic_filter_separable_fwd_kernel<T>, blocks, threads, 0, stream, x, filters, out, s);
  });
}

template <class T>
cudaError_t dynamic_filter_separable_grad_filters(const T* grad, const T* x, const T* filters, T* grad_filters,
                                                  const FilterGeometry& s, cudaStream_t stream) {
  return for_outputs(s, 1, [&](dim3 blocks, dim3 threads) {
    return LFD_LAUNCH(dynamic_filter_separable_grad_filters_kernel<T>, blocks, threads, 0, stream, grad, x, filters,
                      grad_filters, s);
  });
}

template <class T>
cudaError_t dynamic_filter_separable_grad_x(const T* grad, const T* filters, T* grad_x, const FilterGeometry& s,
                                            cudaStream_t stream) {
  return for_places(s.x_height, s.x_width, s.n * s.groups * chunks(s), [&](dim3 blocks, dim3 threads) {
    return LFD_LAUNCH(dynamic_filter_separable_grad_x_kernel<T>, blocks, threads, 0, stream, grad, filters, grad_x, s);
  });
}

#define INSTANTIATE(T)                                                                                                \
  template cudaError_t dynamic_filter_separable(const T*, const T*, T*, const FilterGeometry&, cudaStream_t);         \
  template cudaError_t dynamic_filter_separable_grad_filters(const T*, const T*, const T*, T*, const FilterGeometry&, \
                                                             cudaStream_t);                                           \
  template cudaError_t dynamic_filter_separable_grad_x(const T*, const T*, T*, const FilterGeometry&, cudaStream_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)

}  // namespace lfdeblur::cuda
