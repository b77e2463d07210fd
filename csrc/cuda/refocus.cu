// Forward kernels of `refocus`.
#include "cuda/neighbours.h"
#include "cuda/refocus.h"
#include "cuda/refocus_sampling.h"

namespace lfdeblur::cuda {
namespace {

// Neighbouring pixels per thread: narrow elements are read by the word.
template <class T, int N>
inline constexpr int kColumns = sizeof(T) == 1 && N == 2 ? 4
                                : sizeof(T) <= 2         ? 2
                                                         : 1;
// Rows per thread: its sums, one for each row and column, stay in registers.
constexpr int kFloatRows = 8;  // sweep: 4
constexpr int kOtherRows = 4;  // sweep: 6
template <class T, int N, bool VALID>
inline constexpr int kRows = sizeof(T) == 4 && N == 2 && !VALID ? kFloatRows : kOtherRows;
// Views whose pixels are in flight at once.
constexpr int kNarrowViews = 3;  // sweep: 2 4
template <class T, int N, bool VALID>
inline constexpr int kViews = VALID                      ? 1
                              : sizeof(T) <= 2 && N == 2 ? kNarrowViews
                                                         : 2;

// Blocks that a multiprocessor is to hold, as many as the registers allow without spilling.
template <class T, int N, bool VALID>
inline constexpr int kBlocks = VALID || (N == 4 && sizeof(T) == 8) ? 2 : 3;

// What a block holds of a window of views: the shifts of its rows, then of its columns; then the weights.
template <class R>
LFD_HD int64_t window_bytes(int rows, int columns) {
  return (rows + columns) * static_cast<int64_t>(sizeof(AxisShift<R>)) +
         rows * columns * static_cast<int64_t>(sizeof(R));
}

template <class T, int N, bool VALID>
int64_t fwd_shared_bytes(const RefocusShape& s) {
  using R = acc_t<T>;
  const int64_t window = window_bytes<R>(s.v < kWindow ? s.v : kWindow, s.u < kWindow ? s.u : kWindow);
  const int64_t sums = (1 + VALID) * kWarps * 32 * kRows<T, N, VALID> * kColumns<T, N> * sizeof(R);
  return window > sums ? window : sums;
}

// Disparity [D], one plane: a pair (a, d). Interpolation is separable and a view's row shift depends on v alone, its
// column shift on u alone: for each v the taps along x are summed over u, then those along y once. The warps of a block
// share its pixels and split the views (rows of views, or columns where there are few rows).
template <class T, int N, bool VALID>
__global__ void __launch_bounds__(32 * kWarps, kBlocks<T, N, VALID>)
    refocus_fwd_kernel(const T* __restrict__ light_field, const acc_t<T>* __restrict__ disparity,
                       const acc_t<T>* __restrict__ aperture, out_t<T>* __restrict__ out, const RefocusShape s) {
  using R = acc_t<T>;
  constexpr int rows = kRows<T, N, VALID>, columns = kColumns<T, N>, views = kViews<T, N, VALID>;
  using Read = Neighbours<T, columns + N - 1>;
  LFD_SHARED(shared);
  const int planes = static_cast<int>(s.a * s.d), warp = threadIdx.y;
  unsigned index = blockIdx.x;  // planes first: blocks that read the same pixels run at the same time
  const int plane = peel(index, planes);
  const int x0 = peel(index, ceil_div(static_cast<int>(s.w), 32 * columns)) * 32 * columns;
  const int y0 = peel(index, ceil_div(static_cast<int>(s.h), rows)) * rows;
  const int c = peel(index, s.c), b = index;
  const int x = x0 + threadIdx.x * columns;
  const bool by_rows = s.v >= kWarps;
  const int v_step = by_rows ? kWarps : 1, u_step = by_rows ? 1 : kWarps;

  R sum[rows][columns] = {};
  R counted[VALID ? rows : 1][columns] = {};
  AxisShift<R>* shifts = reinterpret_cast<AxisShift<R>*>(shared);
  for (int v0 = 0; v0 < s.v; v0 += kWindow) {
    for (int u0 = 0; u0 < s.u; u0 += kWindow) {
      const int nv = min(static_cast<int>(s.v) - v0, kWindow), nu = min(static_cast<int>(s.u) - u0, kWindow);
      R* weights = reinterpret_cast<R*>(shifts + nv + nu);
      __syncthreads();
      const int a = plane / static_cast<int>(s.d);
      const R d = disparity[plane - a * s.d];
      for (int i = warp * 32 + threadIdx.x; i < nv + nu; i += kWarps * 32)
        shifts[i] = i < nv ? plane_shift(d, v0 + i, s.v, s.h) : plane_shift(d, u0 + i - nv, s.u, s.w);
      for (int v = warp; v < nv; v += kWarps)
        for (int u = threadIdx.x; u < nu; u += 32) weights[v * nu + u] = aperture[(a * s.v + v0 + v) * s.u + u0 + u];
      __syncthreads();
      for (int v = by_rows ? warp : 0; v < nv; v += v_step) {
        const T* view_row = light_field + b * s.sb + (v0 + v) * s.sv + u0 * s.su + c * s.sc;

        const AxisShift<R> row = shifts[v];
        const AxisShift<R>* column_shifts = shifts + nv;
        const R* row_weights = weights + v * nu;
        int line[rows + N - 1];
#pragma unroll
        for (int r = 0; r < rows + N - 1; ++r) line[r] = clamp_int(y0 + row.first + kFirstTap<N> + r, s.h);
        R along_x[rows + N - 1][columns] = {};
        R inside_x[columns] = {};

        // Adds the taps along x of view u, given a function that reads the neighbours in one of the rows.
        const auto add_view = [&](int u, const auto& values_of_row) {
          const AxisShift<R> column = column_shifts[u];
          R w[columns][N];
#pragma unroll
          for (int i = 0; i < columns; ++i) {
            tap_weights(s, column.f, w[i]);
            const R weight = !VALID || inside(x + i, column, s.w) ? row_weights[u] : R(0);
            if (VALID) inside_x[i] += weight;
#pragma unroll
            for (int j = 0; j < N; ++j) w[i][j] *= weight;
          }
#pragma unroll
          for (int r = 0; r < rows + N - 1; ++r) {
            R value[columns + N - 1];
            values_of_row(r, value);
#pragma unroll
            for (int i = 0; i < columns; ++i)
#pragma unroll
              for (int j = 0; j < N; ++j) along_x[r][i] += w[i][j] * value[i + j];
          }
        };
        for (int u = by_rows ? 0 : warp;;) {
          int chosen[views] = {}, count = 0;  // the next views of some weight
          bool interior = true;
#pragma unroll
          for (int k = 0; k < views; ++k) {
            while (u < nu && row_weights[u] == R(0)) u += u_step;
            chosen[k] = u < nu ? u : chosen[0];
            count += u < nu;
            u += u_step;
            if (count == 0) break;
            const int from = x + column_shifts[chosen[k]].first + kFirstTap<N>;
            interior = interior && from >= Read::margin && from + columns + N - 1 + Read::margin <= s.w;
          }
          if (count == 0) break;
          if (interior) {
            Read read[views][rows + N - 1];
#pragma unroll
            for (int k = 0; k < views; ++k) {
              const T* view = view_row + chosen[k] * s.su + x + column_shifts[chosen[k]].first + kFirstTap<N>;
#pragma unroll
              for (int r = 0; r < rows + N - 1; ++r) read[k][r].read(view + line[r] * s.sy);
            }
#pragma unroll
            for (int k = 0; k < views; ++k)
              if (k < count) add_view(chosen[k], [&](int r, auto& value) { read[k][r].values(value); });
          } else {
#pragma unroll
            for (int k = 0; k < views; ++k) {
              if (k >= count) continue;
              const T* view = view_row + chosen[k] * s.su;
              const int from = x + column_shifts[chosen[k]].first + kFirstTap<N>;
              add_view(chosen[k], [&](int r, auto& value) {
                const T* pixels = view + line[r] * s.sy;
#pragma unroll
                for (int j = 0; j < columns + N - 1; ++j) value[j] = to_acc(pixels[clamp_int(from + j, s.w)]);
              });
            }
          }
        }
        R w[N];
        tap_weights(s, row.f, w);
#pragma unroll
        for (int r = 0; r < rows; ++r) {
          if (VALID && !inside(y0 + r, row, s.h)) continue;
#pragma unroll
          for (int i = 0; i < columns; ++i) {
#pragma unroll
            for (int j = 0; j < N; ++j) sum[r][i] += w[j] * along_x[r + j][i];
            if (VALID) counted[r][i] += inside_x[i];
          }
        }
      }
    }
  }

  constexpr int width = 32 * columns, tile = rows * width;
  R* partial = reinterpret_cast<R*>(shared);  // [warp, row, pixel], twice if VALID
  __syncthreads();
#pragma unroll
  for (int r = 0; r < rows; ++r)
#pragma unroll
    for (int i = 0; i < columns; ++i) {
      R* to = partial + warp * tile + r * width + threadIdx.x * columns + i;
      to[0] = sum[r][i];
      if (VALID) to[kWarps * tile] = counted[r][i];
    }
  __syncthreads();
  const int64_t to = (static_cast<int64_t>(b) * planes + plane) * s.c + c;
  for (int r = warp; r < rows && y0 + r < s.h; r += kWarps) {
    for (int i = threadIdx.x; i < width && x0 + i < s.w; i += 32) {
      R total = 0, n = 0;
#pragma unroll
      for (int part = 0; part < kWarps; ++part) {
        const R* from = partial + part * tile + r * width + i;
        total += from[0];
        if (VALID) n += from[kWarps * tile];
      }
      total *= R(Element<T>::scale);
      if (VALID) total = n > R(0) ? total / n : R(0);
      out[(to * s.h + y0 + r) * s.w + x0 + i] = from_acc<out_t<T>>(total);
    }
  }
}

// Disparity maps, and all that is general: a thread is a pixel of a plane (a, d) and of up to kMapChannels channels.
inline constexpr int kMapChannels = 4;

template <class T, int N, bool GENERAL>
__global__ void __launch_bounds__(32 * kWarps, GENERAL&& N == 4 ? 3 : 4)
    refocus_map_fwd_kernel(const T* __restrict__ light_field, const acc_t<T>* __restrict__ disparity,
                           const acc_t<T>* __restrict__ aperture, out_t<T>* __restrict__ out, const RefocusShape s) {
  using R = acc_t<T>;
  const Pixel at = pixel_of_thread(s);
  if (at.x >= s.w || at.y >= s.h) return;
  unsigned index = at.plane;
  const int c0 = peel(index, ceil_div(static_cast<int>(s.c), kMapChannels)) * kMapChannels;
  const int d = peel(index, s.d), a = peel(index, s.a), b = index;
  const R disparity_here = disparity_at(disparity, s, b, d, at.y, at.x);
  const int64_t size = s.h * s.w, here = static_cast<int64_t>(at.y) * s.w + at.x;
  const R scale = R(Element<T>::scale);
  R sum[kMapChannels] = {}, counted = 0;
  R squares[GENERAL ? kMapChannels : 1] = {};
  for (int v = 0; v < s.v; ++v) {
    const AxisShift<R> row = pixel_shift(disparity_here, !GENERAL || s.map, v, s.v, s.h);
    if (s.valid && !inside(at.y, row, s.h)) continue;
    R wy[N];
    tap_weights(s, row.f, wy);
    cut_taps<GENERAL>(s, at.y, row, s.h, wy);
    for (int u = 0; u < s.u; ++u) {
      const R weight = weight_at<GENERAL>(aperture, s, b, a, v, u, here);
      if (weight == R(0) && !(GENERAL && s.reduce == Reduce::none)) continue;
      const AxisShift<R> column = pixel_shift(disparity_here, !GENERAL || s.map, u, s.u, s.w);
      if (s.valid && !inside(at.x, column, s.w)) continue;
      counted += weight;
      R wx[N];
      tap_weights(s, column.f, wx);
      cut_taps<GENERAL>(s, at.x, column, s.w, wx);
      const T* view = light_field + b * s.sb + v * s.sv + u * s.su + c0 * s.sc;
      if (GENERAL && s.reduce != Reduce::mean) {
        const R ratio = counted > R(0) ? weight / counted : R(0);
        const int64_t picture = picture_of<GENERAL>(s, b, a, d, v, u, c0);
#pragma unroll
        for (int c = 0; c < kMapChannels; ++c) {
          if (c0 + c >= s.c) continue;
          const R sample = sample_at<N>(view + c * s.sc, s, at.y, at.x, row, column, wy, wx);
          if (s.reduce == Reduce::none) {
            out[(picture + c) * size + here] = from_acc<out_t<T>>(weight * sample * scale);
            continue;
          }
          // Welford's (1962), weighted: a difference of two sums of squares would lose the variance of bright pixels.
          const R change = sample - sum[c];
          sum[c] += ratio * change;
          squares[GENERAL ? c : 0] += weight * change * (sample - sum[c]);
        }
        continue;
      }
#pragma unroll
      for (int j = 0; j < N; ++j) wx[j] *= weight;
#pragma unroll
      for (int c = 0; c < kMapChannels; ++c)
        if (c0 + c < s.c) sum[c] += sample_at<N>(view + c * s.sc, s, at.y, at.x, row, column, wy, wx);
    }
  }
  if (GENERAL && s.reduce == Reduce::none) return;
  const int64_t plane = picture_of<GENERAL>(s, b, a, d, 0, 0, c0);
  const bool moments = GENERAL && s.reduce == Reduce::moments;
  const bool divided = GENERAL ? s.divided() && !moments : s.valid;
#pragma unroll
  for (int c = 0; c < kMapChannels; ++c) {
    if (c0 + c >= s.c) continue;
    const R total = !divided ? sum[c] : counted > R(0) ? sum[c] / counted : R(0);
    out[(plane + c) * size + here] = from_acc<out_t<T>>(total * scale);
    if (!moments) continue;
    const R variance = counted > R(0) ? squares[GENERAL ? c : 0] / counted : R(0);
    out[(plane + s.a * s.d * s.c + c) * size + here] = from_acc<out_t<T>>(variance * (scale * scale));
  }
}

template <class T, int N, bool VALID>
cudaError_t launch_planes(const T* light_field, const acc_t<T>* disparity, const acc_t<T>* aperture, out_t<T>* out,
                          const RefocusShape& s, cudaStream_t stream) {
  const int64_t blocks =
      s.a * s.d * ceil_div<int64_t>(s.w, 32 * kColumns<T, N>) * ceil_div<int64_t>(s.h, kRows<T, N, VALID>) * s.c * s.b;
  if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
  const auto kernel = refocus_fwd_kernel<T, N, VALID>;
  const int64_t shared = fwd_shared_bytes<T, N, VALID>(s);
  return LFD_LAUNCH(kernel, dim3(blocks), dim3(32, kWarps), shared, stream, light_field, disparity, aperture, out, s);
}

// Planes from which on reading the views once for all of them pays: bytes take little time to read again.
template <class T>
constexpr int kStackFrom = sizeof(T) == 1 ? 3 : 2;

}  // namespace

template <class T>
cudaError_t refocus(const T* light_field, const acc_t<T>* disparity, const acc_t<T>* aperture, out_t<T>* out,
                    const RefocusShape& s, cudaStream_t stream) {
  return for_taps(s.interpolation, [&](auto taps) {
    constexpr int N = decltype(taps)::value;
    if (s.map || takes_general(s)) {
      const int64_t blocks = pixel_grid(s, s.b * s.a * s.d * ceil_div<int64_t>(s.c, kMapChannels));
      if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
      return for_general(s, [&](auto general) {
        const auto kernel = refocus_map_fwd_kernel<T, N, decltype(general)::value>;
        return LFD_LAUNCH(kernel, dim3(blocks), dim3(32, kWarps), 0, stream, light_field, disparity, aperture, out, s);
      });
    }
    if (s.valid) return launch_planes<T, N, true>(light_field, disparity, aperture, out, s, stream);
    if constexpr (sizeof(acc_t<T>) == 4)
      if (s.a * s.d >= kStackFrom<T> && s.cubic == kKeys)
        return refocus_stack(light_field, disparity, aperture, out, s, stream);
    return launch_planes<T, N, false>(light_field, disparity, aperture, out, s, stream);
  });
}

#define INSTANTIATE(T)                                                                                     \
  template cudaError_t refocus(const T*, const acc_t<T>*, const acc_t<T>*, out_t<T>*, const RefocusShape&, \
                               cudaStream_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)
INSTANTIATE(uint8_t)
INSTANTIATE(uint16_t)

}  // namespace lfdeblur::cuda
