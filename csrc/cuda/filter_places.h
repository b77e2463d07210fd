// How threads are laid over pictures and rows of filters of any strides: neighbours in a warp are neighbours in a row.
#pragma once
#include "cuda/access.h"
#include "lfdeblur/filter_geometry.h"

namespace lfdeblur::cuda {

inline constexpr int kPlaceThreads = 128;
inline constexpr int kChunk = 4;  // channels in registers at once

LFD_HD int64_t chunks(const FilterGeometry& s) { return ceil_div<int64_t>(s.channels, kChunk); }

struct Place {
  int n, g, chunk;
  int y, x;
  bool live;
};
__device__ __forceinline__ Place place(int64_t rows, int64_t columns, int64_t chunks, int64_t groups) {
  unsigned index = blockIdx.x;
  const int x = peel(index, ceil_div(columns, static_cast<int64_t>(blockDim.x))) * blockDim.x + threadIdx.x;
  const int y = peel(index, ceil_div(rows, static_cast<int64_t>(blockDim.y))) * blockDim.y + threadIdx.y;
  const int chunk = peel(index, chunks), g = peel(index, groups);
  return {static_cast<int>(index), g, chunk, y, x, y < rows && x < columns};
}

// f(blocks, threads) for a thread at each place of `images` planes.
template <class F>
cudaError_t for_places(int64_t rows, int64_t columns, int64_t images, const F& f) {
  constexpr int64_t longest = INT32_MAX / 2;  // pixels are counted in 32 bits
  if (rows > longest || columns > longest) return cudaErrorInvalidConfiguration;
  int lanes = 8;
  while (lanes < 32 && lanes < columns) lanes *= 2;
  const int lines = kPlaceThreads / lanes;
  const int64_t blocks = ceil_div<int64_t>(columns, lanes) * ceil_div<int64_t>(rows, lines) * images;
  if (!fits_grid(blocks)) return cudaErrorInvalidConfiguration;
  return f(dim3(blocks), dim3(lanes, lines));
}

// An output of a group. Those of a position with several filters are taken by phases, so that a warp reads filters that
// lie side by side.
struct Output : Place {
  int row, column;

  __device__ __forceinline__ Output(const FilterGeometry& s, int64_t chunks)
      : Place(place(s.output_height() * s.phases(), s.filter_width(), chunks, s.groups)) {
    const int phases = static_cast<int>(s.phases());
    row = y / phases;
    column = x * phases + y % phases;
  }
};

template <class F>
cudaError_t for_outputs(const FilterGeometry& s, int64_t chunks, const F& f) {
  return for_places(s.output_height() * s.phases(), s.filter_width(), s.n * s.groups * chunks, f);
}

__device__ __forceinline__ int64_t first_tap(const FilterGeometry& s, const FilterStrides& f, int n, int g, int row,
                                             int column) {
  const int64_t group = n * f.n + g * f.g;
  if (s.fine || s.scale == 1) return group + row * f.y + column * f.x;
  const int scale = static_cast<int>(s.scale), y = row / scale, x = column / scale;
  return group + y * f.y + x * f.x + ((row - y * scale) * scale + column - x * scale) * f.s;
}

__device__ __forceinline__ int64_t pixel(const PictureStrides& by, int n, int g, int64_t c, int64_t y, int64_t x) {
  return n * by.n + g * by.g + c * by.c + y * by.y + x * by.x;
}

// Row and column of the picture that the first tap of an output reads, which may lie outside.
struct Origin {
  int64_t y, x;

  __device__ __forceinline__ Origin(const FilterGeometry& s, int row, int column) {
    const int scale = static_cast<int>(s.scale);
    y = row / scale * s.stride_y - s.pad_y();
    x = column / scale * s.stride_x - s.pad_x();
  }
};

// The position whose tap reads row or column `from` of the picture with its border, counted from the border's first,
// where that tap is the first one; -1: there is none.
__device__ __forceinline__ int position(int64_t from, int64_t stride, int64_t positions) {
  if (from < 0) return -1;
  const unsigned p = static_cast<unsigned>(from), step = static_cast<unsigned>(stride), at = p / step;
  return at * step == p && at < positions ? static_cast<int>(at) : -1;
}

}  // namespace lfdeblur::cuda
