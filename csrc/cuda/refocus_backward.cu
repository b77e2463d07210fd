// Backward kernels of `refocus`. All but the scatter for disparity maps write each result once, in a fixed order.
#include "cuda/refocus.h"
#include "cuda/refocus_sampling.h"

namespace lfdeblur::cuda {
namespace {

// Do all light fields count alike?
LFD_HD bool counts_alike(const RefocusShape& s) { return s.sdb == 0 && s.sab == 0; }

template <class R, bool GENERAL>
__global__ void __launch_bounds__(32 * kWarps, 4)
    refocus_scale_gradient_kernel(R* __restrict__ grad, const R* __restrict__ disparity, const R* __restrict__ aperture,
                                  const RefocusShape s) {
  const Pixel at = pixel_of_thread(s);
  if (at.x >= s.w || at.y >= s.h) return;
  unsigned index = at.plane;
  const int d = peel(index, s.d), a = peel(index, s.a), first = index;
  const int64_t size = s.h * s.w, here = static_cast<int64_t>(at.y) * s.w + at.x;
  const R disparity_here = disparity_at(disparity, s, first, d, at.y, at.x);
  R counted = 0;
  for (int v = 0; v < s.v; ++v) {
    if (s.valid && !inside(at.y, pixel_shift(disparity_here, s.map, v, s.v, s.h), s.h)) continue;
    for (int u = 0; u < s.u; ++u)
      if (!s.valid || inside(at.x, pixel_shift(disparity_here, s.map, u, s.u, s.w), s.w))
        counted += weight_at<GENERAL>(aperture, s, first, a, v, u, here);
  }
  const bool moments = GENERAL && s.reduce == Reduce::moments;
  for (int64_t b = first; b < (counts_alike(s) ? s.b : first + 1); ++b)
    for (int64_t c = 0; c < s.c; ++c) {
      R* to = grad + picture_of<GENERAL>(s, b, a, d, 0, 0, c) * size + here;
      *to = counted > R(0) ? *to / counted : R(0);
      if (!moments) continue;
      to += s.a * s.d * s.c * size;
      *to = counted > R(0) ? *to / counted : R(0);
    }
}

// What the loss changes with a weighted sample, over the weight: `at` is its pixel in the output's shape.
template <bool GENERAL, class R>
__device__ __forceinline__ R sample_gradient(const R* grad, const R* out, const RefocusShape& s, int64_t at, R sample) {
  if (!GENERAL || s.reduce != Reduce::moments) return grad[at];
  return grad[at] + R(2) * grad[at + s.a * s.d * s.c * s.h * s.w] * (sample - out[at]);
}

// And with its weight.
template <bool GENERAL, class R>
__device__ __forceinline__ R weight_gradient(const R* grad, const R* out, const RefocusShape& s, int64_t at, R sample) {
  const bool divided = GENERAL ? s.divided() : s.valid;
  const R from_mean = divided ? sample - out[at] : sample;
  if (!GENERAL || s.reduce != Reduce::moments) return grad[at] * from_mean;
  const int64_t variance = at + s.a * s.d * s.c * s.h * s.w;
  return grad[at] * from_mean + grad[variance] * (from_mean * from_mean - out[variance]);
}

// The pixels that read element `p` of an axis through tap i: first <= pixel <= last.
struct Range {
  int first, last;
};

// A border element stands for all positions beyond it, unless these are zeros.
template <int N, class R>
__device__ __forceinline__ Range readers(int p, int i, const AxisShift<R>& shift, int size, const RefocusShape& s) {
  const int offset = shift.first + kFirstTap<N> + i;
  const bool first = p == 0 && !s.zeros, last = p == size - 1 && !s.zeros;
  Range range{first ? 0 : max(p - offset, 0), last ? size - 1 : min(p - offset, size - 1)};
  if (s.valid) {
    range.first = max(range.first, -shift.first);
    range.last = min(range.last, size - 1 - shift.first - (shift.f > R(0)));
  }
  return range;
}

// Disparity [D]. A thread gathers kGatherRows rows of one column of a view, sums along x first; elements of the
// border, which many pixels may read, one at a time.
inline constexpr int kGatherRows = 4;  // sweep: 2 8

// Blocks on a multiprocessor: sm_100 needs some registers more than a third of them leave.
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 1000
constexpr int kCubicBlocks = 2;
#else
constexpr int kCubicBlocks = 3;
#endif

template <class T, int N>
__global__ void __launch_bounds__(32 * kWarps, N == 4 ? kCubicBlocks : 4)
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
      tap_weights(s, row.f, wy);
      tap_weights(s, column.f, wx);
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
            const Range of_row = readers<N>(y0 + r, i, row, height, s);
            R total = 0;
#pragma unroll 1
            for (int y = of_row.first; y <= of_row.last; ++y)
#pragma unroll
              for (int j = 0; j < N; ++j) {
                const Range of_column = readers<N>(x, j, column, width, s);
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

template <class T, int N, bool GENERAL>
__global__ void __launch_bounds__(32 * kWarps, GENERAL&& N == 4 ? 3 : 4)
    refocus_grad_light_field_map_kernel(const acc_t<T>* __restrict__ grad, const acc_t<T>* __restrict__ out,
                                        const T* __restrict__ light_field, const acc_t<T>* __restrict__ disparity,
                                        const acc_t<T>* __restrict__ aperture, acc_t<T>* __restrict__ grad_light_field,
                                        const RefocusShape s) {
  using R = acc_t<T>;
  const Pixel at = pixel_of_thread(s);
  if (at.x >= s.w || at.y >= s.h) return;
  unsigned index = at.plane;
  const int c = peel(index, s.c), d = peel(index, s.d), b = index;
  const R disparity_here = disparity_at(disparity, s, b, d, at.y, at.x);
  const int64_t size = s.h * s.w, here = static_cast<int64_t>(at.y) * s.w + at.x;
  for (int v = 0; v < s.v; ++v) {
    const AxisShift<R> row = pixel_shift(disparity_here, !GENERAL || s.map, v, s.v, s.h);
    if (s.valid && !inside(at.y, row, s.h)) continue;
    R wy[N];
    tap_weights(s, row.f, wy);
    cut_taps<GENERAL>(s, at.y, row, s.h, wy);
    for (int u = 0; u < s.u; ++u) {
      const AxisShift<R> column = pixel_shift(disparity_here, !GENERAL || s.map, u, s.u, s.w);
      if (s.valid && !inside(at.x, column, s.w)) continue;
      R wx[N];
      tap_weights(s, column.f, wx);
      cut_taps<GENERAL>(s, at.x, column, s.w, wx);
      R sample = 0;
      if (GENERAL && s.reduce == Reduce::moments)
        sample = R(Element<T>::scale) * sample_at<N>(light_field + b * s.sb + v * s.sv + u * s.su + c * s.sc, s, at.y,
                                                     at.x, row, column, wy, wx);
      R value = 0;
      for (int64_t a = 0; a < s.a; ++a)
        value += weight_at<GENERAL>(aperture, s, b, a, v, u, here) *
                 sample_gradient<GENERAL>(grad, out, s, picture_of<GENERAL>(s, b, a, d, v, u, c) * size + here, sample);
      if (value == R(0)) continue;
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

template <class T, int N, bool GENERAL>
__global__ void __launch_bounds__(32 * kWarps, N == 4 ? 3 : 4)
    refocus_grad_disparity_kernel(const acc_t<T>* __restrict__ grad, const acc_t<T>* __restrict__ out,
                                  const T* __restrict__ light_field, const acc_t<T>* __restrict__ disparity,
                                  const acc_t<T>* __restrict__ aperture, acc_t<T>* __restrict__ grad_disparity,
                                  const RefocusShape s) {
  using R = acc_t<T>;
  const Pixel at = pixel_of_thread(s);
  if (at.x >= s.w || at.y >= s.h) return;
  unsigned index = at.plane;
  const int d = peel(index, s.d);
  const int64_t first = index, last = s.sdb ? first + 1 : s.b;  // the light fields of the map
  const int64_t size = s.h * s.w, here = static_cast<int64_t>(at.y) * s.w + at.x;
  const R disparity_here = disparity_at(disparity, s, first, d, at.y, at.x), scale = R(Element<T>::scale);
  R sum = 0;
  for (int v = 0; v < s.v; ++v) {
    const AxisShift<R> row = pixel_shift(disparity_here, s.map, v, s.v, s.h);
    if (s.valid && !inside(at.y, row, s.h)) continue;
    R wy[N], slope_y[N];
    tap_weights(s, row.f, wy);
    tap_slopes(s, row.f, slope_y);
    cut_taps<GENERAL>(s, at.y, row, s.h, wy);
    cut_taps<GENERAL>(s, at.y, row, s.h, slope_y);
#pragma unroll
    for (int i = 0; i < N; ++i) slope_y[i] *= -static_cast<R>(v - 0.5 * (s.v - 1));
    for (int u = 0; u < s.u; ++u) {
      const AxisShift<R> column = pixel_shift(disparity_here, s.map, u, s.u, s.w);
      if (s.valid && !inside(at.x, column, s.w)) continue;
      R wx[N], slope_x[N];
      tap_weights(s, column.f, wx);
      tap_slopes(s, column.f, slope_x);
      cut_taps<GENERAL>(s, at.x, column, s.w, wx);
      cut_taps<GENERAL>(s, at.x, column, s.w, slope_x);
#pragma unroll
      for (int j = 0; j < N; ++j) slope_x[j] *= -static_cast<R>(u - 0.5 * (s.u - 1));
      for (int64_t b = first; b < last; ++b) {
        for (int64_t c = 0; c < s.c; ++c) {
          const T* view = light_field + b * s.sb + v * s.sv + u * s.su + c * s.sc;
          R sample = 0;
          if (GENERAL && s.reduce == Reduce::moments)
            sample = scale * sample_at<N>(view, s, at.y, at.x, row, column, wy, wx);
          R by = 0;
          for (int64_t a = 0; a < s.a; ++a)
            by +=
                weight_at<GENERAL>(aperture, s, b, a, v, u, here) *
                sample_gradient<GENERAL>(grad, out, s, picture_of<GENERAL>(s, b, a, d, v, u, c) * size + here, sample);
          if (by == R(0)) continue;
          sum += by * (sample_at<N>(view, s, at.y, at.x, row, column, slope_y, wx) +
                       sample_at<N>(view, s, at.y, at.x, row, column, wy, slope_x));
        }
      }
    }
  }
  grad_disparity[(first * s.d + d) * size + here] = sum * scale;
}

// Weights per pixel: a thread is a pixel of a view in an aperture.
template <class T, int N>
__global__ void __launch_bounds__(32 * kWarps, N == 4 ? 3 : 4)
    refocus_grad_pixel_weights_kernel(const acc_t<T>* __restrict__ grad, const acc_t<T>* __restrict__ out,
                                      const T* __restrict__ light_field, const acc_t<T>* __restrict__ disparity,
                                      acc_t<T>* __restrict__ grad_aperture, const RefocusShape s) {
  using R = acc_t<T>;
  const Pixel at = pixel_of_thread(s);
  if (at.x >= s.w || at.y >= s.h) return;
  unsigned index = at.plane;
  const int u = peel(index, s.u), v = peel(index, s.v), a = peel(index, s.a);
  const int64_t first = index, last = s.sab ? first + 1 : s.b;  // the light fields of the aperture
  const int64_t size = s.h * s.w, here = static_cast<int64_t>(at.y) * s.w + at.x;
  R sum = 0;
  for (int64_t b = first; b < last; ++b)
    for (int64_t d = 0; d < s.d; ++d) {
      const R disparity_here = disparity_at(disparity, s, b, d, at.y, at.x);
      const AxisShift<R> row = pixel_shift(disparity_here, s.map, v, s.v, s.h);
      const AxisShift<R> column = pixel_shift(disparity_here, s.map, u, s.u, s.w);
      if (s.valid && (!inside(at.y, row, s.h) || !inside(at.x, column, s.w))) continue;
      R wy[N], wx[N];
      tap_weights(s, row.f, wy);
      tap_weights(s, column.f, wx);
      cut_taps<true>(s, at.y, row, s.h, wy);
      cut_taps<true>(s, at.x, column, s.w, wx);
      const T* view = light_field + b * s.sb + v * s.sv + u * s.su;
      for (int64_t c = 0; c < s.c; ++c) {
        const R sample = R(Element<T>::scale) * sample_at<N>(view + c * s.sc, s, at.y, at.x, row, column, wy, wx);
        sum += weight_gradient<true>(grad, out, s, picture_of<true>(s, b, a, d, v, u, c) * size + here, sample);
      }
    }
  grad_aperture[static_cast<int64_t>(at.plane) * size + here] = sum;
}

// A block sums one view's gradient over a part of the rows [B, D, C, H], for up to kApertures apertures at once.
inline constexpr int kApertures = 4;

__device__ __host__ inline int64_t aperture_rows(const RefocusShape& s) { return s.b * s.d * s.c * s.h; }

template <class T, int N, bool GENERAL>
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
      const int64_t first = picture_of<GENERAL>(s, b, a0, d, v, u, c) * s.h + y;  // the row of the first aperture
      const int64_t next = picture_of<GENERAL>(s, b, a0 + 1, d, v, u, c) * s.h + y - first;
      AxisShift<R> row{}, column{};
      R wy[N], wx[N];
      for (int x = threadIdx.x; x < s.w; x += 32) {
        if (s.map || (GENERAL && s.zeros) || x == static_cast<int>(threadIdx.x)) {
          const R here = disparity_at(disparity, s, b, d, y, x);
          row = pixel_shift(here, s.map, v, s.v, s.h);
          column = pixel_shift(here, s.map, u, s.u, s.w);
          tap_weights(s, row.f, wy);
          tap_weights(s, column.f, wx);
          cut_taps<GENERAL>(s, y, row, s.h, wy);
          cut_taps<GENERAL>(s, x, column, s.w, wx);
        }
        if (s.valid && (!inside(y, row, s.h) || !inside(x, column, s.w))) continue;
        const R sample = scale * sample_at<N>(view, s, y, x, row, column, wy, wx);
#pragma unroll
        for (int a = 0; a < kApertures; ++a) {
          if (a0 + a >= s.a) continue;
          sum[a] += weight_gradient<GENERAL>(grad, out, s, (first + a * next) * s.w + x, sample);
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
  const int64_t blocks = pixel_grid(s, (counts_alike(s) ? 1 : s.b) * s.a * s.d);
  if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
  return for_general(s, [&](auto general) {
    const auto kernel = refocus_scale_gradient_kernel<R, decltype(general)::value>;
    return LFD_LAUNCH(kernel, dim3(blocks), dim3(32, kWarps), 0, stream, grad, disparity, aperture, s);
  });
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

template <class T>
cudaError_t refocus_grad_light_field_map(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field,
                                         const acc_t<T>* disparity, const acc_t<T>* aperture,
                                         acc_t<T>* grad_light_field, const RefocusShape& s, cudaStream_t stream) {
  const int64_t blocks = pixel_grid(s, s.b * s.d * s.c);
  if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
  return for_taps(s.interpolation, [&](auto taps) {
    constexpr int N = decltype(taps)::value;
    using R = acc_t<T>;
    if (!takes_general(s)) {
      const auto kernel = refocus_grad_light_field_map_kernel<R, N, false>;  // the views are not read
      return LFD_LAUNCH(kernel, dim3(blocks), dim3(32, kWarps), 0, stream, grad, out, static_cast<const R*>(nullptr),
                        disparity, aperture, grad_light_field, s);
    }
    const auto kernel = refocus_grad_light_field_map_kernel<T, N, true>;
    return LFD_LAUNCH(kernel, dim3(blocks), dim3(32, kWarps), 0, stream, grad, out, light_field, disparity, aperture,
                      grad_light_field, s);
  });
}

template <class T>
cudaError_t refocus_grad_disparity(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field,
                                   const acc_t<T>* disparity, const acc_t<T>* aperture, acc_t<T>* grad_disparity,
                                   const RefocusShape& s, cudaStream_t stream) {
  const int64_t blocks = pixel_grid(s, (s.sdb ? s.b : 1) * s.d);
  if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
  return for_taps(s.interpolation, [&](auto taps) {
    return for_general(s, [&](auto general) {
      const auto kernel = refocus_grad_disparity_kernel<T, decltype(taps)::value, decltype(general)::value>;
      return LFD_LAUNCH(kernel, dim3(blocks), dim3(32, kWarps), 0, stream, grad, out, light_field, disparity, aperture,
                        grad_disparity, s);
    });
  });
}

template <class T>
cudaError_t refocus_grad_pixel_weights(const acc_t<T>* grad, const acc_t<T>* out, const T* light_field,
                                       const acc_t<T>* disparity, acc_t<T>* grad_aperture, const RefocusShape& s,
                                       cudaStream_t stream) {
  const int64_t blocks = pixel_grid(s, (s.sab ? s.b : 1) * s.a * s.v * s.u);
  if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
  return for_taps(s.interpolation, [&](auto taps) {
    const auto kernel = refocus_grad_pixel_weights_kernel<T, decltype(taps)::value>;
    return LFD_LAUNCH(kernel, dim3(blocks), dim3(32, kWarps), 0, stream, grad, out, light_field, disparity,
                      grad_aperture, s);
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
    return for_general(s, [&](auto general) {
      const auto kernel = refocus_grad_aperture_kernel<T, decltype(taps)::value, decltype(general)::value>;
      return LFD_LAUNCH(kernel, dim3(blocks), dim3(32, kWarps), shared, stream, grad, out, light_field, disparity,
                        partial, parts, s);
    });
  });
}

#define INSTANTIATE_VIEW(T)                                                                                          \
  template cudaError_t refocus_grad_disparity(const acc_t<T>*, const acc_t<T>*, const T*, const acc_t<T>*,           \
                                              const acc_t<T>*, acc_t<T>*, const RefocusShape&, cudaStream_t);        \
  template cudaError_t refocus_grad_pixel_weights(const acc_t<T>*, const acc_t<T>*, const T*, const acc_t<T>*,       \
                                                  acc_t<T>*, const RefocusShape&, cudaStream_t);                     \
  template cudaError_t refocus_grad_aperture(const acc_t<T>*, const acc_t<T>*, const T*, const acc_t<T>*, acc_t<T>*, \
                                             const RefocusShape&, cudaStream_t);
#define INSTANTIATE_FLOAT(T)                                                                                     \
  INSTANTIATE_VIEW(T)                                                                                            \
  template cudaError_t refocus_grad_light_field(const acc_t<T>*, const acc_t<T>*, const acc_t<T>*, T*,           \
                                                const RefocusShape&, cudaStream_t);                              \
  template cudaError_t refocus_grad_light_field_map(const acc_t<T>*, const acc_t<T>*, const T*, const acc_t<T>*, \
                                                    const acc_t<T>*, acc_t<T>*, const RefocusShape&, cudaStream_t);
#define INSTANTIATE_SUM(R) \
  template cudaError_t refocus_scale_gradient(R*, const R*, const R*, const RefocusShape&, cudaStream_t);
INSTANTIATE_FLOAT(double)
INSTANTIATE_FLOAT(float)
INSTANTIATE_FLOAT(f16)
INSTANTIATE_FLOAT(bf16)
INSTANTIATE_VIEW(uint8_t)
INSTANTIATE_VIEW(uint16_t)
INSTANTIATE_SUM(double)
INSTANTIATE_SUM(float)

}  // namespace lfdeblur::cuda
