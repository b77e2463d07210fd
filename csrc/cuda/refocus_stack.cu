// Forward kernel of `refocus` to many planes at once: a focal stack is summed tile by tile, each view read once for all
// the planes of a block.
//
// For a column of views (u) the taps along y are summed over v, then those along x once: N * (V * U + U) multiply-adds
// a pixel and plane, the separable floor. A lane is a column of pixels and holds some rows of kGroup planes in
// registers; its window of rows + N - 1 pixels of the view comes from a tile in shared memory, where a block has put
// the view as floats, and is read anew only where the next plane is shifted by another whole pixel.
//
// What a warp issues for a view and a plane, bilinear, 10 rows, counted in the machine code for sm_90: 20
// multiply-adds, 3.5 instructions to fetch weights and compare, 15 (11 of them loads) where the window is read anew;
// besides, a view costs about 105 instructions to stage and to step, shared by 8 planes, and a column of views 30 per
// plane for the taps along x. With 15 x 15 views and 64 planes 0.05 pixels per view step apart 37 of 100 windows are
// read anew: 44 instructions to 21 multiply-adds of the floor, and 7 clocks of shared memory to 11 clocks of the four
// schedulers. Planes far apart read every window: 54 to 21.
#include <algorithm>

#include "cuda/neighbours.h"
#include "cuda/refocus.h"
#include "cuda/refocus_sampling.h"

namespace lfdeblur::cuda {
namespace {

constexpr int kGroup = 8;        // sweep: 4 6; planes in the registers of a warp
constexpr int kLinearRows = 10;  // sweep: 8 11; rows in the registers of a thread
constexpr int kCubicRows = 9;    // sweep: 7 10
constexpr int kStackWarps = 4;   // sweep: 4 8
constexpr int kStackBlocks = 2;  // per multiprocessor, as many as the registers allow without spilling
constexpr int kPitch = 96;       // floats from one row of the tile to the next
constexpr int kAhead = 2;        // units of the next view that a thread has in flight
constexpr int kReciprocal = 20;  // bits
constexpr int64_t kLongestRow = int64_t{1} << 23;  // stride of the rows up to which offsets in a region have 32 bits

constexpr int kSkip = -1, kNothing = -2;  // instead of an offset into the tile, in bytes

// How the warps of a block share the planes and the pixels, and the rows of a tile buffer.
struct StackBlock {
  int groups, across, down;
  int tile_rows;
};
template <int N>
constexpr int kLanes = 33 - N;  // pixels in a row of a warp: the taps along x reach N - 1 further

template <class R, int N>
struct alignas(16) GroupTaps {
  R weight[kGroup][N];
  int offset[kGroup];
};

template <int N>
constexpr int kRows = N == 4 ? kCubicRows : kLinearRows;

// One axis of the part of a view that a block needs.
struct alignas(16) Extent {
  int first;       // least whole shift of the planes
  int begin;       // pixel, which may lie outside of the view
  int units;       // rows or columns of units, 0 if they do not fit into a tile
  int inside;      // does all of it lie inside of the view, with what is read beside it?
  int64_t offset;  // of its begin, from the first view on
};
__device__ __forceinline__ Extent extent_of(int first, int last, int origin, int pixels, int limit, int unit,
                                            int margin, int64_t size, int64_t view_offset, int64_t stride) {
  const unsigned needed = pixels + (static_cast<unsigned>(last) - static_cast<unsigned>(first));
  Extent extent{first, origin + first, 0, 0, view_offset + (origin + first) * stride};
  if (needed <= static_cast<unsigned>(limit)) extent.units = ceil_div(static_cast<int>(needed), unit);
  extent.inside = extent.begin >= margin && extent.begin + extent.units * unit + margin <= size;
  return extent;
}

struct StackShared {
  int64_t taps, shifts, extents, active, bytes;
};
template <int N>
LFD_HD StackShared stack_shared(const StackBlock& block, int rows, int columns) {
  StackShared at{};
  at.taps = 2 * block.tile_rows * kPitch * static_cast<int64_t>(sizeof(float));
  at.shifts = at.taps + rows * block.groups * static_cast<int64_t>(sizeof(GroupTaps<float, N>));
  at.extents = at.shifts + (rows + columns) * block.groups * kGroup * static_cast<int64_t>(sizeof(AxisShift<float>));
  at.active = at.extents + (rows + columns) * static_cast<int64_t>(sizeof(Extent));
  at.bytes = at.active + 2 * static_cast<int64_t>(sizeof(unsigned));
  return at;
}

// What a thread moves of a view at once: 16 bytes of the tile, from neighbours of narrow elements or four rows.
template <class T>
struct Unit {
  static constexpr int across = sizeof(T) < 4 ? 4 : 1, down = 4 / across;
  Neighbours<T, across> row[down];
};

// Where a unit lies in the part of a view: [row, column].
struct Place {
  int row, column;
};
template <class T>
__device__ __forceinline__ Place place_of(int unit, int units_across, unsigned reciprocal) {
  const int row = static_cast<int>(unit * reciprocal >> kReciprocal);
  return {row * Unit<T>::down, (unit - row * units_across) * Unit<T>::across};
}

template <class T>
__device__ __forceinline__ void fetch(Unit<T>& unit, const T* from, int64_t row_stride) {
#pragma unroll
  for (int i = 0; i < Unit<T>::down; ++i) unit.row[i].read(from + i * row_stride);
}
template <class T>
__device__ __forceinline__ void fetch_clamped(Unit<T>& unit, const T* view, int y, int x, const RefocusViews& s) {
#pragma unroll
  for (int i = 0; i < Unit<T>::down; ++i) unit.row[i].read_clamped(view + clamp_int(y + i, s.h) * s.sy, x, s.w);
}

template <class T>
__device__ __forceinline__ void put(const Unit<T>& unit, float* to) {
#pragma unroll
  for (int i = 0; i < Unit<T>::down; ++i) {
    float value[Unit<T>::across];
    unit.row[i].values(value);
    Pack<float, Unit<T>::across> pack;
#pragma unroll
    for (int j = 0; j < Unit<T>::across; ++j) pack.at[j] = value[j];
    *reinterpret_cast<Pack<float, Unit<T>::across>*>(to + i * kPitch) = pack;
  }
}

template <class T, int N>
__global__ void __launch_bounds__(32 * kStackWarps, kStackBlocks)
    refocus_stack_kernel(const T* __restrict__ light_field, const float* __restrict__ disparity,
                         const float* __restrict__ aperture, out_t<T>* __restrict__ out, const RefocusViews s,
                         const StackBlock block) {
  constexpr int threads = 32 * kStackWarps, rows = kRows<N>;
  LFD_SHARED(shared);
  const int planes = static_cast<int>(s.a * s.d), block_planes = block.groups * kGroup;
  const int lane = threadIdx.x, warp = __shfl_sync(0xffffffffu, threadIdx.y, 0), thread = warp * 32 + lane;
  unsigned part = warp;
  const int group = peel(part, block.groups), tile_x = peel(part, block.across) * kLanes<N>, tile_y = part * rows;

  unsigned index = blockIdx.x;  // planes first: blocks that read the same pixels run at the same time
  const int plane0 = peel(index, ceil_div(planes, block_planes)) * block_planes;
  const int x0 = peel(index, ceil_div(static_cast<int>(s.w), block.across * kLanes<N>)) * block.across * kLanes<N>;
  const int y0 = peel(index, ceil_div(static_cast<int>(s.h), block.down * rows)) * block.down * rows;
  const int c = peel(index, s.c), b = index;
  const int held = min(planes - plane0, block_planes);

  const int window_rows = min(static_cast<int>(s.v), kWindow), window_columns = min(static_cast<int>(s.u), kWindow);
  const StackShared at = stack_shared<N>(block, window_rows, window_columns);
  float* tiles = reinterpret_cast<float*>(shared);  // two buffers
  const int buffer_floats = block.tile_rows * kPitch, my_floats = tile_y * kPitch + tile_x + lane;
  GroupTaps<float, N>* taps = reinterpret_cast<GroupTaps<float, N>*>(shared + at.taps);  // [v, group]
  AxisShift<float>* shifts = reinterpret_cast<AxisShift<float>*>(shared + at.shifts);    // [v, then u; plane]
  Extent* extents = reinterpret_cast<Extent*>(shared + at.extents);                      // [v, then u]
  unsigned* active = reinterpret_cast<unsigned*>(shared + at.active);  // bit v: some plane weighs that view

  const T* image = light_field + b * s.sb + c * s.sc;
  float sum[kGroup][rows] = {};
  float window[rows + N - 1] = {};
  for (int v0 = 0; v0 < s.v; v0 += kWindow) {
    for (int u0 = 0; u0 < s.u; u0 += kWindow) {
      const int nv = min(static_cast<int>(s.v) - v0, kWindow), nu = min(static_cast<int>(s.u) - u0, kWindow);
      __syncthreads();
      for (int i = thread; i < (nv + nu) * block_planes; i += threads) {
        const int view = i / block_planes, plane = min(plane0 + i - view * block_planes, planes - 1);
        const float d = disparity[plane % static_cast<int>(s.d)];
        shifts[i] = view < nv ? plane_shift(d, v0 + view, s.v, s.h) : plane_shift(d, u0 + view - nv, s.u, s.w);
      }
      if (thread == 0) active[0] = 0;
      __syncthreads();
      for (int i = thread; i < nv + nu; i += threads) {
        int first = shifts[i * block_planes].first, last = first;
        for (int p = 1; p < held; ++p) {
          first = min(first, shifts[i * block_planes + p].first);
          last = max(last, shifts[i * block_planes + p].first);
        }
        if (i < nv) {
          extents[i] = extent_of(first, last, y0 + kFirstTap<N>, block.down * rows + N - 1, block.tile_rows,
                                 Unit<T>::down, 0, s.h, (v0 + i) * s.sv, s.sy);
        } else {
          extents[i] = extent_of(first, last, x0 + kFirstTap<N>, (block.across - 1) * kLanes<N> + 32, kPitch,
                                 Unit<T>::across, Neighbours<T, Unit<T>::across>::margin, s.w, (u0 + i - nv) * s.su, 1);
          extents[i].inside = extents[i].inside && s.sy < kLongestRow;
        }
      }

      for (int u = 0; u < nu; ++u) {
        __syncthreads();
        const AxisShift<float>* column_shifts = shifts + (nv + u) * block_planes;
        const Extent column = extents[nv + u];
        if (thread == 0) active[(u + 1) % 2] = 0;
        for (int i = thread; i < nv * block_planes; i += threads) {
          const int v = i / block_planes, p = i - v * block_planes;
          const AxisShift<float> row = shifts[i];
          float weight = 0, w[N];
          if (p < held) {
            const int a = (plane0 + p) / static_cast<int>(s.d);
            weight = aperture[(a * s.v + v0 + v) * s.u + u0 + u];
          }
          tap_weights(s.interpolation, kKeys, row.f, w);
          GroupTaps<float, N>& to = taps[v * block.groups + p / kGroup];
#pragma unroll
          for (int j = 0; j < N; ++j) to.weight[p % kGroup][j] = weight * w[j];
          const int offset = ((row.first - extents[v].first) * kPitch + column_shifts[p].first - column.first) *
                             static_cast<int>(sizeof(float));
          to.offset[p % kGroup] = weight == 0.0f ? kSkip : offset;
          if (weight != 0.0f) atomicOr(active + u % 2, 1u << v);
        }
        __syncthreads();
        const unsigned reciprocal = ceil_div(1 << kReciprocal, max(column.units, 1));
        // What a thread moves of every view of this column: offsets into the view and into the tile.
        int from[kAhead], to[kAhead];
#pragma unroll
        for (int i = 0; i < kAhead; ++i) {
          const Place place = place_of<T>(thread + i * threads, column.units, reciprocal);
          from[i] = place.row * static_cast<int>(s.sy) + place.column;
          to[i] = place.row * kPitch + place.column;
        }

        float along_y[kGroup][rows] = {};
        Unit<T> ahead[kAhead];
        unsigned views = active[u % 2];
        int units = 0;
        const auto view_at = [&](int v) { return image + (v0 + v) * s.sv + (u0 + u) * s.su; };
        const auto fetch_at = [&](Unit<T>& unit, int v, const Extent& row, int index) {
          const Place place = place_of<T>(index, column.units, reciprocal);
          fetch_clamped(unit, view_at(v), row.begin + place.row, column.begin + place.column, s);
        };
        for (int v = -1, buffer = 0;; buffer ^= 1) {  // view v is summed while the next one is on its way
          const bool staged = units > 0;
          const int next = views ? __ffs(views) - 1 : -1;
          views &= views - 1;
          Extent row{};
          if (next >= 0) {
            row = extents[next];
            units = row.units * column.units;
            const T* corner = image + (row.offset + column.offset);
            const bool inside = row.inside && column.inside;
#pragma unroll
            for (int i = 0; i < kAhead; ++i) {
              if (thread + i * threads >= units) continue;
              if (inside) {
                fetch(ahead[i], corner + from[i], s.sy);
              } else {
                fetch_at(ahead[i], next, row, thread + i * threads);
              }
            }
          }
          if (v >= 0) {
            const GroupTaps<float, N>& of_group = taps[v * block.groups + group];
            const unsigned char* mine = shared + (buffer * buffer_floats + my_floats) * static_cast<int>(sizeof(float));
            int offset = kNothing;  // of what the window holds
#pragma unroll
            for (int p = 0; p < kGroup; ++p) {
              if (of_group.offset[p] != offset) {
                if (of_group.offset[p] == kSkip) continue;
                if (staged) {
                  offset = of_group.offset[p];
#pragma unroll
                  for (int r = 0; r < rows + N - 1; ++r)
                    window[r] = reinterpret_cast<const float*>(mine + offset)[r * kPitch];
                } else {
                  const int plane = group * kGroup + p;
                  const T* from =
                      view_at(v) + clamp_int(x0 + tile_x + lane + column_shifts[plane].first + kFirstTap<N>, s.w);
                  const int y = y0 + tile_y + shifts[v * block_planes + plane].first + kFirstTap<N>;
#pragma unroll
                  for (int r = 0; r < rows + N - 1; ++r) window[r] = to_acc(from[clamp_int(y + r, s.h) * s.sy]);
                }
              }
#pragma unroll
              for (int r = 0; r < rows; ++r)
#pragma unroll
                for (int j = 0; j < N; ++j) along_y[p][r] += of_group.weight[p][j] * window[r + j];
            }
          }
          if (next < 0) break;
          float* tile = tiles + (buffer ^ 1) * buffer_floats;
#pragma unroll
          for (int i = 0; i < kAhead; ++i)
            if (thread + i * threads < units) put(ahead[i], tile + to[i]);
#pragma unroll 1
          for (int i = thread + kAhead * threads; i < units; i += threads) {
            const Place place = place_of<T>(i, column.units, reciprocal);
            Unit<T> unit;
            if (row.inside && column.inside) {
              fetch(unit, image + (row.offset + column.offset) + (place.row * s.sy + place.column), s.sy);
            } else {
              fetch_at(unit, next, row, i);
            }
            put(unit, tile + place.row * kPitch + place.column);
          }
          __syncthreads();
          v = next;
        }
#pragma unroll
        for (int p = 0; p < kGroup; ++p) {
          float w[N];
          tap_weights(s.interpolation, kKeys, column_shifts[group * kGroup + p].f, w);
#pragma unroll
          for (int r = 0; r < rows; ++r) {
            sum[p][r] += w[0] * along_y[p][r];
#pragma unroll
            for (int j = 1; j < N; ++j) sum[p][r] += w[j] * __shfl_down_sync(0xffffffffu, along_y[p][r], j);
          }
        }
      }
    }
  }

  const int x = x0 + tile_x + lane;
  if (lane >= kLanes<N> || x >= s.w) return;
#pragma unroll
  for (int p = 0; p < kGroup; ++p) {
    if (group * kGroup + p >= held) continue;
    const int64_t plane = (static_cast<int64_t>(b) * planes + plane0 + group * kGroup + p) * s.c + c;
    out_t<T>* to = out + (plane * s.h + y0 + tile_y) * s.w + x;
#pragma unroll
    for (int r = 0; r < rows; ++r)
      if (y0 + tile_y + r < s.h) to[r * s.w] = from_acc<out_t<T>>(sum[p][r] * Element<T>::scale);
  }
}

// Shared memory for a block, such that kStackBlocks fit on a multiprocessor.
template <class Kernel>
cudaError_t shared_for_blocks(Kernel kernel, int& bytes) {
  int device = 0, whole = 0, most = 0;
  cudaError_t error = cudaGetDevice(&device);
  if (error == cudaSuccess) error = cudaDeviceGetAttribute(&whole, cudaDevAttrMaxSharedMemoryPerMultiprocessor, device);
  if (error == cudaSuccess) error = cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
  bytes = std::min(whole / kStackBlocks - (1 << 10), most);  // each block takes 1 KiB for the system
  if (error == cudaSuccess) error = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
  return error;
}

}  // namespace

template <class T>
cudaError_t refocus_stack(const T* light_field, const float* disparity, const float* aperture, out_t<T>* out,
                          const RefocusShape& s, cudaStream_t stream) {
  return for_taps(s.interpolation, [&](auto n) {
    constexpr int N = decltype(n)::value;
    const auto kernel = refocus_stack_kernel<T, N>;
    int limit = 0;
    if (const cudaError_t error = shared_for_blocks(kernel, limit); error != cudaSuccess) return error;
    // Many planes share a block's tile; the warps that few planes leave over enlarge it.
    const int64_t groups = ceil_div<int64_t>(s.a * s.d, kGroup);
    StackBlock block{1, 1, 1, 0};
    while (block.groups < groups && block.groups < kStackWarps) block.groups *= 2;
    if (block.groups < kStackWarps / 2) block.across = 2;
    block.down = kStackWarps / block.groups / block.across;
    const int rows = static_cast<int>(s.v < kWindow ? s.v : kWindow),
              columns = static_cast<int>(s.u < kWindow ? s.u : kWindow);
    const int64_t row_bytes = 2 * kPitch * static_cast<int64_t>(sizeof(float));
    block.tile_rows = static_cast<int>((limit - stack_shared<N>(block, rows, columns).bytes) / row_bytes / 4 * 4);
    const int64_t blocks = ceil_div<int64_t>(groups, block.groups) * ceil_div<int64_t>(s.w, block.across * kLanes<N>) *
                           ceil_div<int64_t>(s.h, block.down * kRows<N>) * s.c * s.b;
    if (!fits_grid(blocks) || block.tile_rows < 0) return cudaErrorInvalidConfiguration;
    return LFD_LAUNCH(kernel, dim3(blocks), dim3(32, kStackWarps), stack_shared<N>(block, rows, columns).bytes, stream,
                      light_field, disparity, aperture, out, s, block);
  });
}

#define INSTANTIATE(T)                                                                                     \
  template cudaError_t refocus_stack(const T*, const float*, const float*, out_t<T>*, const RefocusShape&, \
                                     cudaStream_t);
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)
INSTANTIATE(uint8_t)
INSTANTIATE(uint16_t)

}  // namespace lfdeblur::cuda
