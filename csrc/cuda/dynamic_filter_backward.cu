// Backward kernels of `dynamic_filter`, without atomics: the filters' gradient is written like the filters are read,
// the image's gradient gathers what the filters of the pixels around took from a pixel.
#include "cuda/dynamic_filter.h"
#include "cuda/dynamic_filter_tile.h"

namespace lfdeblur::cuda {
namespace {

// Any strides with VEC = 1; VEC > 1 wants `vectorizable`. K: the kernel size, or 0 for s.k.
template <class T, int K, int VEC>
__global__ void __launch_bounds__(kThreads, 4)
    dynamic_filter_grad_filters_kernel(const T* __restrict__ grad, const T* __restrict__ x,
                                       T* __restrict__ grad_filters, const DynamicFilterShape s) {
  using R = acc_t<T>;
  constexpr int batch = kBatch<K>;
  LFD_SHARED(shared);
  R* tile = reinterpret_cast<R*>(shared);
  const int k = K ? K : s.k;
  const TileShape shape = tile_shape(Block<VEC>::width, Block<VEC>::rows, k);
  const Position at = position(s, Block<VEC>::width, Block<VEC>::rows);
  const int px = at.x + threadIdx.x * VEC, py = at.y + threadIdx.y;
  const bool live = px < s.width && py < s.height;
  T* taps = grad_filters + at.n * s.fn + at.g * s.fg + py * s.fy + px * s.fx;
  const int64_t plane = s.height * s.width, first = at.image * s.channels * plane;

  for (int ky = 0; ky < k; ++ky) {
    for (int kx = 0; kx < k; kx += batch) {
      R sum[batch][VEC] = {};
      for (int64_t c0 = 0; c0 < s.channels; c0 += kChannels) {
        const int count = static_cast<int>(min(s.channels - c0, static_cast<int64_t>(kChannels)));
        if (s.channels > kChannels || (ky == 0 && kx == 0)) {  // few channels stay where they are
          __syncthreads();
          stage(x + first + c0 * plane, count, tile, shape, at.y - k / 2, at.x - k / 2, s, s.replicate);
          __syncthreads();
        }
        if (!live) continue;
        for (int c = 0; c < count; ++c) {
          R window[VEC + batch - 1];
          read_window<VEC>(tile + (c * shape.rows + threadIdx.y + ky) * shape.pitch + threadIdx.x * VEC + kx, window);
          const Pack<T, VEC> by = load<VEC>(grad + first + (c0 + c) * plane + py * s.width + px);
#pragma unroll
          for (int i = 0; i < batch; ++i)
#pragma unroll
            for (int p = 0; p < VEC; ++p)
              if (K || kx + i < k) sum[i][p] += to_acc(by.at[p]) * window[p + i];
        }
      }
      if (!live) continue;
#pragma unroll
      for (int i = 0; i < batch; ++i) {
        if (!K && kx + i >= k) continue;
        Pack<T, VEC> result;
#pragma unroll
        for (int p = 0; p < VEC; ++p) result.at[p] = from_acc<T>(sum[i][p]);
        store_once(taps + (ky * k + kx + i) * s.ft, result);
      }
    }
  }
}

// Channels-last filters: a thread is a pixel, a warp writes the taps of its run of pixels as one piece of memory.
template <class T>
__global__ void __launch_bounds__(kThreads, 4)
    dynamic_filter_grad_filters_channels_last_kernel(const T* __restrict__ grad, const T* __restrict__ x,
                                                     T* __restrict__ grad_filters, const DynamicFilterShape s) {
  using R = acc_t<T>;
  LFD_SHARED(shared);
  const int k = s.k, taps = k * k, rows = blockDim.y;
  const TileShape shape = tile_shape(kRun, rows, k);
  R* run = reinterpret_cast<R*>(shared) + threadIdx.y * kRun * taps;
  R* tile = reinterpret_cast<R*>(shared) + rows * kRun * taps;
  const Position at = position(s, kRun, rows);
  const int px = at.x + threadIdx.x, py = at.y + threadIdx.y;
  const int64_t plane = s.height * s.width, first = at.image * s.channels * plane;

  for (int64_t c0 = 0; c0 < s.channels; c0 += kChannels) {
    const int count = static_cast<int>(min(s.channels - c0, static_cast<int64_t>(kChannels)));
    if (c0) __syncthreads();
    stage(x + first + c0 * plane, count, tile, shape, at.y - k / 2, at.x - k / 2, s, s.replicate);
    __syncthreads();
    if (px >= s.width || py >= s.height) continue;
    R by[kChannels];
#pragma unroll
    for (int c = 0; c < kChannels; ++c)
      by[c] = c < count ? to_acc(grad[first + (c0 + c) * plane + py * s.width + px]) : R(0);
    R* tap = run + threadIdx.x * taps;
    for (int ky = 0; ky < k; ++ky) {
      const R* row = tile + (threadIdx.y + ky) * shape.pitch + threadIdx.x;
#pragma unroll 4
      for (int kx = 0; kx < k; ++kx) {
        R sum = c0 ? tap[ky * k + kx] : R(0);
#pragma unroll
        for (int c = 0; c < kChannels; ++c)
          if (c < count) sum += by[c] * row[c * shape.rows * shape.pitch + kx];
        tap[ky * k + kx] = sum;
      }
    }
  }
  __syncthreads();
  if (py >= s.height) return;
  T* to = grad_filters + at.n * s.fn + at.g * s.fg + py * s.fy + at.x * s.fx;
  const int pixels = static_cast<int>(min(s.width - at.x, static_cast<int64_t>(kRun)));
  if (s.fx == taps) {
    const int whole = aligned16(to) ? pixels * taps / kVector<T> * kVector<T> : 0;
    for (int i = threadIdx.x * kVector<T>; i < whole; i += kRun * kVector<T>) {
      Pack<T, kVector<T>> result;
#pragma unroll
      for (int j = 0; j < kVector<T>; ++j) result.at[j] = from_acc<T>(run[i + j]);
      store_once(to + i, result);
    }
    for (int i = whole + threadIdx.x; i < pixels * taps; i += kRun) to[i] = from_acc<T>(run[i]);
  } else {
    for (int p = 0; p < pixels; ++p)
      for (int i = threadIdx.x; i < taps; i += kRun) to[p * s.fx + i] = from_acc<T>(run[p * taps + i]);
  }
}

// A thread is a pixel. The tile holds the output's gradient, zero outside the image. With border `replicate` the
// border pixels also gather what was taken from the positions outside that they stand for.
template <class T, int K>
__global__ void __launch_bounds__(kThreads, 4)
    dynamic_filter_grad_x_kernel(const T* __restrict__ grad, const T* __restrict__ filters, T* __restrict__ grad_x,
                                 const DynamicFilterShape s) {
  using R = acc_t<T>;
  constexpr int batch = kBatch<K>;
  LFD_SHARED(shared);
  R* tile = reinterpret_cast<R*>(shared);
  const int k = K ? K : s.k, r = k / 2;
  const int height = static_cast<int>(s.height), width = static_cast<int>(s.width);
  const TileShape shape = tile_shape(Block<1>::width, Block<1>::rows, k);
  const Position at = position(s, Block<1>::width, Block<1>::rows);
  const int px = at.x + threadIdx.x, py = at.y + threadIdx.y;
  const T* taps = filters + at.n * s.fn + at.g * s.fg;
  const int64_t plane = s.height * s.width, first = at.image * s.channels * plane;

  for (int64_t c0 = 0; c0 < s.channels; c0 += kChannels) {
    const int count = static_cast<int>(min(s.channels - c0, static_cast<int64_t>(kChannels)));
    R sum[kChannels] = {};
    if (c0) __syncthreads();
    stage(grad + first + c0 * plane, count, tile, shape, at.y - r, at.x - r, s, false);
    __syncthreads();
    if (px >= width || py >= height) continue;
    const int top = s.replicate && py == 0 ? -r : py, bottom = s.replicate && py == height - 1 ? height - 1 + r : py;
    const int left = s.replicate && px == 0 ? -r : px, right = s.replicate && px == width - 1 ? width - 1 + r : px;
    for (int qy = top; qy <= bottom; ++qy) {
      for (int qx = left; qx <= right; ++qx) {
#pragma unroll 1
        for (int ky = 0; ky < k; ++ky) {
          const int oy = qy - ky + r;  // the pixel whose tap (ky, kx) lies on (qy, qx)
          if (oy < 0 || oy >= height) continue;
          const R* row = tile + (oy - at.y + r) * shape.pitch - at.x + r;
#pragma unroll 1
          for (int kx = 0; kx < k; kx += batch) {
            R tap[batch];
#pragma unroll
            for (int i = 0; i < batch; ++i) {
              const int ox = qx - kx - i + r;
              const bool inside = ox >= 0 && ox < width && (K || kx + i < k);
              tap[i] = inside ? to_acc(taps[(ky * k + kx + i) * s.ft + oy * s.fy + ox * s.fx]) : R(0);
            }
#pragma unroll
            for (int i = 0; i < batch; ++i) {
              const int ox = qx - kx - i + r;
              if (ox < 0 || ox >= width || (!K && kx + i >= k)) continue;
#pragma unroll
              for (int c = 0; c < kChannels; ++c)
                if (c < count) sum[c] += tap[i] * row[c * shape.rows * shape.pitch + ox];
            }
          }
        }
      }
    }
#pragma unroll
    for (int c = 0; c < kChannels; ++c)
      if (c < count) grad_x[first + (c0 + c) * plane + static_cast<int64_t>(py) * width + px] = from_acc<T>(sum[c]);
  }
}

template <int VEC, class T>
cudaError_t launch_grad_filters(const T* grad, const T* x, T* grad_filters, const DynamicFilterShape& s,
                                cudaStream_t stream) {
  using B = Block<VEC>;
  const int64_t blocks = grid_size(s, B::width, B::rows);
  if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
  const int64_t shared = tile_bytes<acc_t<T>>(tile_shape(B::width, B::rows, s.k), s.channels);
  return for_kernel_size(s.k, [&](auto k) {
    const auto kernel = dynamic_filter_grad_filters_kernel<T, decltype(k)::value, VEC>;
    return LFD_LAUNCH(kernel, dim3(blocks), dim3(B::lanes, B::rows), shared, stream, grad, x, grad_filters, s);
  });
}

template <class T>
cudaError_t grad_filters_of(const T* grad, const T* x, T* grad_filters, const DynamicFilterShape& s,
                            cudaStream_t stream) {
  using R = acc_t<T>;
  if (const int rows = channels_last_rows<R>(s, sizeof(R))) {
    const int64_t blocks = grid_size(s, kRun, rows);
    if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
    const int64_t shared = rows * kRun * s.k * s.k * static_cast<int64_t>(sizeof(R)) +
                           tile_bytes<R>(tile_shape(kRun, rows, s.k), s.channels);
    return LFD_LAUNCH(dynamic_filter_grad_filters_channels_last_kernel<T>, dim3(blocks), dim3(kRun, rows), shared,
                      stream, grad, x, grad_filters, s);
  }
  return vectorizable<T>(grad, grad, grad_filters, s)
             ? launch_grad_filters<kVector<T>>(grad, x, grad_filters, s, stream)
             : launch_grad_filters<1>(grad, x, grad_filters, s, stream);
}

template <class T>
cudaError_t grad_x_of(const T* grad, const T* filters, T* grad_x, const DynamicFilterShape& s, cudaStream_t stream) {
  using B = Block<1>;
  const int64_t blocks = grid_size(s, B::width, B::rows);
  if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
  const int64_t shared = tile_bytes<acc_t<T>>(tile_shape(B::width, B::rows, s.k), s.channels);
  return for_kernel_size(s.k, [&](auto k) {
    const auto kernel = dynamic_filter_grad_x_kernel<T, decltype(k)::value>;
    return LFD_LAUNCH(kernel, dim3(blocks), dim3(B::lanes, B::rows), shared, stream, grad, filters, grad_x, s);
  });
}

}  // namespace

template <class T>
cudaError_t dynamic_filter_backward(const T* grad, const T* x, const T* filters, T* grad_x, T* grad_filters,
                                    const DynamicFilterShape& s, cudaStream_t stream) {
  cudaError_t error = cudaSuccess;
  if (grad_filters) error = grad_filters_of(grad, x, grad_filters, s, stream);
  if (grad_x && error == cudaSuccess) error = grad_x_of(grad, filters, grad_x, s, stream);
  return error;
}

#define INSTANTIATE(T)                                                                                          \
  template cudaError_t dynamic_filter_backward(const T*, const T*, const T*, T*, T*, const DynamicFilterShape&, \
                                               cudaStream_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)

}  // namespace lfdeblur::cuda
