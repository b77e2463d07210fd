// The gradient of a row of the picture with its border, and of the pixels that it shows.
#pragma once

#include "cpu/kernels/filter_rows.h"
#include "cpu/kernels/filter_taps.h"

// The taps of a kernel row that read one class of columns (filter_rows.h).
struct ClassTaps {
  int64_t first;  // of the class in the row
  int count;
  int tap[kMaxKernelSize];
  int64_t offset[kMaxKernelSize];
};

// A tap's weight: the tap, or where there is a shift its exponential less that.
template <bool Shifted, class F>
inline Vec<acc_t<F>> weight_of(const F* tap, const acc_t<F>* shift) {
  const Vec<acc_t<F>> value = load(tap);
  if constexpr (Shifted) return exponential(value - load(shift));
  return value;
}

// grad[c][x] += weights[x] * g[c][x], x in [first, last).
template <class F, int C, bool Shifted>
void add_shifted(const F* f, const acc_t<F>* shift, const acc_t<F>* g, int64_t stride, int64_t first, int64_t last,
                 acc_t<F>* grad) {
  using R = acc_t<F>;
  int64_t x = first;
  for (; x + kLanes<R> <= last; x += kLanes<R>) {
    const Vec<R> weight = weight_of<Shifted>(f + x, shift + x);
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c)
      store(grad + c * stride + x, load(grad + c * stride + x) + weight * load(g + c * stride + x));
  }
  for (; x < last; ++x) {
    const R weight = Shifted ? std::exp(to_acc(f[x]) - shift[x]) : to_acc(f[x]);
    for (int c = 0; c < C; ++c) grad[c * stride + x] += weight * g[c * stride + x];
  }
}

// grad[c][q] += sum_j weights_j[q - offset_j] * g[c][q - offset_j]; planar. Unit: tap j at offset j.
template <class F, int C, bool Unit, bool Shifted = false>
void planar_grad_x(const F* f, int64_t tap_stride, int64_t width, const ClassTaps& taps, const acc_t<F>* g,
                   int64_t stride, acc_t<F>* grad, const acc_t<F>* shift = nullptr) {
  using R = acc_t<F>;
  constexpr int L = kLanes<R>;
  int64_t first = 0;
  for (int j = 0; j < taps.count; ++j) first = taps.offset[j] > first ? taps.offset[j] : first;
  int64_t q = first;  // from here on to `width` every tap has a part
  for (; q + L <= width; q += L) {
    Vec<R> sum[C];
    for (int c = 0; c < C; ++c) sum[c] = load(grad + c * stride + q);
    for (int j = 0; j < taps.count; ++j) {
      const int64_t x = q - (Unit ? j : taps.offset[j]);
      const Vec<R> weight = weight_of<Shifted>(f + (Unit ? j : taps.tap[j]) * tap_stride + x, shift + x);
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) sum[c] += weight * load(g + c * stride + x);
    }
    for (int c = 0; c < C; ++c) store(grad + c * stride + q, sum[c]);
  }
  for (int j = 0; j < taps.count; ++j) {
    const int64_t offset = taps.offset[j], left = first - offset < width ? first - offset : width;
    const int64_t right = q - offset > left ? q - offset : left;
    const F* tap = f + taps.tap[j] * tap_stride;
    add_shifted<F, C, Shifted>(tap, shift, g, stride, 0, left, grad + offset);
    add_shifted<F, C, Shifted>(tap, shift, g, stride, right, width, grad + offset);
  }
}

// f(integral constant C) with C the channels of a chunk.
template <class F>
void for_chunk(int64_t chunk, const F& f) {
  if (chunk == 1) f(std::integral_constant<int, 1>{});
  if (chunk == 2) f(std::integral_constant<int, 2>{});
  if (chunk == 3) f(std::integral_constant<int, 3>{});
  if (chunk == 4) f(std::integral_constant<int, 4>{});
}

template <class T>
struct PaddedGradient {
  using R = acc_t<T>;
  const FilterGeometry& s;
  RowLayout<R> layout;
  int64_t channels;
  std::vector<ClassTaps> classes;
  Buffer<R> g, padded, sums, row;

  explicit PaddedGradient(const FilterGeometry& shape, int64_t rows = 4)
      : s(shape), layout(shape), channels(channels_at_once<R>(shape, rows, layout.stride)) {
    for (int64_t m = 0; m < layout.classes; ++m) {
      ClassTaps those{};
      those.first = m * layout.length;
      for (int j = 0; j < s.kernel_width; ++j) {
        if (j * s.dilation_x % layout.classes != m) continue;
        those.tap[those.count] = j;
        those.offset[those.count++] = layout.offset[j] - those.first;
      }
      if (those.count > 0) classes.push_back(those);
    }
    g.resize(channels * layout.stride);
    padded.resize(channels * layout.stride);
    sums.resize(channels * s.x_width);
    if (layout.classes * layout.repeat > 1) row.resize(s.padded_width());
  }

  void get(const T* grad, int64_t step, int64_t count) { gradient_rows(grad, s, count, step, g.data(), layout.stride); }

  template <class F>
  void each_chunk(int64_t count, const F& f) {
    for (int64_t c = 0; c < count; c += kChunk)
      for_chunk(count - c < kChunk ? count - c : kChunk, [&](auto chunk) { f(chunk, c * layout.stride); });
  }

  // The border's part goes to the pixels that it shows, or nowhere.
  void fold(int64_t count) {
    const int64_t pad = s.pad_x();
    for (int64_t c = 0; c < count; ++c) {
      const R* from = padded.data() + c * layout.stride;
      R* to = sums.data() + c * s.x_width;
      if (!row.empty()) {
        layout.each_place(
            [&](int64_t q, int64_t place, int64_t e) { row[q] = (e == 0 ? R(0) : row[q]) + from[place]; });
        from = row.data();
      }
      for (int64_t x = 0; x < s.x_width; ++x) to[x] += from[pad + x];
      for (int64_t p = 1; p <= pad; ++p) {
        const int64_t left = shown(-p, s.x_width, s.border), right = shown(s.x_width + p - 1, s.x_width, s.border);
        if (left >= 0) to[left] += from[pad - p];
        if (right >= 0) to[right] += from[pad + s.x_width + p - 1];
      }
    }
  }

  // The sums, as a row of the picture's gradient.
  void write(T* grad_x, int64_t count) const {
    for (int64_t c = 0; c < count; ++c) {
      const R* from = sums.data() + c * s.x_width;
      T* to = grad_x + c * s.x.c;
      for (int64_t x = 0; x < s.x_width; ++x) to[x * s.x.x] = from_acc<T>(from[x]);
    }
  }

  // Rows [begin, end) of the picture's gradient. add(n, group, c, count, i, position) adds to `padded` what the filters
  // of a row of positions see by kernel row i.
  template <class F>
  void gather(T* grad_x, int64_t begin, int64_t end, const F& add) {
    const int64_t pad = s.pad_y();
    // Row p of the picture with its border: counted from the border's first row.
    const auto add_padded_row = [&](int64_t n, int64_t group, int64_t c, int64_t count, int64_t p) {
      for (R& v : padded) v = R(0);
      for (int i = 0; i < s.kernel_height; ++i) {
        const int64_t from = p - i * s.dilation_y, position = from / s.stride_y;
        if (from < 0 || from % s.stride_y != 0 || position >= s.height) continue;
        add(n, group, c, count, i, position);
      }
      fold(count);
    };
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t y = unit % s.x_height, group = unit / s.x_height % s.groups, n = unit / s.x_height / s.groups;
      for (int64_t c = 0; c < s.channels; c += channels) {
        const int64_t count = s.channels - c < channels ? s.channels - c : channels;
        for (R& v : sums) v = R(0);
        const auto add_if_shown = [&](int64_t p) {
          if (shown(p, s.x_height, s.border) == y) add_padded_row(n, group, c, count, p + pad);
        };
        for (int64_t p = -pad; p < 0; ++p) add_if_shown(p);
        add_padded_row(n, group, c, count, y + pad);
        for (int64_t p = s.x_height; p < s.x_height + pad; ++p) add_if_shown(p);
        write(grad_x + n * s.x.n + group * s.x.g + c * s.x.c + y * s.x.y, count);
      }
    }
  }
};
