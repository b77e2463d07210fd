// Backward kernels of `dynamic_filter`, without atomics: the filters' gradient is written like the filters are read,
// the image's gradient gathers what the filters of the pixels around took from a pixel.
#include "cuda/dynamic_filter.h"
#include "cuda/dynamic_filter_tile.h"

namespace lfdeblur::cuda {
namespace {

constexpr int kStripRows = 16;  // sweep: 8 24 32
constexpr int kWideLanes = 30;  // of a warp: those that have neighbours on both sides
constexpr unsigned kWholeWarp = 0xffffffffu;

// What a strip holds of the output's gradient; the filters follow it in shared memory, aligned.
template <class R, int K>
constexpr int64_t strip_gradient_bytes = (kChannels * (kThreads + K - 1) * int64_t{sizeof(R)} + 15) / 16 * 16;

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

// Any other filters. A thread is a pixel. The tile holds the output's gradient, zero outside the image. With border
// `replicate` the border pixels also gather what was taken from the positions outside that they stand for.
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

// Planar filters that are `vectorizable`, K <= 7: each is read once, 16 bytes at a time. A thread spreads what the VEC
// filters it reads took from the pixels around over a window of VEC + K - 1 sums; neighbouring lanes then exchange the
// overhangs, so that the outer lanes of a warp only help the others.
template <class T, int K>
__global__ void __launch_bounds__(kThreads, sizeof(T) == 2 ? 3 : 4)
    dynamic_filter_grad_x_wide_kernel(const T* __restrict__ grad, const T* __restrict__ filters, T* __restrict__ grad_x,
                                      const DynamicFilterShape s) {
  using R = acc_t<T>;
  constexpr int vec = kVector<T>, r = K / 2;
  static_assert(r <= vec, "an overhang reaches the next lane only");
  const int height = static_cast<int>(s.height), width = static_cast<int>(s.width);
  const Position at = position(s, kWideLanes * vec, kThreads / 32);
  const int x = at.x + (static_cast<int>(threadIdx.x) - 1) * vec, y = at.y + threadIdx.y;
  if (y >= height) return;
  const bool live = x >= 0 && x < width;
  const T* taps = filters + at.n * s.fn + at.g * s.fg + x;
  const int64_t plane = s.height * s.width, first = at.image * s.channels * plane;
  const int top = s.replicate && y == 0 ? -r : y, bottom = s.replicate && y == height - 1 ? height - 1 + r : y;

  for (int64_t c0 = 0; c0 < s.channels; c0 += kChannels) {
    const int count = static_cast<int>(min(s.channels - c0, static_cast<int64_t>(kChannels)));
    R sum[kChannels][vec + K - 1] = {};
    for (int qy = top; live && qy <= bottom; ++qy) {
#pragma unroll 1
      for (int ky = 0; ky < K; ++ky) {
        const int row = qy - ky + r;
        if (row < 0 || row >= height) continue;
        Pack<T, vec> tap[K], by[kChannels];
#pragma unroll
        for (int kx = 0; kx < K; ++kx) tap[kx] = load_once<vec>(taps + (ky * K + kx) * s.ft + row * s.fy);
#pragma unroll
        for (int c = 0; c < kChannels; ++c)
          if (c < count) by[c] = load<vec>(grad + first + (c0 + c) * plane + static_cast<int64_t>(row) * width + x);
#pragma unroll
        for (int c = 0; c < kChannels; ++c) {
          if (c >= count) continue;
#pragma unroll
          for (int kx = 0; kx < K; ++kx)
#pragma unroll
            for (int i = 0; i < vec; ++i) sum[c][i + kx] += to_acc(tap[kx].at[i]) * to_acc(by[c].at[i]);
        }
      }
    }
#pragma unroll
    for (int c = 0; c < kChannels; ++c) {
      if (c >= count) continue;
      R result[vec], outside = 0;
#pragma unroll
      for (int i = 0; i < vec; ++i) result[i] = sum[c][r + i];
#pragma unroll
      for (int i = 0; i < r; ++i) {
        result[i] += __shfl_up_sync(kWholeWarp, sum[c][r + vec + i], 1);
        result[vec - r + i] += __shfl_down_sync(kWholeWarp, sum[c][i], 1);
      }
#pragma unroll
      for (int i = 0; i < vec; ++i) outside += result[i];  // of lanes outside of the image: its border stands for them
      const R before = __shfl_up_sync(kWholeWarp, outside, 1), behind = __shfl_down_sync(kWholeWarp, outside, 1);
      if (s.replicate && x == 0) result[0] += before;
      if (s.replicate && x + vec == width) result[vec - 1] += behind;
      if (!live || threadIdx.x == 0 || threadIdx.x == 31) continue;
      Pack<T, vec> pack;
#pragma unroll
      for (int i = 0; i < vec; ++i) pack.at[i] = from_acc<T>(result[i]);
      store_once(grad_x + first + (c0 + c) * plane + static_cast<int64_t>(y) * width + x, pack);
    }
  }
}

// Channels-last filters, K <= 7: a thread is a column of a strip of the image. The strip's rows of filters pass through
// shared memory one after the other, each read once; the sums of the K rows of pixels that they reach move along.
template <class T, int K>
__global__ void __launch_bounds__(kThreads, 4)
    dynamic_filter_grad_x_channels_last_kernel(const T* __restrict__ grad, const T* __restrict__ filters,
                                               T* __restrict__ grad_x, const DynamicFilterShape s) {
  using R = acc_t<T>;
  constexpr int r = K / 2, taps = K * K, columns = kThreads + K - 1;
  LFD_SHARED(shared);
  R* by = reinterpret_cast<R*>(shared);  // the output's gradient in a row, [channels, columns]
  const int height = static_cast<int>(s.height), width = static_cast<int>(s.width), thread = threadIdx.x;
  const Position at = position(s, kThreads, kStripRows);
  const int x = at.x + thread, end = min(at.y + kStripRows, height);
  const int first_row = max(at.y - r, 0), last_row = min(end - 1 + r, height - 1);
  const int first_column = max(at.x - r, 0), held = min(at.x + kThreads + r, width) - first_column;
  // Positions outside of the image count for the border that stands for them.
  const int top = s.replicate && at.y == 0 ? -r : at.y, bottom = s.replicate && end == height ? end - 1 + r : end - 1;
  const int left = s.replicate && x == 0 ? -r : x, right = s.replicate && x == width - 1 ? x + r : x;
  const int64_t plane = s.height * s.width, first = at.image * s.channels * plane;

  for (int64_t c0 = 0; c0 < s.channels; c0 += kChannels) {
    const int count = static_cast<int>(min(s.channels - c0, static_cast<int64_t>(kChannels)));
    R sum[K][kChannels] = {};  // of the rows of pixels from q on
    const auto finish_row = [&](int q) {
#pragma unroll
      for (int c = 0; c < kChannels; ++c) {
        if (c < count && q >= at.y && x < width)
          grad_x[first + (c0 + c) * plane + static_cast<int64_t>(q) * width + x] = from_acc<T>(sum[0][c]);
        const R kept = q < 0 ? sum[0][c] : R(0);
#pragma unroll
        for (int j = 0; j + 1 < K; ++j) sum[j][c] = sum[j + 1][c];
        sum[0][c] += kept;
        sum[K - 1][c] = 0;
      }
    };
    for (int row = first_row; row <= last_row; ++row) {
      const T* from = filters + at.n * s.fn + at.g * s.fg + row * s.fy + first_column * s.fx;
      const int skew = static_cast<int>(reinterpret_cast<uintptr_t>(from) / sizeof(T) % kVector<T>);
      T* run = reinterpret_cast<T*>(shared + strip_gradient_bytes<R, K>) + skew;  // aligned like what it holds
      __syncthreads();
      if (s.fx == taps) {
        const int total = held * taps, head = min((kVector<T> - skew) % kVector<T>, total);
        const int whole = head + (total - head) / kVector<T> * kVector<T>;
        if (thread < head) run[thread] = from[thread];
#pragma unroll 4
        for (int i = head + thread * kVector<T>; i < whole; i += kThreads * kVector<T>)
          *reinterpret_cast<Pack<T, kVector<T>>*>(run + i) = load_once<kVector<T>>(from + i);
        if (whole + thread < total) run[whole + thread] = from[whole + thread];
      } else {
        for (int i = thread; i < held * taps; i += kThreads) run[i] = from[i / taps * s.fx + i % taps];
      }
      for (int c = 0; c < count; ++c)
        for (int i = thread; i < held; i += kThreads)
          by[c * columns + i] =
              to_acc(grad[first + (c0 + c) * plane + static_cast<int64_t>(row) * width + first_column + i]);
      __syncthreads();
      for (int qx = left; x < width && qx <= right; ++qx) {
#pragma unroll
        for (int kx = 0; kx < K; ++kx) {
          const int ox = qx - kx + r;  // the pixel whose taps (., kx) lie on column qx
          if (ox < 0 || ox >= width) continue;
          R here[kChannels];
#pragma unroll
          for (int c = 0; c < kChannels; ++c) here[c] = c < count ? by[c * columns + ox - first_column] : R(0);
#pragma unroll
          for (int ky = 0; ky < K; ++ky) {
            if (row + ky - r < top || row + ky - r > bottom) continue;
            const R tap = to_acc(run[(ox - first_column) * taps + ky * K + kx]);
#pragma unroll
            for (int c = 0; c < kChannels; ++c) sum[ky][c] += tap * here[c];
          }
        }
      }
      finish_row(row - r);
    }
    for (int q = last_row + 1 - r; q < end; ++q) {
      if (q == height - 1)
#pragma unroll
        for (int c = 0; c < kChannels; ++c)
#pragma unroll
          for (int j = 1; j < K; ++j) sum[0][c] += sum[j][c];
      finish_row(q);
    }
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

template <class T, int K>
cudaError_t launch_grad_x(const T* grad, const T* filters, T* grad_x, const DynamicFilterShape& s,
                          cudaStream_t stream) {
  using R = acc_t<T>;
  if constexpr (K > 0) {
    constexpr int64_t strip = strip_gradient_bytes<R, K> + 16 + (kThreads + K - 1) * K * K * int64_t{sizeof(T)};
    if constexpr (strip <= kSharedLimit) {
      if (s.ft == 1 && s.fx != 1) {
        const int64_t blocks = grid_size(s, kThreads, kStripRows);
        if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
        const auto kernel = dynamic_filter_grad_x_channels_last_kernel<T, K>;
        return LFD_LAUNCH(kernel, dim3(blocks), dim3(kThreads), strip, stream, grad, filters, grad_x, s);
      }
    }
    if constexpr (K / 2 <= kVector<T>) {
      if (vectorizable<T>(grad, grad_x, filters, s)) {
        const int64_t blocks = grid_size(s, kWideLanes * kVector<T>, kThreads / 32);
        if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
        const auto kernel = dynamic_filter_grad_x_wide_kernel<T, K>;
        return LFD_LAUNCH(kernel, dim3(blocks), dim3(32, kThreads / 32), 0, stream, grad, filters, grad_x, s);
      }
    }
  }
  using B = Block<1>;
  const int64_t blocks = grid_size(s, B::width, B::rows);
  if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
  const int64_t shared = tile_bytes<R>(tile_shape(B::width, B::rows, s.k), s.channels);
  const auto kernel = dynamic_filter_grad_x_kernel<T, K>;
  return LFD_LAUNCH(kernel, dim3(blocks), dim3(B::lanes, B::rows), shared, stream, grad, filters, grad_x, s);
}

}  // namespace

template <class T>
cudaError_t dynamic_filter_backward(const T* grad, const T* x, const T* filters, T* grad_x, T* grad_filters,
                                    const DynamicFilterShape& s, cudaStream_t stream) {
  cudaError_t error = cudaSuccess;
  if (grad_filters) error = grad_filters_of(grad, x, grad_filters, s, stream);
  if (grad_x && error == cudaSuccess)
    error = for_kernel_size(
        s.k, [&](auto k) { return launch_grad_x<T, decltype(k)::value>(grad, filters, grad_x, s, stream); });
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
