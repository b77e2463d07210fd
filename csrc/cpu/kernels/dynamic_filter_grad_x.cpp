// The picture's gradient of the CPU `dynamic_filter`.
//
// Gather: for a row p of the picture with its border and a kernel row i, exactly the filters of one row of positions
// see p by their kernel row i; that part of the filters is read, once. Nobody else writes p, so there are no atomics and
// the result does not depend on the number of threads.
#include <cmath>
#include <type_traits>
#include <vector>

#include "cpu/buffer.h"
#include "cpu/dynamic_filter.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/filter_rows.h"
#include "cpu/kernels/filter_taps.h"

// The taps of a kernel row that read one class of columns (filter_rows.h).
struct ClassTaps {
  int64_t first;  // of the class in the row
  int count;
  int tap[kMaxKernelSize];
  int64_t offset[kMaxKernelSize];
};

// grad[c][offset + x] += taps[x] * g[c][x], x in [first, last).
template <class F, int C>
void add_shifted(const F* f, const acc_t<F>* g, int64_t stride, int64_t first, int64_t last, acc_t<F>* grad) {
  using R = acc_t<F>;
  int64_t x = first;
  for (; x + kLanes<R> <= last; x += kLanes<R>) {
    const Vec<R> tap = load(f + x);
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c)
      store(grad + c * stride + x, load(grad + c * stride + x) + tap * load(g + c * stride + x));
  }
  for (; x < last; ++x)
    for (int c = 0; c < C; ++c) grad[c * stride + x] += to_acc(f[x]) * g[c * stride + x];
}

// grad[c][q] += sum_j taps_j[q - offset_j] * g[c][q - offset_j]; planar. Unit: tap j at offset j.
template <class F, int C, bool Unit>
void planar_grad_x(const F* f, int64_t tap_stride, int64_t width, const ClassTaps& taps, const acc_t<F>* g,
                   int64_t stride, acc_t<F>* grad) {
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
      const Vec<R> tap = load(f + (Unit ? j : taps.tap[j]) * tap_stride + x);
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) sum[c] += tap * load(g + c * stride + x);
    }
    for (int c = 0; c < C; ++c) store(grad + c * stride + q, sum[c]);
  }
  for (int j = 0; j < taps.count; ++j) {
    const int64_t offset = taps.offset[j], left = first - offset < width ? first - offset : width;
    const int64_t right = q - offset > left ? q - offset : left;
    const F* tap = f + taps.tap[j] * tap_stride;
    add_shifted<F, C>(tap, g, stride, 0, left, grad + offset);
    add_shifted<F, C>(tap, g, stride, right, width, grad + offset);
  }
}

// Taps side by side.
template <class T, int C>
void taps_last_grad_x(const T* f, int64_t pixel_stride, int64_t width, int k, const acc_t<T>* g, int64_t stride,
                      acc_t<T>* grad) {
  using R = acc_t<T>;
  constexpr int L = kLanes<R>;
  const int whole = k / L * L;
  const auto tail = first_lanes<R>(k - whole);
  for (int64_t x = 0; x + 1 < width; ++x) {
    for (int j = 0; j < k; j += L) {
      Vec<R> tap = load(f + x * pixel_stride + j);
      if (j == whole) tap = keep<R>(tap, tail);
      for (int c = 0; c < C; ++c) {
        // The masked lanes add an exact zero, unless the gradient there is not finite.
        Vec<R> add = tap * splat<R>(g[c * stride + x]);
        if (j == whole) add = keep<R>(add, tail);
        store(grad + c * stride + x + j, load(grad + c * stride + x + j) + add);
      }
    }
  }
  const int64_t x = width - 1;  // a vector would reach into what follows
  for (int j = 0; j < k; ++j)
    for (int c = 0; c < C; ++c) grad[c * stride + x + j] += to_acc(f[x * pixel_stride + j]) * g[c * stride + x];
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
struct PictureGradient {
  using R = acc_t<T>;
  const FilterGeometry& s;
  RowLayout<R> layout;
  int64_t channels;
  Taps<T> taps;
  std::vector<ClassTaps> classes;
  Buffer<R> g, padded, sums;

  explicit PictureGradient(const FilterGeometry& shape)
      : s(shape),
        layout(shape),
        channels(channels_at_once<R>(shape, 4, layout.stride)),
        taps(shape, shape.kernel_width, read_in_place(shape) ? 1 : shape.filter_width()) {
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
  }

  // Adds what one row of filters, of one phase, sees by a kernel row. f: the first tap of that.
  void add(const T* f, const R* shift, const R* factor, const T* grad, int64_t step, int64_t count) {
    const int64_t width = s.filter_width(), stride = layout.stride;
    for (int64_t c = 0; c < count; ++c) {
      const T* from = grad + c * s.out.c;
      R* to = g.data() + c * stride;
      int64_t x = 0;
      if (step == 1)
        for (; x + kLanes<R> <= width; x += kLanes<R>) store(to + x, load(from + x));
      for (; x < width; ++x) to[x] = to_acc(from[x * step]);
    }
    if (read_in_place(s)) {
      each_chunk(count, [&](auto chunk, int64_t at) {
        constexpr int C = decltype(chunk)::value;
        const R* rows = g.data() + at;
        R* to = padded.data() + at;
#if !defined(LFD_AVX512)  // it is not chosen for them
        if (s.filters.x != 1)
          return taps_last_grad_x<T, C>(f, s.filters.x, width, s.kernel_width, rows, stride, to);
#endif
        if (layout.unit)
          return planar_grad_x<T, C, true>(f, s.filters.t, width, classes[0], rows, stride, to);
        for (const ClassTaps& those : classes)
          planar_grad_x<T, C, false>(f, s.filters.t, width, those, rows, stride, to + those.first);
      });
      return;
    }
    for (int64_t first = 0; first < width; first += taps.block) {
      const int64_t some = width - first < taps.block ? width - first : taps.block;
      taps.gather(f + first * s.filters.x, s.kernel_width, some);
      if (shift) taps.weigh(s.kernel_width, some, shift + first, factor + first);
      each_chunk(count, [&](auto chunk, int64_t at) {
        constexpr int C = decltype(chunk)::value;
        for (const ClassTaps& those : classes)
          planar_grad_x<R, C, false>(taps.data.data(), taps.block, some, those, g.data() + at + first, stride,
                              padded.data() + at + those.first + first);
      });
    }
  }

  // The border's part goes to the pixels that it shows, or nowhere.
  void fold(int64_t count) {
    const int64_t pad = s.pad_x();
    for (int64_t c = 0; c < count; ++c) {
      const R* from = padded.data() + c * layout.stride;
      R* to = sums.data() + c * s.x_width;
      const auto at = [&](int64_t q) {
        R sum = R(0);
        for (int64_t e = 0; e < layout.repeat; ++e) sum += from[layout.place(q) + e];
        return sum;
      };
      if (layout.classes * layout.repeat == 1) {
        for (int64_t x = 0; x < s.x_width; ++x) to[x] += from[pad + x];
      } else {
        for (int64_t x = 0; x < s.x_width; ++x) to[x] += at(pad + x);
      }
      for (int64_t p = 1; p <= pad; ++p) {
        const int64_t left = shown(-p, s.x_width, s.border), right = shown(s.x_width + p - 1, s.x_width, s.border);
        if (left >= 0) to[left] += at(pad - p);
        if (right >= 0) to[right] += at(pad + s.x_width + p - 1);
      }
    }
  }

 private:
  template <class F>
  void each_chunk(int64_t count, const F& f) {
    for (int64_t c = 0; c < count; c += kChunk)
      for_chunk(count - c < kChunk ? count - c : kChunk, [&](auto chunk) { f(chunk, c * layout.stride); });
  }
};

template <class T>
void dynamic_filter_grad_x(const T* grad, const T* filters, const acc_t<T>* shift, const acc_t<T>* factor, T* grad_x,
                           const FilterGeometry& s, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  PictureGradient<T> part(s);
  const int64_t step = s.out.x * s.phases(), height = s.height * s.scale, pad = s.pad_y();
  // Row p of the picture with its border: counted from the border's first row.
  const auto add_padded_row = [&](int64_t n, int64_t group, int64_t c, int64_t count, int64_t p) {
    for (R& v : part.padded) v = R(0);
    for (int i = 0; i < s.kernel_height; ++i) {
      const int64_t from = p - i * s.dilation_y, position = from / s.stride_y;
      if (from < 0 || from % s.stride_y != 0 || position >= s.height) continue;
      for (int64_t row = position * s.scale; row < (position + 1) * s.scale; ++row)
        for (int64_t phase = 0; phase < s.phases(); ++phase) {
          const T* f = filters + s.first_filter(n, group, row, phase, s.filters) + i * s.kernel_width * s.filters.t;
          const T* g = grad + n * s.out.n + group * s.out.g + c * s.out.c + row * s.out.y + phase * s.out.x;
          const int64_t at = (((n * s.groups + group) * height + row) * s.phases() + phase) * s.filter_width();
          part.add(f, shift ? shift + at : nullptr, shift ? factor + at : nullptr, g, step, count);
        }
    }
    part.fold(count);
  };
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t y = unit % s.x_height, group = unit / s.x_height % s.groups, n = unit / s.x_height / s.groups;
    for (int64_t c = 0; c < s.channels; c += part.channels) {
      const int64_t count = s.channels - c < part.channels ? s.channels - c : part.channels;
      for (R& v : part.sums) v = R(0);
      const auto add_if_shown = [&](int64_t p) {
        if (shown(p, s.x_height, s.border) == y) add_padded_row(n, group, c, count, p + pad);
      };
      for (int64_t p = -pad; p < 0; ++p) add_if_shown(p);
      add_padded_row(n, group, c, count, y + pad);
      for (int64_t p = s.x_height; p < s.x_height + pad; ++p) add_if_shown(p);
      for (int64_t k = 0; k < count; ++k) {
        T* to = grad_x + n * s.x.n + group * s.x.g + (c + k) * s.x.c + y * s.x.y;
        const R* from = part.sums.data() + k * s.x_width;
        for (int64_t x = 0; x < s.x_width; ++x) to[x * s.x.x] = from_acc<T>(from[x]);
      }
    }
  }
}

#define INSTANTIATE(T)                                                                                          \
  template void dynamic_filter_grad_x(const T*, const T*, const acc_t<T>*, const acc_t<T>*, T*, const FilterGeometry&, \
                                      int64_t, int64_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)

#include "cpu/kernels/end.h"
