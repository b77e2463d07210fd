// Backward kernels of `refocus`. All but the scatter for disparity maps write each result once, in a fixed order.
#include "cuda/refocus.h"
#include "cuda/refocus_sampling.h"

namespace lfdeblur::cuda {
namespace {

template <class R>
__global__ void __launch_bounds__(32 * kWarps, 4)
    refocus_scale_gradient_kernel(R* __restrict__ grad, const R* __restrict__ disparity, const R* __restrict__ aperture,
                                  const RefocusShape s) {
  const Pixel at = pixel_of_thread(s);
  if (at.x >= s.w || at.y >= s.h) return;
  unsigned index = at.plane;
  const int d = peel(index, s.d), a = index;
  const R disparity_here = disparity_at(disparity, s, d, at.y, at.x);
  R counted = 0;
  for (int v = 0; v < s.v; ++v) {
    if (!inside(at.y, pixel_shift(disparity_here, s.map, v, s.v, s.h), s.h)) continue;
    for (int u = 0; u < s.u; ++u)
      if (inside(at.x, pixel_shift(disparity_here, s.map, u, s.u, s.w), s.w))
        counted += aperture[(a * s.v + v) * s.u + u];
  }
  for (int64_t b = 0; b < s.b; ++b)
    for (int64_t c = 0; c < s.c; ++c) {
      R* to = grad + ((((b * s.a + a) * s.d + d) * s.c + c) * s.h + at.y) * s.w + at.x;
      *to = counted > R(0) ? *to / counted : R(0);
    }
}

// The pixels that read element `p` of an axis through tap i: first <= pixel <= last.
struct Range {
  int first, last;
};

// A border element stands for all positions beyond it.
template <int N, class R>
__device__ __forceinline__ Range readers(int p, int i, const AxisShift<R>& shift, int size, bool valid) {
  const int offset = shift.first + kFirstTap<N> + i;
  Range range{p == 0 ? 0 : max(p - offset, 0), p == size - 1 ? size - 1 : min(p - offset, size - 1)};
  if (valid) {
    range.first = max(range.first, -shift.first);
    range.last = min(range.last, size - 1 - shift.first - (shift.f > R(0)));
  }
  return range;
}

// Disparity [D]. A thread gathers kGatherRows rows of one column of a view, sums along x first; elements of the
// border, which many pixels may read, one at a time.
inline constexpr int kGatherRows = 4;  // sweep: 2 8

template <class T, int N>
__global__ void __launch_bounds__(32 * kWarps, N == 4 ? 3 : 4)
    refocus_grad_light_field_kernel(const acc_t<T>* __restrict__ grad, const acc_t<T>* __restrict__ disparity,
                                    const acc_t<T>* __restrict__ aperture, T* __restrict__ grad_light_field,
                                    const RefocusShape s) {
  using R = acc_t<T>;
  LFD_SHARED(shared);
  AxisShift<R>* shifts = reinterpret_cast<AxisShift<R>*>(shared);  // row and column, for each d of the window
  const int height = static_cast<int>(s.h), width = static_cast<int>(s.w);
  unsigned index = blockIdx.x;
  const int x = peel(index, ceil_div(width, 32)) * 32 + threadIdx.x;
  const int y0 = (peel(index, ceil_div(height, kWarps * kGatherRows)) * kWarps + threadIdx.y) * kGatherRows;
  const unsigned plane = index;
  const int c = peel(index, s.c), u = peel(index, s.u), v = peel(index, s.v), b = index;
  const bool interior = x > 0 && x < width - 1 && y0 > 0 && y0 + kGatherRows < height;
  const int64_t size = s.h * s.w;

  R sum[kGatherRows] = {};
  for (int d0 = 0; d0 < s.d; d0 += kWindow) {
    const int nd = min(static_cast<int>(s.d) - d0, kWindow);
    __syncthreads();
    for (int i = threadIdx.y * 32 + threadIdx.x; i < 2 * nd; i += kWarps * 32) {
      const R here = disparity[d0 + i / 2];
      shifts[i] = i % 2 ? plane_shift(here, u, s.u, s.w) : plane_shift(here, v, s.v, s.h);
    }
    __syncthreads();
    if (x >= width || y0 >= height) continue;
    for (int d = 0; d < nd; ++d) {
      const AxisShift<R> row = shifts[2 * d], column = shifts[2 * d + 1];
      R wy[N], wx[N];
      tap_weights(s.interpolation, row.f, wy);
      tap_weights(s.interpolation, column.f, wx);
      for (int a = 0; a < s.a; ++a) {
        const R weight = aperture[(a * s.v + v) * s.u + u];
        if (weight == R(0)) continue;
        const R* from = grad + (((b * s.a + a) * s.d + d0 + d) * s.c + c) * size;
        if (interior) {
          // Tap i of output row y reads row y + first + kFirstTap + i: the last tap reads from the first of these rows.
          const int top = y0 - row.first - kFirstTap<N> - (N - 1);
          R along_x[kGatherRows + N - 1];
#pragma unroll
          for (int r = 0; r < kGatherRows + N - 1; ++r) {
            along_x[r] = 0;
            const bool counts = s.valid ? inside(top + r, row, s.h) : true;
            if (top + r < 0 || top + r >= height || !counts) continue;
#pragma unroll
            for (int j = 0; j < N; ++j) {
              const int px = x - column.first - kFirstTap<N> - j;
              if (px < 0 || px >= width || (s.valid && !inside(px, column, s.w))) continue;
              along_x[r] += wx[j] * from[static_cast<int64_t>(top + r) * width + px];
            }
          }
#pragma unroll
          for (int r = 0; r < kGatherRows; ++r)
#pragma unroll
            for (int i = 0; i < N; ++i) sum[r] += weight * wy[i] * along_x[r + N - 1 - i];
          continue;
        }
#pragma unroll
        for (int r = 0; r < kGatherRows; ++r) {
          if (y0 + r >= height) continue;
#pragma unroll
          for (int i = 0; i < N; ++i) {
            const Range of_row = readers<N>(y0 + r, i, row, height, s.valid);
            R total = 0;
#pragma unroll 1
            for (int y = of_row.first; y <= of_row.last; ++y)
#pragma unroll
              for (int j = 0; j < N; ++j) {
                const Range of_column = readers<N>(x, j, column, width, s.valid);
#pragma unroll 1
                for (int px = of_column.first; px <= of_column.last; ++px)
                  total += wx[j] * from[static_cast<int64_t>(y) * width + px];
              }
            sum[r] += weight * wy[i] * total;
          }
        }
      }
    }
  }
  if (x >= width) return;
#pragma unroll
  for (int r = 0; r < kGatherRows; ++r)
    if (y0 + r < height)
      grad_light_field[plane * size + static_cast<int64_t>(y0 + r) * width + x] = from_acc<T>(sum[r]);
}

template <class R, int N>
__global__ void __launch_bounds__(32 * kWarps, 4)
    refocus_grad_light_field_map_kernel(const R* __restrict__ grad, const R* __restrict__ disparity,
                                        const R* __restrict__ aperture, R* __restrict__ grad_light_field,
                                        const RefocusShape s) {
  const Pixel at = pixel_of_thread(s);
  if (at.x >= s.w || at.y >= s.h) return;
  unsigned index = at.plane;
  const int c = peel(index, s.c), d = peel(index, s.d), b = index;
  const R disparity_here = disparity_at(disparity, s, d, at.y, at.x);
  const int64_t size = s.h * s.w;
  const R* from = grad + ((static_cast<int64_t>(b) * s.a * s.d + d) * s.c + c) * size + at.y * s.w + at.x;
  for (int v = 0; v < s.v; ++v) {
    const AxisShift<R> row = pixel_shift(disparity_here, true, v, s.v, s.h);
    if (s.valid && !inside(at.y, row, s.h)) continue;
    R wy[N];
    tap_weights(s.interpolation, row.f, wy);
    for (int u = 0; u < s.u; ++u) {
      const AxisShift<R> column = pixel_shift(disparity_here, true, u, s.u, s.w);
      if (s.valid && !inside(at.x, column, s.w)) continue;
      R value = 0;
      for (int64_t a = 0; a < s.a; ++a) value += aperture[(a * s.v + v) * s.u + u] * from[a * s.d * s.c * size];
      if (value == R(0)) continue;
      R wx[N];
      tap_weights(s.interpolation, column.f, wx);
      R* view = grad_light_field + (((b * s.v + v) * s.u + u) * s.c + c) * size;
#pragma unroll
      for (int i = 0; i < N; ++i)
#pragma unroll
        for (int j = 0; j < N; ++j)
          atomicAdd(view + clamp_int(at.y + row.first + kFirstTap<N> + i, s.h) * s.w +
                        clamp_int(at.x + column.first + kFirstTap<N> + j, s.w),
                    value * wy[i] * wx[j]);
    }
  }
}

template <class T, int N>
__global__ void __launch_bounds__(32 * kWarps, N == 4 ? 3 : 4)
    refocus_grad_disparity_kernel(const acc_t<T>* __restrict__ grad, const T* __restrict__ light_field,
                                  const acc_t<T>* __restrict__ disparity, const acc_t<T>* __restrict__ aperture,
                                  acc_t<T>* __restrict__ grad_disparity, const RefocusShape s) {
  using R = acc_t<T>;
  const Pixel at = pixel_of_thread(s);
  if (at.x >= s.w || at.y >= s.h) return;
  const int64_t d = at.plane, size = s.h * s.w, here = at.y * s.w + at.x;
  const R disparity_here = disparity_at(disparity, s, d, at.y, at.x);
  R sum = 0;
  for (int v = 0; v < s.v; ++v) {
    const AxisShift<R> row = pixel_shift(disparity_here, s.map, v, s.v, s.h);
    if (s.valid && !inside(at.y, row, s.h)) continue;
    R wy[N], slope_y[N];
    tap_weights(s.interpolation, row.f, wy);
    tap_slopes(s.interpolation, row.f, slope_y);
#pragma unroll
    for (int i = 0; i < N; ++i) slope_y[i] *= -static_cast<R>(v - 0.5 * (s.v - 1));
    for (int u = 0; u < s.u; ++u) {
      const AxisShift<R> column = pixel_shift(disparity_here, s.map, u, s.u, s.w);
      if (s.valid && !inside(at.x, column, s.w)) continue;
      R wx[N], slope_x[N];
      tap_weights(s.interpolation, column.f, wx);
      tap_slopes(s.interpolation, column.f, slope_x);
#pragma unroll
      for (int j = 0; j < N; ++j) slope_x[j] *= -static_cast<R>(u - 0.5 * (s.u - 1));
      for (int64_t b = 0; b < s.b; ++b) {
        for (int64_t c = 0; c < s.c; ++c) {
          R by = 0;
          for (int64_t a = 0; a < s.a; ++a)
            by += aperture[(a * s.v + v) * s.u + u] * grad[(((b * s.a + a) * s.d + d) * s.c + c) * size + here];
          if (by == R(0)) continue;
          const T* view = light_field + b * s.sb + v * s.sv + u * s.su + c * s.sc;
          sum += by * (sample_at<N>(view, s, at.y, at.x, row, column, slope_y, wx) +
                       sample_at<N>(view, s, at.y, at.x, row, column, wy, slope_x));
        }
      }
    }
  }
  grad_disparity[d * size + here] = sum * R(Element<T>::scale);
}

// A block sums one view's gradient over a part of the rows [B, D, C, H], for up to kApertures apertures at once.
inline constexpr int kApertures = 4;

__device__ __host__ inline int64_t aperture_rows(const RefocusShape& s) { return s.b * s.d * s.c * s.h; }

template <class T, int N>
__global__ void __launch_bounds__(32 * kWarps, N == 4 ? 3 : 4)
    refocus_grad_aperture_kernel(const acc_t<T>* __restrict__ grad, const acc_t<T>* __restrict__ out,
                                 const T* __restrict__ light_field, const acc_t<T>* __restrict__ disparity,
                                 acc_t<T>* __restrict__ partial, int64_t parts, const RefocusShape s) {
  using R = acc_t<T>;
  LFD_SHARED(shared);
  R* sums = reinterpret_cast<R*>(shared);
  const int thread = threadIdx.y * 32 + threadIdx.x;
  unsigned index = blockIdx.x;
  const int u = peel(index, s.u), v = peel(index, s.v);
  const int64_t part = index, rows_per_part = ceil_div(aperture_rows(s), parts);
  const int64_t last_row = min((part + 1) * rows_per_part, aperture_rows(s));
  const R scale = R(Element<T>::scale);

  for (int a0 = 0; a0 < s.a; a0 += kApertures) {
    R sum[kApertures] = {};
    for (int64_t unit = part * rows_per_part + threadIdx.y; unit < last_row; unit += kWarps) {
      const int64_t plane = unit / s.h, image = plane / s.c;
      const int y = static_cast<int>(unit - plane * s.h), c = static_cast<int>(plane - image * s.c);
      const int64_t b = image / s.d, d = image - b * s.d;
      const T* view = light_field + b * s.sb + v * s.sv + u * s.su + c * s.sc;
      const int64_t first = (((b * s.a + a0) * s.d + d) * s.c + c) * s.h + y;  // the row of the first aperture
      AxisShift<R> row{}, column{};
      R wy[N], wx[N];
      for (int x = threadIdx.x; x < s.w; x += 32) {
        if (s.map || x == static_cast<int>(threadIdx.x)) {
          const R here = disparity_at(disparity, s, d, y, x);
          row = pixel_shift(here, s.map, v, s.v, s.h);
          column = pixel_shift(here, s.map, u, s.u, s.w);
          tap_weights(s.interpolation, row.f, wy);
          tap_weights(s.interpolation, column.f, wx);
        }
        if (s.valid && (!inside(y, row, s.h) || !inside(x, column, s.w))) continue;
        const R sample = scale * sample_at<N>(view, s, y, x, row, column, wy, wx);
#pragma unroll
        for (int a = 0; a < kApertures; ++a) {
          if (a0 + a >= s.a) continue;
          const int64_t i = (first + a * s.d * s.c * s.h) * s.w + x;
          sum[a] += grad[i] * (s.valid ? sample - out[i] : sample);
        }
      }
    }
    for (int a = 0; a < kApertures && a0 + a < s.a; ++a) {
      R mine = sum[0];  // sum[a], without a run-time index into registers
#pragma unroll
      for (int i = 1; i < kApertures; ++i) mine = i == a ? sum[i] : mine;
      __syncthreads();
      sums[thread] = mine;
      for (int half = 16 * kWarps; half; half /= 2) {
        __syncthreads();
        if (thread < half) sums[thread] += sums[thread + half];
      }
      if (thread == 0) partial[((part * s.a + a0 + a) * s.v + v) * s.u + u] = sums[0];
    }
  }
}

}  // namespace

template <class R>
cudaError_t refocus_scale_gradient(R* grad, const R* disparity, const R* aperture, const RefocusShape& s,
                                   cudaStream_t stream) {
  const int64_t blocks = pixel_grid(s, s.a * s.d);
  if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
  return LFD_LAUNCH(refocus_scale_gradient_kernel<R>, dim3(blocks), dim3(32, kWarps), 0, stream, grad, disparity,
                    aperture, s);
}

template <class T>
cudaError_t refocus_grad_light_field(const acc_t<T>* grad, const acc_t<T>* disparity, const acc_t<T>* aperture,
                                     T* grad_light_field, const RefocusShape& s, cudaStream_t stream) {
  const int64_t blocks =
      ceil_div<int64_t>(s.w, 32) * ceil_div<int64_t>(s.h, kWarps * kGatherRows) * s.b * s.v * s.u * s.c;
  if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
  const int64_t shared = 2 * (s.d < kWindow ? s.d : kWindow) * static_cast<int64_t>(sizeof(AxisShift<acc_t<T>>));
  return for_taps(s.interpolation, [&](auto taps) {
    const auto kernel = refocus_grad_light_field_kernel<T, decltype(taps)::value>;
    return LFD_LAUNCH(kernel, dim3(blocks), dim3(32, kWarps), shared, stream, grad, disparity, aperture,
                      grad_light_field, s);
  });
}

template <class R>
cudaError_t refocus_grad_light_field_map(const R* grad, const R* disparity, const R* aperture, R* grad_light_field,
                                         const RefocusShape& s, cudaStream_t stream) {
  const int64_t blocks = pixel_grid(s, s.b * s.d * s.c);
  if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
  return for_taps(s.interpolation, [&](auto taps) {
    const auto kernel = refocus_grad_light_field_map_kernel<R, decltype(taps)::value>;
    return LFD_LAUNCH(kernel, dim3(blocks), dim3(32, kWarps), 0, stream, grad, disparity, aperture, grad_light_field,
                      s);
  });
}

template <class T>
cudaError_t refocus_grad_disparity(const acc_t<T>* grad, const T* light_field, const acc_t<T>* disparity,
                                   const acc_t<T>* aperture, acc_t<T>* grad_disparity, const RefocusShape& s,
                                   cudaStream_t stream) {
  const int64_t blocks = pixel_grid(s, s.d);
  if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
  return for_taps(s.interpolation, [&](auto taps) {
    const auto kernel = refocus_grad_disparity_kernel<T, decltype(taps)::value>;
    return LFD_LAUNCH(kernel, dim3(blocks), dim3(32, kWarps), 0, stream, grad, light_field, disparity, aperture,
                      grad_disparity, s);
  });
}

int64_t refocus_grad_aperture_parts(const RefocusShape& s) {
  // Enough blocks for any device, parts of some thousand pixels: of the shape alone, so that sums never change.
  const int64_t views = s.v * s.u > 0 ? s.v * s.u : 1;
  const int64_t wanted = ceil_div<int64_t>(4096, views), useful = ceil_div<int64_t>(aperture_rows(s) * s.w, 4096);
  const int64_t parts = wanted < useful ? wanted : useful;
  return parts > 0 ? parts : 1;
}

template <class T>
cudaError_t refocus_grad_aperture(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field,
                                  const acc_t<T>* disparity, acc_t<T>* partial, const RefocusShape& s,
                                  cudaStream_t stream) {
  const int64_t parts = refocus_grad_aperture_parts(s), blocks = parts * s.v * s.u;
  if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
  const int64_t shared = 32 * kWarps * static_cast<int64_t>(sizeof(acc_t<T>));
  return for_taps(s.interpolation, [&](auto taps) {
    const auto kernel = refocus_grad_aperture_kernel<T, decltype(taps)::value>;
    return LFD_LAUNCH(kernel, dim3(blocks), dim3(32, kWarps), shared, stream, grad, out, light_field, disparity,
                      partial, parts, s);
  });
}

#define INSTANTIATE_VIEW(T)                                                                                           \
  template cudaError_t refocus_grad_disparity(const acc_t<T>*, const T*, const acc_t<T>*, const acc_t<T>*, acc_t<T>*, \
                                              const RefocusShape&, cudaStream_t);                                     \
  template cudaError_t refocus_grad_aperture(const acc_t<T>*, const acc_t<T>*, const T*, const acc_t<T>*, acc_t<T>*,  \
                                             const RefocusShape&, cudaStream_t);
#define INSTANTIATE_FLOAT(T)                                                                           \
  INSTANTIATE_VIEW(T)                                                                                  \
  template cudaError_t refocus_grad_light_field(const acc_t<T>*, const acc_t<T>*, const acc_t<T>*, T*, \
                                                const RefocusShape&, cudaStream_t);
#define INSTANTIATE_SUM(R)                                                                                 \
  template cudaError_t refocus_scale_gradient(R*, const R*, const R*, const RefocusShape&, cudaStream_t);  \
  template cudaError_t refocus_grad_light_field_map(const R*, const R*, const R*, R*, const RefocusShape&, \
                                                    cudaStream_t);
INSTANTIATE_FLOAT(double)
INSTANTIATE_FLOAT(float)
INSTANTIATE_FLOAT(f16)
INSTANTIATE_FLOAT(bf16)
INSTANTIATE_VIEW(uint8_t)
INSTANTIATE_VIEW(uint16_t)
INSTANTIATE_SUM(double)
INSTANTIATE_SUM(float)

}  // namespace lfdeblur::cuda
