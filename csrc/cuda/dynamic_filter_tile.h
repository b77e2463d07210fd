// What the kernels of `dynamic_filter` share: the shape of a block and the image tile it keeps in shared memory.
#pragma once
#include <type_traits>

#include "cuda/access.h"
#include "lfdeblur/dynamic_filter.h"

namespace lfdeblur::cuda {

inline constexpr int kChannels = 4;   // channels in registers at once
inline constexpr int kThreads = 128;  // sweep: 64

// A block covers width x rows pixels, VEC neighbours per thread.
template <int VEC>
struct Block {
  static constexpr int lanes = VEC == 1 ? 32 : VEC == 8 ? 8 : 16;
  static constexpr int rows = kThreads / lanes;
  static constexpr int width = lanes * VEC;
};

// The taps of a filter row loaded together: the whole row if k is known at compile time.
template <int K>
inline constexpr int kBatch = K ? K : 4;

// [channels, rows, pitch]: a block's pixels and the k / 2 around them, in the type of the sum.
struct TileShape {
  int width, rows, pitch;  // pitch: vector reads of windows of taps stay inside and aligned
};
LFD_HD TileShape tile_shape(int block_width, int block_rows, int k) {
  return {block_width + k - 1, block_rows + k - 1, block_width + round_up(k, 4)};
}
template <class R>
LFD_HD int64_t tile_bytes(const TileShape& tile, int64_t channels) {
  return (channels < kChannels ? channels : kChannels) * tile.rows * tile.pitch * static_cast<int64_t>(sizeof(R));
}

struct Position {
  int image, n, g;  // image = n * groups + g
  int y, x;         // the block's first pixel
};
__device__ __forceinline__ Position position(const DynamicFilterShape& s, int block_width, int block_rows) {
  unsigned index = blockIdx.x;
  const int x = peel(index, ceil_div(static_cast<int>(s.width), block_width)) * block_width;
  const int y = peel(index, ceil_div(static_cast<int>(s.height), block_rows)) * block_rows;
  const int image = index;
  const int g = peel(index, s.groups);
  return {image, static_cast<int>(index), g, y, x};
}
inline int64_t grid_size(const DynamicFilterShape& s, int block_width, int block_rows) {
  constexpr int64_t longest = INT32_MAX / 2;  // pixels are counted in 32 bits
  if (s.width > longest || s.height > longest) return INT64_MAX;
  return ceil_div<int64_t>(s.width, block_width) * ceil_div<int64_t>(s.height, block_rows) * s.n * s.groups;
}

// Fills the tile from the planes of `count` channels; its first pixel is (y, x) of the image, which may lie outside.
template <class T>
__device__ __forceinline__ void stage(const T* planes, int count, acc_t<T>* tile, const TileShape& shape, int y, int x,
                                      const DynamicFilterShape& s, bool replicate) {
  const int height = static_cast<int>(s.height), width = static_cast<int>(s.width);
  for (int c = 0; c < count; ++c) {
    const T* plane = planes + c * s.height * s.width;
    for (int i = threadIdx.y; i < shape.rows; i += blockDim.y) {
      const int py = min(max(y + i, 0), height - 1);
      acc_t<T>* row = tile + (c * shape.rows + i) * shape.pitch;
      for (int j = threadIdx.x; j < shape.width; j += blockDim.x) {
        const int px = min(max(x + j, 0), width - 1);
        const bool inside = py == y + i && px == x + j;
        row[j] = inside || replicate ? to_acc(plane[static_cast<int64_t>(py) * width + px]) : acc_t<T>(0);
      }
    }
  }
}

// COUNT neighbours from a row of the tile; with VEC > 1 the address is a multiple of 16 bytes.
template <int VEC, int COUNT, class R>
__device__ __forceinline__ void read_window(const R* row, R (&window)[COUNT]) {
  constexpr int step = VEC == 1 ? 1 : kVector<R>;
#pragma unroll
  for (int j = 0; j < COUNT; j += step) {
    const Pack<R, step> pack = load<step>(row + j);
#pragma unroll
    for (int i = 0; i < step; ++i)
      if (j + i < COUNT) window[j + i] = pack.at[i];
  }
}

// Can a thread read and write 16 bytes at once? Strides of axes of size one do not matter.
template <class T>
bool vectorizable(const T* image, const T* other_image, const T* filters, const DynamicFilterShape& s) {
  const auto whole = [](int64_t size, int64_t stride) { return size == 1 || stride % kVector<T> == 0; };
  return s.fx == 1 && s.width % kVector<T> == 0 && aligned16(image) && aligned16(other_image) && aligned16(filters) &&
         whole(s.n, s.fn) && whole(s.groups, s.fg) && whole(s.k, s.ft) && whole(s.height, s.fy);
}

// Channels-last filters: the k * k taps of a pixel lie side by side, and those of 32 pixels pass through shared memory.
inline constexpr int kRun = 32;

// Rows of 32 pixels per block for which taps (of `tap_bytes` each) and image tile fit in shared memory; 0: not even
// one.
template <class R>
int channels_last_rows(const DynamicFilterShape& s, int64_t tap_bytes) {
  if (s.ft != 1 || s.fx == 1 || s.k == 1) return 0;
  int rows = kThreads / kRun;
  while (rows &&
         rows * kRun * s.k * s.k * tap_bytes + tile_bytes<R>(tile_shape(kRun, rows, s.k), s.channels) > kSharedLimit)
    rows /= 2;
  return rows;
}

// Calls f with k as a compile-time constant where it is a common one, else with 0.
template <class F>
cudaError_t for_kernel_size(int k, const F& f) {
  if (k == 3) return f(std::integral_constant<int, 3>{});
  if (k == 5) return f(std::integral_constant<int, 5>{});
  if (k == 7) return f(std::integral_constant<int, 7>{});
  return f(std::integral_constant<int, 0>{});
}

}  // namespace lfdeblur::cuda
