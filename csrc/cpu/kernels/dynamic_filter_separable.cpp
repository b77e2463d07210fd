// The CPU `dynamic_filter_separable`, forward and the filters' gradient. A block of positions has its taps laid out
// planar in the cache; several rows of the picture are taken at a time, so that a horizontal tap is loaded once for
// them.
#include "cpu/dynamic_filter_separable.h"

#include <cmath>
#include <vector>

#include "cpu/buffer.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/filter_rows.h"
#include "cpu/kernels/filter_taps.h"

// Taps of the positions [0, width) and the picture's rows at the first of them.
template <class R>
struct SeparableBlock {
  const R* taps;  // [kernel_height + kernel_width, tap_stride]
  int64_t tap_stride, width;
  const R* const* rows;
  const int64_t* offset;
  int kernel_height, kernel_width;

  const R* vertical(int i) const { return taps + i * tap_stride; }
  const R* horizontal(int j) const { return taps + (kernel_height + j) * tap_stride; }
};

// sums[c][x] += sum of I kernel rows from i on, v_i * sum_j h_j * row_i[c][x + offset_j].
template <class R, int C, int I>
void add_rows(const SeparableBlock<R>& block, int i, int64_t channel, int64_t stride, R* sums) {
  constexpr int L = kLanes<R>;
  for (int64_t x = 0; x < block.width; x += L) {
    Vec<R> inner[I][C] = {};
    for (int j = 0; j < block.kernel_width; ++j) {
      const Vec<R> tap = load(block.horizontal(j) + x);
      const int64_t at = channel + x + block.offset[j];
#pragma GCC unroll 12
      for (int r = 0; r < I; ++r)
#pragma GCC unroll 4
        for (int c = 0; c < C; ++c) inner[r][c] += tap * load(block.rows[i + r] + at + c * stride);
    }
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) {
      Vec<R> sum = load(sums + c * block.tap_stride + x);
#pragma GCC unroll 12
      for (int r = 0; r < I; ++r) sum += load(block.vertical(i + r) + x) * inner[r][c];
      store(sums + c * block.tap_stride + x, sum);
    }
  }
}

// C channels from `channel` on, `stride` apart; sums [C, tap_stride]. As many rows at a time as registers hold.
template <class R, int C>
void filter_block(const SeparableBlock<R>& block, int64_t channel, int64_t stride, R* sums) {
  constexpr int most = 12 / C;
  for (int64_t k = 0; k < C * block.tap_stride; ++k) sums[k] = R(0);
  int i = 0;
  for (; i + most <= block.kernel_height; i += most) add_rows<R, C, most>(block, i, channel, stride, sums);
  for (; i + 3 <= block.kernel_height; i += 3) add_rows<R, C, 3>(block, i, channel, stride, sums);
  for (; i < block.kernel_height; ++i) add_rows<R, C, 1>(block, i, channel, stride, sums);
}

// Of I kernel rows from i on and one channel, with g its gradient: grads of v_i += g * sum_j h_j * row_i[x + offset_j],
// those of h_j += sum_i g * v_i * row_i[x + offset_j].
template <class R, int I>
void add_row_grads(const SeparableBlock<R>& block, int i, int64_t channel, const R* g, R* grads) {
  constexpr int L = kLanes<R>;
  const int64_t by = block.tap_stride;
  for (int64_t x = 0; x < block.width; x += L) {
    const Vec<R> grad = load(g + x);
    Vec<R> inner[I] = {}, weighted[I];
#pragma GCC unroll 6
    for (int r = 0; r < I; ++r) weighted[r] = grad * load(block.vertical(i + r) + x);
    for (int j = 0; j < block.kernel_width; ++j) {
      const Vec<R> tap = load(block.horizontal(j) + x);
      R* to = grads + (block.kernel_height + j) * by + x;
      const int64_t at = channel + x + block.offset[j];
      Vec<R> sum = load(to);
#pragma GCC unroll 6
      for (int r = 0; r < I; ++r) {
        const Vec<R> seen = load(block.rows[i + r] + at);
        inner[r] += tap * seen;
        sum += weighted[r] * seen;
      }
      store(to, sum);
    }
#pragma GCC unroll 6
    for (int r = 0; r < I; ++r) {
      R* to = grads + (i + r) * by + x;
      store(to, load(to) + grad * inner[r]);
    }
  }
}

template <class R>
void block_grads(const SeparableBlock<R>& block, int64_t channel, const R* g, R* grads) {
  int i = 0;
  for (; i + 5 <= block.kernel_height; i += 5) add_row_grads<R, 5>(block, i, channel, g, grads);
  for (; i + 2 <= block.kernel_height; i += 2) add_row_grads<R, 2>(block, i, channel, g, grads);
  for (; i < block.kernel_height; ++i) add_row_grads<R, 1>(block, i, channel, g, grads);
}

// f(n, group, row, the first channel, their number, the picture's rows) for each row of filters in [begin, end).
template <class T, class F>
void for_rows(FilterRows<acc_t<T>>& rows, const T* x, int64_t begin, int64_t end, const F& f) {
  const FilterGeometry& s = rows.s;
  const acc_t<T>* at[kMaxKernelSize];
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t row = unit % s.height, g = unit / s.height % s.groups, n = unit / s.height / s.groups;
    for (int64_t c = 0; c < s.channels; c += rows.channels) {
      const int64_t count = s.channels - c < rows.channels ? s.channels - c : rows.channels;
      rows.get(x, n, g, row, c, count, at);
      f(n, g, row, c, count, at);
    }
  }
}

// f(the first position, the block) for each block of a row whose first tap is at `filter`.
template <class T, class F>
void for_blocks(Taps<T>& taps, const T* filter, const acc_t<T>* const* rows, const int64_t* offset, const F& f) {
  const FilterGeometry& s = taps.s;
  const acc_t<T>* shifted[kMaxKernelSize];
  for (int64_t first = 0; first < s.width; first += taps.block) {
    const int64_t some = s.width - first < taps.block ? s.width - first : taps.block;
    for (int i = 0; i < s.kernel_height; ++i) shifted[i] = rows[i] + first;
    taps.gather(filter + first * s.filters.x, s.taps(), some);
    f(first,
      SeparableBlock<acc_t<T>>{taps.data.data(), taps.block, some, shifted, offset, s.kernel_height, s.kernel_width});
  }
}

template <class T>
void write(const acc_t<T>* from, int64_t width, T* to, int64_t step) {
  using R = acc_t<T>;
  int64_t x = 0;
  if (step == 1)
    for (; x + kLanes<R> <= width; x += kLanes<R>) store(to + x, load(from + x));
  for (; x < width; ++x) to[x * step] = from_acc<T>(from[x]);
}

template <class T>
void dynamic_filter_separable(const T* x, const T* filters, T* out, const FilterGeometry& s, int64_t begin,
                              int64_t end) {
  using R = acc_t<T>;
  FilterRows<R> rows(s);
  Taps<T> taps(s, s.taps(), s.width);
  Buffer<R> sums(kChunk * taps.block);
  const auto filter_row = [&](int64_t n, int64_t g, int64_t row, int64_t c, int64_t count, const R* const* at) {
    const T* filter = filters + s.first_filter(n, g, row, 0, s.filters);
    T* of_row = out + n * s.out.n + g * s.out.g + c * s.out.c + row * s.out.y;
    for_blocks(taps, filter, at, rows.offset, [&](int64_t first, const SeparableBlock<R>& block) {
      for (int64_t k = 0; k < count; k += kChunk) {
        const int chunk = static_cast<int>(count - k < kChunk ? count - k : kChunk);
        const int64_t channel = k * rows.stride;
        if (chunk == 1) filter_block<R, 1>(block, channel, rows.stride, sums.data());
        if (chunk == 2) filter_block<R, 2>(block, channel, rows.stride, sums.data());
        if (chunk == 3) filter_block<R, 3>(block, channel, rows.stride, sums.data());
        if (chunk == 4) filter_block<R, 4>(block, channel, rows.stride, sums.data());
        for (int i = 0; i < chunk; ++i)
          write(sums.data() + i * taps.block, block.width, of_row + (k + i) * s.out.c + first * s.out.x, s.out.x);
      }
    });
  };
  for_rows(rows, x, begin, end, filter_row);
}

template <class T>
void dynamic_filter_separable_grad_filters(const T* grad, const T* x, const T* filters, T* grad_filters,
                                           const FilterGeometry& s, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  constexpr int64_t L = kLanes<R>;
  FilterRows<R> rows(s);
  Taps<T> taps(s, s.taps(), s.width);
  Buffer<R> g(taps.block + L), whole(s.taps() * (s.width + taps.block));
  // Those of a row of filters: channels of which not all fit are added up.
  const auto add_row = [&](int64_t n, int64_t group, int64_t row, int64_t c, int64_t count, const R* const* at) {
    const T* filter = filters + s.first_filter(n, group, row, 0, s.filters);
    T* to = grad_filters + s.first_filter(n, group, row, 0, s.grad_filters);
    const T* by = grad + n * s.out.n + group * s.out.g + c * s.out.c + row * s.out.y;
    for_blocks(taps, filter, at, rows.offset, [&](int64_t first, const SeparableBlock<R>& block) {
      R* sums = whole.data() + s.taps() * first;
      if (c == 0)
        for (int64_t k = 0; k < s.taps() * taps.block; ++k) sums[k] = R(0);
      for (int64_t k = 0; k < count; ++k) {
        const T* from = by + k * s.out.c + first * s.out.x;
        for (int64_t p = 0; p < block.width; ++p) g[p] = to_acc(from[p * s.out.x]);
        block_grads(block, k * rows.stride, g.data(), sums);
      }
      if (c + count < s.channels) return;
      for (int64_t t = 0; t < s.taps(); ++t)
        write(sums + t * taps.block, block.width, to + t * s.grad_filters.t + first * s.grad_filters.x,
              s.grad_filters.x);
    });
  };
  for_rows(rows, x, begin, end, add_row);
}

#define INSTANTIATE(T)                                                                                         \
  template void dynamic_filter_separable(const T*, const T*, T*, const FilterGeometry&, int64_t, int64_t);     \
  template void dynamic_filter_separable_grad_filters(const T*, const T*, const T*, T*, const FilterGeometry&, \
                                                      int64_t, int64_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)

#include "cpu/kernels/end.h"
