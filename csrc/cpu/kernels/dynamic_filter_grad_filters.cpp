// The filters' gradient of the CPU `dynamic_filter`: for each row of filters the rows of the picture that forward
// reads, times the gradient's. Ranges of rows write disjoint memory.
#include <cmath>
#include <vector>

#include "cpu/buffer.h"
#include "cpu/dynamic_filter.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/filter_rows.h"
#include "cpu/kernels/filter_taps.h"

// grads[x of one kernel row's taps] = sum_c g[c][x] * row[c][x + offset[j]], planar. B vectors at a time. Unit:
// offset[j] = j.
template <class T, int B, bool Unit>
int64_t planar_grad_filters(const acc_t<T>* g, const acc_t<T>* row, int64_t stride, const int64_t* offset, int k,
                            int channels, int64_t x, int64_t width, bool aligned, T* grads, int64_t tap_stride) {
  using R = acc_t<T>;
  constexpr int L = kLanes<R>;
  for (; x + B * L <= width; x += B * L) {
    for (int j = 0; j < k; ++j) {
      Vec<R> sum[B] = {};
      const R* from = row + x + (Unit ? j : offset[j]);
      for (int c = 0; c < channels; ++c)
#pragma GCC unroll 4
        for (int b = 0; b < B; ++b) sum[b] += load(g + c * stride + x + b * L) * load(from + c * stride + b * L);
#pragma GCC unroll 4
      for (int b = 0; b < B; ++b) store_stream(grads + j * tap_stride + x + b * L, sum[b], aligned);
    }
  }
  return x;
}

template <class T>
void planar_row_grads(const acc_t<T>* g, const acc_t<T>* row, int64_t stride, const FilterGeometry& s,
                      const RowLayout<acc_t<T>>& layout, T* grads) {
  using R = acc_t<T>;
  const int k = s.kernel_width;
  const int64_t width = s.filter_width(), by = s.grad_filters.t;
  bool aligned = width * sizeof(T) % 32 == 0 && by * sizeof(T) % 32 == 0;
  aligned = aligned && reinterpret_cast<uintptr_t>(grads) % 32 == 0;
  const int64_t* offset = layout.offset;
  int64_t x =
      layout.unit
          ? planar_grad_filters<T, 2, true>(g, row, stride, offset, k, s.channels, 0, width, aligned, grads, by)
          : planar_grad_filters<T, 2, false>(g, row, stride, offset, k, s.channels, 0, width, aligned, grads, by);
  for (; x < width; ++x) {
    for (int j = 0; j < k; ++j) {
      R sum = R(0);
      for (int64_t c = 0; c < s.channels; ++c) sum += g[c * stride + x] * row[c * stride + x + offset[j]];
      grads[j * by + x] = from_acc<T>(sum);
    }
  }
}

// The same for taps side by side.
template <class T>
void taps_last_row_grads(const acc_t<T>* g, const acc_t<T>* row, int64_t stride, const FilterGeometry& s, T* grads) {
  using R = acc_t<T>;
  constexpr int L = kLanes<R>;
  const int k = s.kernel_width;
  for (int64_t x = 0; x < s.width; ++x) {
    for (int j = 0; j < k; j += L) {
      Vec<R> sum = {};
      for (int64_t c = 0; c < s.channels; ++c) sum += splat<R>(g[c * stride + x]) * load(row + c * stride + x + j);
      T* to = grads + x * s.grad_filters.x + j;
      if (j + L <= k) {
        store(to, sum);
      } else {
        for (int i = 0; i < k - j; ++i) to[i] = from_acc<T>(sum[i]);
      }
    }
  }
}

// The gradient of a block of weights, added up over calls for some of the channels; then that of the taps.
template <class T>
struct WeightGradients {
  using R = acc_t<T>;
  const FilterGeometry& s;
  int64_t block;
  Buffer<R> data;

  WeightGradients(const FilterGeometry& shape, int64_t positions) : s(shape), block(positions) {
    data.resize(s.taps() * block);
  }

  void add(const R* g, const R* const* rows, int64_t stride, const int64_t* offset, int64_t channels, int64_t first,
           int64_t width, bool begin) {
    for (int i = 0; i < s.kernel_height; ++i)
      for (int j = 0; j < s.kernel_width; ++j) {
        R* to = data.data() + (i * s.kernel_width + j) * block;
        const R* from = rows[i] + first + offset[j];
        for (int64_t x = 0; x < width; x += kLanes<R>) {
          Vec<R> sum = begin ? Vec<R>{} : load(to + x);
          for (int64_t c = 0; c < channels; ++c) sum += load(g + c * stride + first + x) * load(from + c * stride + x);
          store(to + x, sum);
        }
      }
  }

  // With w the weights and d those of their gradients: softmax w * (d - sum w d), sum (d - sum w d) / sum.
  void through(Taps<T>& taps, const T* f, int64_t first, int64_t width, R* shifts, R* factors) {
    for (int64_t from = 0; from < width; from += taps.block) {
      const int64_t some = width - from < taps.block ? width - from : taps.block;
      const R* weights = taps.get(f + (first + from) * s.filters.x, some);
      if (shifts) memcpy(shifts + first + from, taps.shift.data(), some * sizeof(R));
      if (shifts) memcpy(factors + first + from, taps.factor.data(), some * sizeof(R));
      for (int64_t x = 0; x < some; x += kLanes<R>) {
        R* grads = data.data() + from + x;
        Vec<R> mean = {};
        for (int64_t t = 0; t < s.taps(); ++t) mean += load(weights + t * taps.block + x) * load(grads + t * block);
        const Vec<R> factor = load(taps.factor.data() + x);
        for (int64_t t = 0; t < s.taps(); ++t) {
          const Vec<R> by = s.normalize == Normalize::softmax ? load(weights + t * taps.block + x) : factor;
          store(grads + t * block, by * (load(grads + t * block) - mean));
        }
      }
    }
  }

  void write(T* grads, int64_t width) const {
    const FilterStrides& by = s.grad_filters;
    for (int64_t t = 0; t < s.taps(); ++t) {
      const R* from = data.data() + t * block;
      T* to = grads + t * by.t;
      int64_t x = 0;
      if (by.x == 1)
        for (; x + kLanes<R> <= width; x += kLanes<R>) store(to + x, load(from + x));
      for (; x < width; ++x) to[x * by.x] = from_acc<T>(from[x]);
    }
  }
};

// Gradients of planar filters that are normalised, in one go: whole vectors of positions, up to the returned one.
template <class T>
int64_t normalized_grads(const T* f, const acc_t<T>* g, const acc_t<T>* const* rows, int64_t stride,
                         const int64_t* offset, const FilterGeometry& s, acc_t<T>* weights, acc_t<T>* of_weights,
                         acc_t<T>* shift, acc_t<T>* factors, T* grads) {
  using R = acc_t<T>;
  constexpr int L = kLanes<R>;
  const bool softmax = s.normalize == Normalize::softmax;
  const int taps = s.taps();
  const int64_t width = s.filter_width();
  bool aligned = s.grad_filters.t * sizeof(T) % 32 == 0;
  aligned = aligned && reinterpret_cast<uintptr_t>(grads) % 32 == 0;
  int64_t x = 0;
  for (; x + L <= width; x += L) {
    Vec<R> highest = load(f + x), total = {}, mean = {};
    if (softmax) {
      for (int t = 1; t < taps; ++t) {
        const Vec<R> tap = load(f + t * s.filters.t + x);
        highest = tap > highest ? tap : highest;
      }
    }
    for (int i = 0, t = 0; i < s.kernel_height; ++i) {
      for (int j = 0; j < s.kernel_width; ++j, ++t) {
        const R* from = rows[i] + x + offset[j];
        Vec<R> weight = load(f + t * s.filters.t + x), of_weight = {};
        if (softmax) weight = exponential(weight - highest);
        for (int64_t c = 0; c < s.channels; ++c) of_weight += load(g + c * stride + x) * load(from + c * stride);
        total += weight;
        mean += weight * of_weight;
        store(weights + t * L, weight);
        store(of_weights + t * L, of_weight);
      }
    }
    if (!softmax) total += splat<R>(kNormalizeEpsilon);
    const Vec<R> factor = splat<R>(1) / total;
    mean *= factor;
    for (int t = 0; t < taps; ++t) {
      const Vec<R> by = softmax ? load(weights + t * L) * factor : factor;
      store_stream(grads + t * s.grad_filters.t + x, by * (load(of_weights + t * L) - mean), aligned);
    }
    if (shift) store(shift + x, highest);
    if (shift) store(factors + x, factor);
  }
  return x;
}

template <class T>
void dynamic_filter_grad_filters(const T* grad, const T* x, const T* filters, T* grad_filters, acc_t<T>* shift,
                                 acc_t<T>* factor, const FilterGeometry& s, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  FilterRows<R> rows(s);
  const int64_t width = s.filter_width(), height = s.height * s.scale, step = s.out.x * s.phases();
  const bool whole = rows.channels == s.channels, plain = s.normalize == Normalize::none;
  const bool planar = whole && plain && s.grad_filters.x == 1;
  const bool taps_last = whole && plain && !planar && s.grad_filters.t == 1 && rows.unit;
  const bool in_one_go = whole && !plain && s.grad_filters.x == 1 && s.filters.x == 1;
  const int64_t stride = rows.stride;
  Buffer<R> g((whole ? s.channels : rows.channels) * stride);
  Buffer<R> weights(in_one_go ? s.taps() * kLanes<R> : 0), of_weights(weights.size());
  Taps<T> taps(s, s.taps(), plain ? 1 : width);
  const int64_t lanes = kLanes<R>, all = (width + lanes - 1) / lanes * lanes;
  // Where not all channels fit, their rows are read anew for each block: then there is one.
  WeightGradients<T> sums(s, planar || taps_last ? 1 : whole ? Taps<T>(s, s.taps(), width).block : all);
  const R* at[kMaxKernelSize];
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t row = unit % height, group = unit / height % s.groups, n = unit / height / s.groups;
    if (whole) rows.get(x, n, group, row, 0, s.channels, at);
    for (int64_t phase = 0; phase < s.phases(); ++phase) {
      const T* from = grad + n * s.out.n + group * s.out.g + row * s.out.y + phase * s.out.x;
      const T* f = filters + s.first_filter(n, group, row, phase, s.filters);
      T* to = grad_filters + s.first_filter(n, group, row, phase, s.grad_filters);
      R* shifts = shift ? shift + (unit * s.phases() + phase) * width : nullptr;
      R* factors = shift ? factor + (unit * s.phases() + phase) * width : nullptr;
      if (whole) gradient_rows(from, s, s.channels, step, g.data(), stride);
      if (planar || taps_last) {
        for (int i = 0; i < s.kernel_height; ++i) {
          T* of_row = to + i * s.kernel_width * s.grad_filters.t;
          if (planar) planar_row_grads<T>(g.data(), at[i], stride, s, rows, of_row);
          if (taps_last) taps_last_row_grads(g.data(), at[i], stride, s, of_row);
        }
        continue;
      }
      int64_t first = 0;
      if (in_one_go)
        first = normalized_grads(f, g.data(), at, stride, rows.offset, s, weights.data(), of_weights.data(), shifts,
                                 factors, to);
      for (; first < width; first += sums.block) {
        const int64_t some = width - first < sums.block ? width - first : sums.block;
        for (int64_t c = 0; c < s.channels; c += rows.channels) {
          const int64_t count = s.channels - c < rows.channels ? s.channels - c : rows.channels;
          if (!whole) {
            rows.get(x, n, group, row, c, count, at);
            gradient_rows(from + c * s.out.c, s, count, step, g.data(), stride);
          }
          sums.add(g.data(), at, stride, rows.offset, count, first, some, c == 0);
        }
        if (!plain) sums.through(taps, f, first, some, shifts, factors);
        sums.write(to + first * s.grad_filters.x, some);
      }
    }
  }
  stream_fence();
}

template <class T>
void dynamic_filter_measure(const T* filters, acc_t<T>* shift, acc_t<T>* factor, const FilterGeometry& s, int64_t begin,
                            int64_t end) {
  using R = acc_t<T>;
  const int64_t width = s.filter_width(), height = s.height * s.scale;
  Taps<T> taps(s, s.taps(), width);
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t row = unit % height, group = unit / height % s.groups, n = unit / height / s.groups;
    for (int64_t phase = 0; phase < s.phases(); ++phase) {
      const T* f = filters + s.first_filter(n, group, row, phase, s.filters);
      const int64_t to = (unit * s.phases() + phase) * width;
      for (int64_t first = 0; first < width; first += taps.block) {
        const int64_t some = width - first < taps.block ? width - first : taps.block;
        taps.gather(f + first * s.filters.x, s.taps(), some);
        taps.measure(s.taps(), some);
        memcpy(shift + to + first, taps.shift.data(), some * sizeof(R));
        memcpy(factor + to + first, taps.factor.data(), some * sizeof(R));
      }
    }
  }
}

#define INSTANTIATE(T)                                                                              \
  template void dynamic_filter_grad_filters(const T*, const T*, const T*, T*, acc_t<T>*, acc_t<T>*, \
                                            const FilterGeometry&, int64_t, int64_t);               \
  template void dynamic_filter_measure(const T*, acc_t<T>*, acc_t<T>*, const FilterGeometry&, int64_t, int64_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)

#include "cpu/kernels/end.h"
