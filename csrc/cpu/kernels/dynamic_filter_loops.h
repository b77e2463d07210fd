// The loops of the CPU `dynamic_filter`, compiled in two files by element type: together they take too long.
//
// Forward is bound by reading the filters once. For planar filters one kernel row of taps (k streams) is taken at a
// time over 32-pixel blocks, the sums of a picture row staying in the first-level cache; for channels-last filters a
// vector holds the taps of one kernel row of one pixel. All others, and those to be normalised, are laid out planar
// first, a block that stays in the cache. Channels that share filters are summed together, up to kChunk.
#pragma once

#include "cpu/kernels/filter_rows.h"
#include "cpu/kernels/filter_taps.h"

// A block of one row: planar taps and the picture's rows at its first position.
template <class T>
struct Block {
  const T* taps;
  int64_t tap_stride, width;
  const acc_t<T>* const* rows;
  const int64_t* offset;
  int kernel_height, kernel_width;
};

// sums[c][x] += taps of kernel row i. K: the kernel's width where that is constant, 0 where neighbouring taps see
// neighbouring columns, -1 where block.offset tells.
template <class T, int C, int B, int K>
inline void add_planar(const T* f, int64_t by, const acc_t<T>* row, const int64_t* offset, int width, acc_t<T>* sums,
                       int64_t stride, int64_t x) {
  using R = acc_t<T>;
  constexpr int L = kLanes<R>;
  const int k = K > 0 ? K : width;
  Vec<R> sum[C][B];
#pragma GCC unroll 4
  for (int c = 0; c < C; ++c)
#pragma GCC unroll 4
    for (int b = 0; b < B; ++b) sum[c][b] = load(sums + c * stride + x + b * L);
#pragma GCC unroll 7
  for (int j = 0; j < k; ++j) {
    const int64_t column = K >= 0 ? j : offset[j];
#pragma GCC unroll 4
    for (int b = 0; b < B; ++b) {
      const Vec<R> tap = load(f + j * by + x + b * L);
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) sum[c][b] += tap * load(row + c * stride + x + column + b * L);
    }
  }
#pragma GCC unroll 4
  for (int c = 0; c < C; ++c)
#pragma GCC unroll 4
    for (int b = 0; b < B; ++b) store(sums + c * stride + x + b * L, sum[c][b]);
}

// The picture's rows are read from `first` on: C channels, `stride` apart, as the sums are.
template <class T, int C, int K>
void planar_row(const Block<T>& block, int64_t first, acc_t<T>* sums, int64_t stride) {
  using R = acc_t<T>;
  constexpr int L = kLanes<R>;
  constexpr int B = C <= 3 ? 4 : 2;
  const int k = K > 0 ? K : block.kernel_width;
  const int64_t width = block.width, by = block.tap_stride;
  const int64_t* offset = block.offset;
  for (int c = 0; c < C; ++c)
    for (int64_t x = 0; x < width; ++x) sums[c * stride + x] = R(0);
  for (int i = 0; i < block.kernel_height; ++i) {
    const T* f = block.taps + i * k * by;
    const R* row = block.rows[i] + first;
    int64_t x = 0;
    for (; x + B * L <= width; x += B * L) add_planar<T, C, B, K>(f, by, row, offset, k, sums, stride, x);
    for (; x + L <= width; x += L) add_planar<T, C, 1, K>(f, by, row, offset, k, sums, stride, x);
    for (; x < width; ++x)
      for (int j = 0; j < k; ++j) {
        const R tap = to_acc(f[j * by + x]);
        for (int c = 0; c < C; ++c) sums[c * stride + x] += tap * row[c * stride + x + (K >= 0 ? j : offset[j])];
      }
  }
}

// The taps of a pixel side by side, pixels `pixel_stride` apart.
template <class T, int C, int K>
void taps_last_row(const Block<T>& block, int64_t pixel_stride, int64_t first, acc_t<T>* sums, int64_t stride) {
  using R = acc_t<T>;
  constexpr int L = kLanes<R>;
  const int height = K ? K : block.kernel_height, k = K ? K : block.kernel_width;
  const int64_t width = block.width;
  const T* const f = block.taps;
  const R* const* const rows = block.rows;
  const auto tail = first_lanes<R>(k % L == 0 ? L : k % L);
  const int vectors = (k + L - 1) / L;
  // The last vector of a pixel may reach into the next pixel's taps: the last pixel of a row is summed tap by tap.
  for (int64_t x = 0; x + 1 < width; ++x) {
    Vec<R> sum[C] = {};
#pragma GCC unroll 7
    for (int i = 0; i < height; ++i) {
      const T* taps = f + x * pixel_stride + i * k;
      const R* row = rows[i] + first + x;
      for (int v = 0; v < vectors - 1; ++v) {
        const Vec<R> tap = load(taps + v * L);
        for (int c = 0; c < C; ++c) sum[c] += tap * load(row + c * stride + v * L);
      }
      const int last = (vectors - 1) * L;
      const Vec<R> tap = keep<R>(load(taps + last), tail);
      for (int c = 0; c < C; ++c) sum[c] += tap * keep<R>(load(row + c * stride + last), tail);
    }
    for (int c = 0; c < C; ++c) sums[c * stride + x] = sum_lanes<R>(sum[c]);
  }
  const int64_t x = width - 1;
  for (int c = 0; c < C; ++c) {
    R sum = R(0);
    for (int i = 0; i < height; ++i)
      for (int j = 0; j < k; ++j) sum += to_acc(f[x * pixel_stride + i * k + j]) * rows[i][first + c * stride + x + j];
    sums[c * stride + x] = sum;
  }
}

// pixel_stride 1: planar.
template <class T, int C>
void filter_row(const Block<T>& block, bool unit, int64_t pixel_stride, int64_t first, acc_t<T>* sums, int64_t stride) {
  // A constant k pays with the taps side by side; planar filters are bound by memory, and k = 7 is the common one.
  if (pixel_stride == 1 && unit && block.kernel_width == 7) return planar_row<T, C, 7>(block, first, sums, stride);
  if (pixel_stride == 1 && unit) return planar_row<T, C, 0>(block, first, sums, stride);
  if (pixel_stride == 1) return planar_row<T, C, -1>(block, first, sums, stride);
#if !defined(LFD_AVX512)  // it is not chosen for them
  const int k = block.kernel_height == block.kernel_width ? block.kernel_width : 0;
  if (k == 3) return taps_last_row<T, C, 3>(block, pixel_stride, first, sums, stride);
  if (k == 5) return taps_last_row<T, C, 5>(block, pixel_stride, first, sums, stride);
  if (k == 7) return taps_last_row<T, C, 7>(block, pixel_stride, first, sums, stride);
  taps_last_row<T, C, 0>(block, pixel_stride, first, sums, stride);
#endif
}

// Planar filters that are normalised while they are read: whole vectors of positions, up to the returned one. For one
// chunk of channels; more take longer than the weights once written down.
template <class T, int C>
int64_t normalized_row(const Block<T>& block, Normalize normalize, acc_t<T>* sums, int64_t stride) {
  using R = acc_t<T>;
  const int taps = block.kernel_height * block.kernel_width;
  int64_t x = 0;
  for (; x + kLanes<R> <= block.width; x += kLanes<R>) {
    const T* f = block.taps + x;
    Vec<R> highest = load(f), total = {}, sum[C] = {};
    if (normalize == Normalize::softmax) {
      for (int t = 1; t < taps; ++t) {
        const Vec<R> tap = load(f + t * block.tap_stride);
        highest = tap > highest ? tap : highest;
      }
    }
    for (int i = 0; i < block.kernel_height; ++i) {
      const R* row = block.rows[i] + x;
      for (int j = 0; j < block.kernel_width; ++j, f += block.tap_stride) {
        Vec<R> weight = load(f);
        if (normalize == Normalize::softmax) weight = exponential(weight - highest);
        total += weight;
#pragma GCC unroll 4
        for (int c = 0; c < C; ++c) sum[c] += weight * load(row + c * stride + block.offset[j]);
      }
    }
    if (normalize == Normalize::sum) total += splat<R>(kNormalizeEpsilon);
    const Vec<R> factor = splat<R>(1) / total;
    for (int c = 0; c < C; ++c) store(sums + c * stride + x, sum[c] * factor);
  }
  return x;
}

// Sums of some channels to out, channels `by` apart and positions `step`.
template <class T>
void write_sums(const acc_t<T>* sums, int64_t stride, int64_t channels, int64_t width, T* out, int64_t by,
                int64_t step) {
  using R = acc_t<T>;
  for (int64_t c = 0; c < channels; ++c) {
    T* to = out + c * by;
    const R* from = sums + c * stride;
    int64_t x = 0;
    if (step == 1)
      for (; x + kLanes<R> <= width; x += kLanes<R>) store(to + x, load(from + x));
    for (; x < width; ++x) to[x * step] = from_acc<T>(from[x]);
  }
}

// All channels that the rows hold.
template <class T, class F>
void filter_channels(const Block<F>& block, bool unit, int64_t pixel_stride, int64_t count, acc_t<T>* sums,
                     int64_t stride, T* out, int64_t by, int64_t step) {
  for (int64_t c = 0; c < count; c += kChunk) {
    const int chunk = static_cast<int>(count - c < kChunk ? count - c : kChunk);
    const int64_t first = c * stride;
    if (chunk == 1) filter_row<F, 1>(block, unit, pixel_stride, first, sums, stride);
    if (chunk == 2) filter_row<F, 2>(block, unit, pixel_stride, first, sums, stride);
    if (chunk == 3) filter_row<F, 3>(block, unit, pixel_stride, first, sums, stride);
    if (chunk == 4) filter_row<F, 4>(block, unit, pixel_stride, first, sums, stride);
    write_sums(sums, stride, chunk, block.width, out + c * by, by, step);
  }
}

template <class T>
int64_t normalized_channels(const FilterGeometry& s, const Block<T>& block, acc_t<T>* sums, int64_t stride, T* out,
                            int64_t by, int64_t step) {
  int64_t done = 0;
  if (s.channels == 1) done = normalized_row<T, 1>(block, s.normalize, sums, stride);
  if (s.channels == 2) done = normalized_row<T, 2>(block, s.normalize, sums, stride);
  if (s.channels == 3) done = normalized_row<T, 3>(block, s.normalize, sums, stride);
  if (s.channels == 4) done = normalized_row<T, 4>(block, s.normalize, sums, stride);
  write_sums(sums, stride, s.channels, done, out, by, step);
  return done;
}

template <class T>
void dynamic_filter(const T* x, const T* filters, T* out, const FilterGeometry& s, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  FilterRows<R> rows(s);
  Buffer<R> sums(kChunk * rows.stride);
  const int64_t width = s.filter_width(), height = s.height * s.scale;
  const bool in_place = read_in_place(s);
  Taps<T> taps(s, in_place ? 1 : s.taps(), in_place ? 1 : width);
  // Phases of a row are written between each other: in the cache first, where the row of all channels is small.
  const bool apart = s.phases() > 1 && s.out.x == 1 && rows.channels <= kChunk;
  std::vector<T> line(apart ? rows.channels * width * s.scale : 0);
  const int64_t step = apart ? s.scale : s.out.x * s.phases(), by = apart ? width * s.scale : s.out.c;
  const R* at[kMaxKernelSize];
  const R* shifted[kMaxKernelSize];
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t row = unit % height, g = unit / height % s.groups, n = unit / height / s.groups;
    for (int64_t c = 0; c < s.channels; c += rows.channels) {
      const int64_t count = s.channels - c < rows.channels ? s.channels - c : rows.channels;
      T* whole = out + n * s.out.n + g * s.out.g + c * s.out.c + row * s.out.y;
      rows.get(x, n, g, row, c, count, at);
      for (int64_t phase = 0; phase < s.phases(); ++phase) {
        const T* f = filters + s.first_filter(n, g, row, phase, s.filters);
        T* to = apart ? line.data() + phase : whole + phase * s.out.x;
        const Block<T> all{f, s.filters.t, width, at, rows.offset, s.kernel_height, s.kernel_width};
        if (in_place) {
          filter_channels(all, rows.unit, s.filters.x, count, sums.data(), rows.stride, to, by, step);
          continue;
        }
        int64_t first = 0;
        if (s.filters.x == 1 && s.normalize != Normalize::none && s.channels <= kChunk)
          first = normalized_channels(s, all, sums.data(), rows.stride, to, by, step);
        for (; first < width; first += taps.block) {
          const int64_t some = width - first < taps.block ? width - first : taps.block;
          for (int i = 0; i < s.kernel_height; ++i) shifted[i] = at[i] + first;
          const R* weights = taps.get(f + first * s.filters.x, some);
          const Block<R> block{weights, taps.block, some, shifted, rows.offset, s.kernel_height, s.kernel_width};
          filter_channels(block, rows.unit, 1, count, sums.data(), rows.stride, to + first * step, by, step);
        }
      }
      for (int64_t k = 0; k < count && apart; ++k) memcpy(whole + k * s.out.c, line.data() + k * by, by * sizeof(T));
    }
  }
}

#define LFD_INSTANTIATE_DYNAMIC_FILTER(T) \
  template void dynamic_filter(const T*, const T*, T*, const FilterGeometry&, int64_t, int64_t);
