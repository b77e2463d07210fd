// Forward kernels of `refocus`.
#include "cuda/refocus.h"
#include "cuda/refocus_sampling.h"

namespace lfdeblur::cuda {
namespace {

// Neighbouring pixels per thread: a warp then reads whole 128-byte lines of narrow elements too.
template <class T, int N>
inline constexpr int kColumns = sizeof(T) == 1 && N == 2 ? 4
                                : sizeof(T) <= 2         ? 2
                                                         : 1;
// Rows per thread: its sums, one for each plane, row and column, stay in registers.
template <class T, int N, bool VALID>
inline constexpr int kRows = sizeof(T) == 4 && N == 2 && !VALID ? 8 : 4;
template <class T, int N>
inline constexpr int kPlanes = sizeof(T) == 4 || (sizeof(T) == 2 && N == 2) ? 4 : 2;

template <class T, int N, int PLANES, bool VALID>
int64_t fwd_shared_bytes(const RefocusShape& s) {
  const int64_t window = (s.v < kWindow ? s.v : kWindow) + (s.u < kWindow ? s.u : kWindow);
  const int64_t shifts = PLANES * window * static_cast<int64_t>(sizeof(AxisShift<acc_t<T>>));
  const int64_t sums = (1 + VALID) * kWarps * 32 * kRows<T, N, VALID> * kColumns<T, N> * sizeof(acc_t<T>);
  return shifts > sums ? shifts : sums;
}

// Disparity [D]. Interpolation is separable and a view's row shift depends on v alone, its column shift on u alone: for
// each v the taps along x are summed over u, then those along y once. The warps of a block share its pixels and split
// the views (rows of views, or columns where there are few rows). "Planes" are the pairs (a, d); a block does PLANES of
// them (one if VALID, as the weights that count are summed as well), so that the others read the views from a cache.
template <class T, int N, int PLANES, bool VALID>
__global__ void __launch_bounds__(32 * kWarps, N == 4 && VALID ? 2 : 3)
    refocus_fwd_kernel(const T* __restrict__ light_field, const acc_t<T>* __restrict__ disparity,
                       const acc_t<T>* __restrict__ aperture, out_t<T>* __restrict__ out, const RefocusShape s) {
  static_assert(!VALID || PLANES == 1, "the weights that count are summed for one plane");
  using R = acc_t<T>;
  constexpr int rows = kRows<T, N, VALID>, columns = kColumns<T, N>;
  LFD_SHARED(shared);
  const int planes = static_cast<int>(s.a * s.d), warp = threadIdx.y;
  unsigned index = blockIdx.x;  // planes first: blocks that read the same pixels run at the same time
  const int plane0 = peel(index, ceil_div(planes, PLANES)) * PLANES;
  const int x0 = peel(index, ceil_div(static_cast<int>(s.w), 32 * columns)) * 32 * columns;
  const int y0 = peel(index, ceil_div(static_cast<int>(s.h), rows)) * rows;
  const int c = peel(index, s.c), b = index;
  const int x = x0 + threadIdx.x * columns;
  const bool by_rows = s.v >= kWarps;
  const int v_step = by_rows ? kWarps : 1, u_step = by_rows ? 1 : kWarps;

  R sum[PLANES][rows][columns] = {};
  R counted[VALID ? rows : 1][columns] = {};
  AxisShift<R>* shifts = reinterpret_cast<AxisShift<R>*>(shared);
  for (int v0 = 0; v0 < s.v; v0 += kWindow) {
    for (int u0 = 0; u0 < s.u; u0 += kWindow) {
      const int nv = min(static_cast<int>(s.v) - v0, kWindow), nu = min(static_cast<int>(s.u) - u0, kWindow);
      __syncthreads();
      for (int i = warp * 32 + threadIdx.x; i < PLANES * (nv + nu); i += kWarps * 32) {
        const int p = i / (nv + nu), j = i - p * (nv + nu);
        const R d = disparity[min(plane0 + p, planes - 1) % static_cast<int>(s.d)];
        shifts[i] = j < nv ? plane_shift(d, v0 + j, s.v, s.h) : plane_shift(d, u0 + j - nv, s.u, s.w);
      }
      __syncthreads();
      for (int v = by_rows ? warp : 0; v < nv; v += v_step) {
        const T* view_row = light_field + b * s.sb + (v0 + v) * s.sv + c * s.sc;
#pragma unroll
        for (int p = 0; p < PLANES; ++p) {
          if (plane0 + p >= planes) continue;
          const int a = (plane0 + p) / static_cast<int>(s.d);
          const AxisShift<R>* of_plane = shifts + p * (nv + nu);
          const AxisShift<R> row = of_plane[v];
          int line[rows + N - 1];
#pragma unroll
          for (int r = 0; r < rows + N - 1; ++r) line[r] = clamp_int(y0 + row.first + kFirstTap<N> + r, s.h);
          R along_x[rows + N - 1][columns] = {};
          R inside_x[columns] = {};
#pragma unroll 1
          for (int u = by_rows ? 0 : warp; u < nu; u += u_step) {
            const R weight = aperture[(a * s.v + v0 + v) * s.u + u0 + u];
            if (weight == R(0)) continue;
            const AxisShift<R> column = of_plane[nv + u];
            R w[columns][N];
#pragma unroll
            for (int i = 0; i < columns; ++i) {
              tap_weights(s.interpolation, column.f, w[i]);
              const R counts = !VALID || inside(x + i, column, s.w) ? weight : R(0);
              if (VALID) inside_x[i] += counts;
#pragma unroll
              for (int j = 0; j < N; ++j) w[i][j] *= counts;
            }
            const T* view = view_row + (u0 + u) * s.su;
            const int from = x + column.first + kFirstTap<N>;
            const auto add_rows = [&](const auto& column_of) {
#pragma unroll
              for (int r = 0; r < rows + N - 1; ++r) {
                const T* pixels = view + line[r] * s.sy;
                R value[columns + N - 1];
#pragma unroll
                for (int j = 0; j < columns + N - 1; ++j) value[j] = to_acc(pixels[column_of(j)]);
#pragma unroll
                for (int i = 0; i < columns; ++i)
#pragma unroll
                  for (int j = 0; j < N; ++j) along_x[r][i] += w[i][j] * value[i + j];
              }
            };
            if (from >= 0 && from + columns + N - 1 <= s.w) {
              view += from;
              add_rows([](int j) { return j; });
            } else {
              add_rows([&](int j) { return clamp_int(from + j, s.w); });
            }
          }
          R w[N];
          tap_weights(s.interpolation, row.f, w);
#pragma unroll
          for (int r = 0; r < rows; ++r) {
            if (VALID && !inside(y0 + r, row, s.h)) continue;
#pragma unroll
            for (int i = 0; i < columns; ++i) {
#pragma unroll
              for (int j = 0; j < N; ++j) sum[p][r][i] += w[j] * along_x[r + j][i];
              if (VALID) counted[r][i] += inside_x[i];
            }
          }
        }
      }
    }
  }

  constexpr int width = 32 * columns, tile = rows * width;
  R* partial = reinterpret_cast<R*>(shared);  // [warp, row, pixel], twice if VALID
#pragma unroll
  for (int p = 0; p < PLANES; ++p) {
    __syncthreads();
#pragma unroll
    for (int r = 0; r < rows; ++r)
#pragma unroll
      for (int i = 0; i < columns; ++i) {
        R* to = partial + warp * tile + r * width + threadIdx.x * columns + i;
        to[0] = sum[p][r][i];
        if (VALID) to[kWarps * tile] = counted[r][i];
      }
    __syncthreads();
    if (plane0 + p >= planes) continue;
    const int64_t plane = (static_cast<int64_t>(b) * planes + plane0 + p) * s.c + c;
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
        out[(plane * s.h + y0 + r) * s.w + x0 + i] = from_acc<out_t<T>>(total);
      }
    }
  }
}

// Disparity [D, H, W]: a thread is a pixel of a plane (a, d) and of up to kMapChannels channels.
inline constexpr int kMapChannels = 4;

template <class T, int N>
__global__ void __launch_bounds__(32 * kWarps, 4)
    refocus_map_fwd_kernel(const T* __restrict__ light_field, const acc_t<T>* __restrict__ disparity,
                           const acc_t<T>* __restrict__ aperture, out_t<T>* __restrict__ out, const RefocusShape s) {
  using R = acc_t<T>;
  const Pixel at = pixel_of_thread(s);
  if (at.x >= s.w || at.y >= s.h) return;
  unsigned index = at.plane;
  const int c0 = peel(index, ceil_div(static_cast<int>(s.c), kMapChannels)) * kMapChannels;
  const int d = peel(index, s.d), a = peel(index, s.a), b = index;
  const R disparity_here = disparity_at(disparity, s, d, at.y, at.x);
  R sum[kMapChannels] = {}, counted = 0;
  for (int v = 0; v < s.v; ++v) {
    const AxisShift<R> row = pixel_shift(disparity_here, true, v, s.v, s.h);
    if (s.valid && !inside(at.y, row, s.h)) continue;
    R wy[N];
    tap_weights(s.interpolation, row.f, wy);
    for (int u = 0; u < s.u; ++u) {
      const R weight = aperture[(a * s.v + v) * s.u + u];
      if (weight == R(0)) continue;
      const AxisShift<R> column = pixel_shift(disparity_here, true, u, s.u, s.w);
      if (s.valid && !inside(at.x, column, s.w)) continue;
      counted += weight;
      R wx[N];
      tap_weights(s.interpolation, column.f, wx);
#pragma unroll
      for (int j = 0; j < N; ++j) wx[j] *= weight;
      const T* view = light_field + b * s.sb + v * s.sv + u * s.su + c0 * s.sc;
#pragma unroll
      for (int c = 0; c < kMapChannels; ++c)
        if (c0 + c < s.c) sum[c] += sample_at<N>(view + c * s.sc, s, at.y, at.x, row, column, wy, wx);
    }
  }
  const R scale = R(Element<T>::scale);
  const int64_t plane = ((static_cast<int64_t>(b) * s.a + a) * s.d + d) * s.c + c0;
#pragma unroll
  for (int c = 0; c < kMapChannels; ++c) {
    if (c0 + c >= s.c) continue;
    const R total = !s.valid ? sum[c] : counted > R(0) ? sum[c] / counted : R(0);
    out[((plane + c) * s.h + at.y) * s.w + at.x] = from_acc<out_t<T>>(total * scale);
  }
}

template <class T, int N, int PLANES, bool VALID>
cudaError_t launch_planes(const T* light_field, const acc_t<T>* disparity, const acc_t<T>* aperture, out_t<T>* out,
                          const RefocusShape& s, cudaStream_t stream) {
  const int64_t blocks = ceil_div<int64_t>(s.a * s.d, PLANES) * ceil_div<int64_t>(s.w, 32 * kColumns<T, N>) *
                         ceil_div<int64_t>(s.h, kRows<T, N, VALID>) * s.c * s.b;
  if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
  const auto kernel = refocus_fwd_kernel<T, N, PLANES, VALID>;
  const int64_t shared = fwd_shared_bytes<T, N, PLANES, VALID>(s);
  return LFD_LAUNCH(kernel, dim3(blocks), dim3(32, kWarps), shared, stream, light_field, disparity, aperture, out, s);
}

}  // namespace

template <class T>
cudaError_t refocus(const T* light_field, const acc_t<T>* disparity, const acc_t<T>* aperture, out_t<T>* out,
                    const RefocusShape& s, cudaStream_t stream) {
  return for_taps(s.interpolation, [&](auto taps) {
    constexpr int N = decltype(taps)::value;
    if (s.map) {
      const int64_t blocks = pixel_grid(s, s.b * s.a * s.d * ceil_div<int64_t>(s.c, kMapChannels));
      if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
      const auto kernel = refocus_map_fwd_kernel<T, N>;
      return LFD_LAUNCH(kernel, dim3(blocks), dim3(32, kWarps), 0, stream, light_field, disparity, aperture, out, s);
    }
    if (s.valid) return launch_planes<T, N, 1, true>(light_field, disparity, aperture, out, s, stream);
    if (s.a * s.d == 1) return launch_planes<T, N, 1, false>(light_field, disparity, aperture, out, s, stream);
    return launch_planes<T, N, kPlanes<T, N>, false>(light_field, disparity, aperture, out, s, stream);
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
