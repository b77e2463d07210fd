// Kernels of `dynamic_filter` for what the tiled ones do not serve: any strides, border, dilation, stride, scale and
// normalisation. A thread is an output or a pixel; nothing is shared, the caches hold what threads read again.
#include <cmath>
#include <limits>

#include "cuda/dynamic_filter_general.h"
#include "cuda/filter_places.h"

namespace lfdeblur::cuda {
namespace {

template <class R>
inline constexpr R kLowest = std::numeric_limits<R>::lowest();

// Normalisation in one pass over the taps.
template <class R>
struct Running {
  Normalize normalize;
  R shift, total;

  __device__ __forceinline__ explicit Running(Normalize how) : normalize(how), shift(kLowest<R>), total(0) {}

  // The tap's part before it is divided by the sum of them all. rescale(factor): what was added up becomes so much
  // less.
  template <class F>
  __device__ __forceinline__ R add(R tap, const F& rescale) {
    if (normalize == Normalize::softmax) {
      if (tap > shift) {
        const R less = std::exp(shift - tap);
        total *= less;
        rescale(less);
        shift = tap;
      }
      tap = std::exp(tap - shift);
    }
    total += tap;
    return tap;
  }
  __device__ __forceinline__ R factor() const {
    if (normalize == Normalize::none) return R(1);
    return R(1) / (normalize == Normalize::sum ? total + R(kNormalizeEpsilon) : total);
  }
};

template <class T>
__global__ void __launch_bounds__(kPlaceThreads)
    dynamic_filter_general_fwd_kernel(const T* __restrict__ x, const T* __restrict__ filters, T* __restrict__ out,
                                      const FilterGeometry s) {
  using R = acc_t<T>;
  const Output at(s, chunks(s));
  if (!at.live) return;
  const Origin origin(s, at.row, at.column);
  const int64_t c0 = static_cast<int64_t>(at.chunk) * kChunk;
  const T* taps = filters + first_tap(s, s.filters, at.n, at.g, at.row, at.column);
  const T* from = x + pixel(s.x, at.n, at.g, c0, 0, 0);
  R sum[kChunk] = {};
  Running<R> running(s.normalize);
  for (int i = 0; i < s.kernel_height; ++i) {
    const int64_t py = shown(origin.y + i * s.dilation_y, s.x_height, s.border);
    for (int j = 0; j < s.kernel_width; ++j, taps += s.filters.t) {
      const R weight = running.add(to_acc(*taps), [&](R less) {
#pragma unroll
        for (int c = 0; c < kChunk; ++c) sum[c] *= less;
      });
      const int64_t px = shown(origin.x + j * s.dilation_x, s.x_width, s.border);
      if (py < 0 || px < 0) continue;
#pragma unroll
      for (int c = 0; c < kChunk; ++c)
        if (c0 + c < s.channels) sum[c] += weight * to_acc(from[c * s.x.c + py * s.x.y + px * s.x.x]);
    }
  }
  const R factor = running.factor();
  T* to = out + pixel(s.out, at.n, at.g, c0, at.row, at.column);
#pragma unroll
  for (int c = 0; c < kChunk; ++c)
    if (c0 + c < s.channels) to[c * s.out.c] = from_acc<T>(sum[c] * factor);
}

template <class T>
__global__ void __launch_bounds__(kPlaceThreads)
    dynamic_filter_general_measure_kernel(const T* __restrict__ filters, acc_t<T>* __restrict__ shift,
                                          acc_t<T>* __restrict__ factor, const FilterGeometry s) {
  const Output at(s, 1);
  if (!at.live) return;
  const T* taps = filters + first_tap(s, s.filters, at.n, at.g, at.row, at.column);
  Running<acc_t<T>> running(s.normalize);
  for (int t = 0; t < s.taps(); ++t, taps += s.filters.t) running.add(to_acc(*taps), [](acc_t<T>) {});
  const int64_t output =
      ((static_cast<int64_t>(at.n) * s.groups + at.g) * s.output_height() + at.row) * s.output_width() + at.column;
  shift[output] = running.shift;
  factor[output] = running.factor();
}

// With w the weights and d the gradients of those: none d, softmax w * (d - sum w d), sum (d - sum w d) / sum. The
// gradients are found twice where they are normalised: a thread has no room for those of all taps.
template <class T>
__global__ void __launch_bounds__(kPlaceThreads)
    dynamic_filter_general_grad_filters_kernel(const T* __restrict__ grad, const T* __restrict__ x,
                                               const T* __restrict__ filters, T* __restrict__ grad_filters,
                                               const FilterGeometry s) {
  using R = acc_t<T>;
  const Output at(s, 1);
  if (!at.live) return;
  const Origin origin(s, at.row, at.column);
  const T* by = grad + pixel(s.out, at.n, at.g, 0, at.row, at.column);
  const T* from = x + pixel(s.x, at.n, at.g, 0, 0, 0);
  R held[kChunk];
#pragma unroll
  for (int c = 0; c < kChunk; ++c) held[c] = c < s.channels ? to_acc(by[c * s.out.c]) : R(0);
  const auto each = [&](const auto& f) {  // f(the tap's number, the gradient of its weight)
    for (int i = 0; i < s.kernel_height; ++i) {
      const int64_t py = shown(origin.y + i * s.dilation_y, s.x_height, s.border);
      for (int j = 0; j < s.kernel_width; ++j) {
        const int64_t px = shown(origin.x + j * s.dilation_x, s.x_width, s.border);
        R sum = 0;
        if (py >= 0 && px >= 0) {
          const T* seen = from + py * s.x.y + px * s.x.x;
#pragma unroll
          for (int c = 0; c < kChunk; ++c)
            if (c < s.channels) sum += held[c] * to_acc(seen[c * s.x.c]);
          for (int64_t c = kChunk; c < s.channels; ++c) sum += to_acc(by[c * s.out.c]) * to_acc(seen[c * s.x.c]);
        }
        f(i * s.kernel_width + j, sum);
      }
    }
  };
  T* to = grad_filters + first_tap(s, s.grad_filters, at.n, at.g, at.row, at.column);
  const int64_t step = s.grad_filters.t;
  if (s.normalize == Normalize::none) return each([&](int t, R d) { to[t * step] = from_acc<T>(d); });
  const T* taps = filters + first_tap(s, s.filters, at.n, at.g, at.row, at.column);
  const bool softmax = s.normalize == Normalize::softmax;
  Running<R> running(s.normalize);
  R mean = 0;
  each([&](int t, R d) { mean += d * running.add(to_acc(taps[t * s.filters.t]), [&](R less) { mean *= less; }); });
  const R factor = running.factor();
  mean *= factor;
  each([&](int t, R d) {
    const R times = softmax ? std::exp(to_acc(taps[t * s.filters.t]) - running.shift) * factor : factor;
    to[t * step] = from_acc<T>(times * (d - mean));
  });
}

// A pixel gathers from all outputs that read it, by itself or by the border that shows it.
template <class T>
__global__ void __launch_bounds__(kPlaceThreads, 4)
    dynamic_filter_general_grad_x_kernel(const T* __restrict__ grad, const T* __restrict__ filters,
                                         const acc_t<T>* __restrict__ shift, const acc_t<T>* __restrict__ factor,
                                         T* __restrict__ grad_x, const FilterGeometry s) {
  using R = acc_t<T>;
  const Place at = place(s.x_height, s.x_width, chunks(s), s.groups);
  if (!at.live) return;
  const int64_t c0 = static_cast<int64_t>(at.chunk) * kChunk;
  const T* by = grad + pixel(s.out, at.n, at.g, c0, 0, 0);
  const int64_t measured = (static_cast<int64_t>(at.n) * s.groups + at.g) * s.output_height() * s.output_width();
  const int scale = static_cast<int>(s.scale);
  R sum[kChunk] = {};
  const auto add = [&](int t, int row, int column) {
    R weight = to_acc(filters[first_tap(s, s.filters, at.n, at.g, row, column) + t * s.filters.t]);
    if (s.normalize != Normalize::none) {
      const int64_t output = measured + row * s.output_width() + column;
      if (s.normalize == Normalize::softmax) weight = std::exp(weight - shift[output]);
      weight *= factor[output];
    }
#pragma unroll
    for (int c = 0; c < kChunk; ++c)
      if (c0 + c < s.channels) sum[c] += weight * to_acc(by[c * s.out.c + row * s.out.y + column * s.out.x]);
  };
  const Showing rows(at.y, s.x_height, s.pad_y(), s.border), columns(at.x, s.x_width, s.pad_x(), s.border);
  for (int64_t m = rows.first; m <= rows.last; ++m) {
    for (int i = 0; i < s.kernel_height; ++i) {
      const int y = position(rows.at(m) + s.pad_y() - i * s.dilation_y, s.stride_y, s.height);
      if (y < 0) continue;
      for (int64_t l = columns.first; l <= columns.last; ++l) {
#pragma unroll 1  // to keep the registers of strides few
        for (int j = 0; j < s.kernel_width; ++j) {
          const int x = position(columns.at(l) + s.pad_x() - j * s.dilation_x, s.stride_x, s.width);
          if (x < 0) continue;
          for (int row = y * scale; row < (y + 1) * scale; ++row)
#pragma unroll 1
            for (int column = x * scale; column < (x + 1) * scale; ++column) add(i * s.kernel_width + j, row, column);
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
cudaError_t dynamic_filter_general(const T* x, const T* filters, T* out, const FilterGeometry& s, cudaStream_t stream) {
  return for_outputs(s, chunks(s), [&](dim3 blocks, dim3 threads) {
    return LFD_LAUNCH(dynamic_filter_general_fwd_kernel<T>, blocks, threads, 0, stream, x, filters, out, s);
  });
}

template <class T>
cudaError_t dynamic_filter_general_measure(const T* filters, acc_t<T>* shift, acc_t<T>* factor, const FilterGeometry& s,
                                           cudaStream_t stream) {
  return for_outputs(s, 1, [&](dim3 blocks, dim3 threads) {
    return LFD_LAUNCH(dynamic_filter_general_measure_kernel<T>, blocks, threads, 0, stream, filters, shift, factor, s);
  });
}

template <class T>
cudaError_t dynamic_filter_general_grad_filters(const T* grad, const T* x, const T* filters, T* grad_filters,
                                                const FilterGeometry& s, cudaStream_t stream) {
  return for_outputs(s, 1, [&](dim3 blocks, dim3 threads) {
    return LFD_LAUNCH(dynamic_filter_general_grad_filters_kernel<T>, blocks, threads, 0, stream, grad, x, filters,
                      grad_filters, s);
  });
}

template <class T>
cudaError_t dynamic_filter_general_grad_x(const T* grad, const T* filters, const acc_t<T>* shift,
                                          const acc_t<T>* factor, T* grad_x, const FilterGeometry& s,
                                          cudaStream_t stream) {
  return for_places(s.x_height, s.x_width, s.n * s.groups * chunks(s), [&](dim3 blocks, dim3 threads) {
    return LFD_LAUNCH(dynamic_filter_general_grad_x_kernel<T>, blocks, threads, 0, stream, grad, filters, shift, factor,
                      grad_x, s);
  });
}

#define INSTANTIATE(T)                                                                                              \
  template cudaError_t dynamic_filter_general(const T*, const T*, T*, const FilterGeometry&, cudaStream_t);         \
  template cudaError_t dynamic_filter_general_measure(const T*, acc_t<T>*, acc_t<T>*, const FilterGeometry&,        \
                                                      cudaStream_t);                                                \
  template cudaError_t dynamic_filter_general_grad_filters(const T*, const T*, const T*, T*, const FilterGeometry&, \
                                                           cudaStream_t);                                           \
  template cudaError_t dynamic_filter_general_grad_x(const T*, const T*, const acc_t<T>*, const acc_t<T>*, T*,      \
                                                     const FilterGeometry&, cudaStream_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)

}  // namespace lfdeblur::cuda
