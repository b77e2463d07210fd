// Forward kernels of `dynamic_filter`. Almost all of the traffic is filters, each read once: the kernels keep 16-byte
// reads of them in flight and take the image, staged once per block with its border, from shared memory.
#include "cuda/dynamic_filter.h"
#include "cuda/dynamic_filter_tile.h"

namespace lfdeblur::cuda {
namespace {

// Any strides with VEC = 1; VEC > 1 wants `vectorizable`. K: the kernel size, or 0 for s.k.
template <class T, int K, int VEC>
__global__ void __launch_bounds__(kThreads, VEC == 8 ? 3 : 4)
    dynamic_filter_fwd_kernel(const T* __restrict__ x, const T* __restrict__ filters, T* __restrict__ out,
                              const DynamicFilterShape s) {
  using R = acc_t<T>;
  using Taps = Pack<T, VEC>;
  constexpr int batch = kBatch<K>;
  LFD_SHARED(shared);
  R* tile = reinterpret_cast<R*>(shared);
  const int k = K ? K : s.k;
  const TileShape shape = tile_shape(Block<VEC>::width, Block<VEC>::rows, k);
  const Position at = position(s, Block<VEC>::width, Block<VEC>::rows);
  const int px = at.x + threadIdx.x * VEC, py = at.y + threadIdx.y;
  const bool live = px < s.width && py < s.height;
  const T* taps = filters + at.n * s.fn + at.g * s.fg + py * s.fy + px * s.fx;
  const int64_t plane = s.height * s.width, first = at.image * s.channels * plane;

  const auto load_taps = [&](Taps(&to)[batch], int ky, int kx) {
#pragma unroll
    for (int i = 0; i < batch; ++i)
      if (K || kx + i < k) to[i] = load_once<VEC>(taps + (ky * k + kx + i) * s.ft);
  };
  for (int64_t c0 = 0; c0 < s.channels; c0 += kChannels) {
    const int count = static_cast<int>(min(s.channels - c0, static_cast<int64_t>(kChannels)));
    R sum[kChannels][VEC] = {};
    Taps now[batch], next[batch];
    if (live) load_taps(next, 0, 0);  // in flight while the tile is staged
    if (c0) __syncthreads();
    stage(x + first + c0 * plane, count, tile, shape, at.y - k / 2, at.x - k / 2, s, s.replicate);
    __syncthreads();
    if (!live) continue;
    for (int ky = 0, kx = 0; ky < k;) {
#pragma unroll
      for (int i = 0; i < batch; ++i) now[i] = next[i];
      const bool row_ends = kx + batch >= k;
      const int next_ky = ky + row_ends, next_kx = row_ends ? 0 : kx + batch;
      if (next_ky < k) load_taps(next, next_ky, next_kx);
#pragma unroll
      for (int c = 0; c < kChannels; ++c) {
        if (c >= count) continue;
        R window[VEC + batch - 1];
        read_window<VEC>(tile + (c * shape.rows + threadIdx.y + ky) * shape.pitch + threadIdx.x * VEC + kx, window);
#pragma unroll
        for (int i = 0; i < batch; ++i)
          if (K || kx + i < k)
#pragma unroll
            for (int p = 0; p < VEC; ++p) sum[c][p] += to_acc(now[i].at[p]) * window[p + i];
      }
      ky = next_ky;
      kx = next_kx;
    }
#pragma unroll
    for (int c = 0; c < kChannels; ++c) {
      if (c >= count) continue;
      Taps result;
#pragma unroll
      for (int p = 0; p < VEC; ++p) result.at[p] = from_acc<T>(sum[c][p]);
      store_once(out + first + (c0 + c) * plane + py * s.width + px, result);
    }
  }
}

// Channels-last filters: a warp reads the taps of a run of pixels as one piece of memory; then a thread is a pixel.
template <class T>
__global__ void __launch_bounds__(kThreads, 4)
    dynamic_filter_fwd_channels_last_kernel(const T* __restrict__ x, const T* __restrict__ filters, T* __restrict__ out,
                                            const DynamicFilterShape s) {
  using R = acc_t<T>;
  LFD_SHARED(shared);
  const int k = s.k, taps = k * k, rows = blockDim.y;
  const TileShape shape = tile_shape(kRun, rows, k);
  T* run = reinterpret_cast<T*>(shared) + threadIdx.y * kRun * taps;
  R* tile = reinterpret_cast<R*>(shared + rows * kRun * taps * sizeof(T));
  const Position at = position(s, kRun, rows);
  const int px = at.x + threadIdx.x, py = at.y + threadIdx.y;
  const int64_t plane = s.height * s.width, first = at.image * s.channels * plane;

  if (py < s.height) {
    const T* from = filters + at.n * s.fn + at.g * s.fg + py * s.fy + at.x * s.fx;
    const int pixels = static_cast<int>(min(s.width - at.x, static_cast<int64_t>(kRun)));
    if (s.fx == taps) {
      const int whole = aligned16(from) ? pixels * taps / kVector<T> * kVector<T> : 0;
#pragma unroll 4
      for (int i = threadIdx.x * kVector<T>; i < whole; i += kRun * kVector<T>)
        *reinterpret_cast<Pack<T, kVector<T>>*>(run + i) = load_once<kVector<T>>(from + i);
      for (int i = whole + threadIdx.x; i < pixels * taps; i += kRun) run[i] = from[i];
    } else {
      for (int p = 0; p < pixels; ++p)
        for (int i = threadIdx.x; i < taps; i += kRun) run[p * taps + i] = from[p * s.fx + i];
    }
  }
  for (int64_t c0 = 0; c0 < s.channels; c0 += kChannels) {
    const int count = static_cast<int>(min(s.channels - c0, static_cast<int64_t>(kChannels)));
    R sum[kChannels] = {};
    if (c0) __syncthreads();
    stage(x + first + c0 * plane, count, tile, shape, at.y - k / 2, at.x - k / 2, s, s.replicate);
    __syncthreads();
    if (px >= s.width || py >= s.height) continue;
    const T* tap = run + threadIdx.x * taps;
    for (int ky = 0; ky < k; ++ky) {
      const R* row = tile + (threadIdx.y + ky) * shape.pitch + threadIdx.x;
#pragma unroll 4
      for (int kx = 0; kx < k; ++kx) {
        const R weight = to_acc(tap[ky * k + kx]);
#pragma unroll
        for (int c = 0; c < kChannels; ++c)
          if (c < count) sum[c] += weight * row[c * shape.rows * shape.pitch + kx];
      }
    }
#pragma unroll
    for (int c = 0; c < kChannels; ++c)
      if (c < count) out[first + (c0 + c) * plane + py * s.width + px] = from_acc<T>(sum[c]);
  }
}

template <int VEC, class T>
cudaError_t launch_planar(const T* x, const T* filters, T* out, const DynamicFilterShape& s, cudaStream_t stream) {
  using B = Block<VEC>;
  const int64_t blocks = grid_size(s, B::width, B::rows);
  if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
  const int64_t shared = tile_bytes<acc_t<T>>(tile_shape(B::width, B::rows, s.k), s.channels);
  return for_kernel_size(s.k, [&](auto k) {
    const auto kernel = dynamic_filter_fwd_kernel<T, decltype(k)::value, VEC>;
    return LFD_LAUNCH(kernel, dim3(blocks), dim3(B::lanes, B::rows), shared, stream, x, filters, out, s);
  });
}

}  // namespace

template <class T>
cudaError_t dynamic_filter(const T* x, const T* filters, T* out, const DynamicFilterShape& s, cudaStream_t stream) {
  if (const int rows = channels_last_rows<acc_t<T>>(s, sizeof(T))) {
    const int64_t blocks = grid_size(s, kRun, rows);
    if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
    const int64_t shared = rows * kRun * s.k * s.k * static_cast<int64_t>(sizeof(T)) +
                           tile_bytes<acc_t<T>>(tile_shape(kRun, rows, s.k), s.channels);
    return LFD_LAUNCH(dynamic_filter_fwd_channels_last_kernel<T>, dim3(blocks), dim3(kRun, rows), shared, stream, x,
                      filters, out, s);
  }
  return vectorizable(x, out, filters, s) ? launch_planar<kVector<T>>(x, filters, out, s, stream)
                                          : launch_planar<1>(x, filters, out, s, stream);
}

#define INSTANTIATE(T) \
  template cudaError_t dynamic_filter(const T*, const T*, T*, const DynamicFilterShape&, cudaStream_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)

}  // namespace lfdeblur::cuda
