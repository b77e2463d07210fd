// The loops of the CPU `dynamic_filter_backward`.
//
// Gather: for a row p of the padded picture and a kernel row i, exactly the filters' row y = p - i + k/2 is read, once.
// It gives the picture's gradient at p by shifted reads, and the filters' gradient from the picture's row p. Nobody
// else touches either, so there are no atomics and the result does not depend on the number of threads.
#include <vector>

#include "cpu/buffer.h"
#include "cpu/dynamic_filter.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/padded_rows.h"

// grads[x of one kernel row's taps] = sum_c g[c][x] * row[c][x + j], planar.
template <class T>
void planar_grad_filters(const acc_t<T>* g, const acc_t<T>* row, int64_t stride, const DynamicFilterShape& s,
                         T* grads) {
  using R = acc_t<T>;
  constexpr int L = kLanes<R>;
  constexpr int B = 2;
  const int channels = static_cast<int>(s.channels);
  bool aligned = s.width * sizeof(T) % 32 == 0 && s.ft * sizeof(T) % 32 == 0;
  aligned = aligned && reinterpret_cast<uintptr_t>(grads) % 32 == 0;
  int64_t x = 0;
  for (; x + B * L <= s.width; x += B * L) {
    for (int j = 0; j < s.k; ++j) {
      Vec<R> sum[B] = {};
      for (int c = 0; c < channels; ++c)
#pragma GCC unroll 4
        for (int b = 0; b < B; ++b) sum[b] += load(g + c * stride + x + b * L) * load(row + c * stride + x + j + b * L);
#pragma GCC unroll 4
      for (int b = 0; b < B; ++b) store_stream(grads + j * s.ft + x + b * L, sum[b], aligned);
    }
  }
  for (; x < s.width; ++x) {
    for (int j = 0; j < s.k; ++j) {
      R sum = R(0);
      for (int c = 0; c < channels; ++c) sum += g[c * stride + x] * row[c * stride + x + j];
      grads[j * s.ft + x] = from_acc<T>(sum);
    }
  }
}

// The same for taps side by side.
template <class T>
void taps_last_grad_filters(const acc_t<T>* g, const acc_t<T>* row, int64_t stride, const DynamicFilterShape& s,
                            T* grads) {
  using R = acc_t<T>;
  constexpr int L = kLanes<R>;
  const int channels = static_cast<int>(s.channels);
  for (int64_t x = 0; x < s.width; ++x) {
    for (int j = 0; j < s.k; j += L) {
      Vec<R> sum = {};
      for (int c = 0; c < channels; ++c) sum += splat<R>(g[c * stride + x]) * load(row + c * stride + x + j);
      T* to = grads + x * s.fx + j;
      if (j + L <= s.k) {
        store(to, sum);
      } else {
        for (int i = 0; i < s.k - j; ++i) to[i] = from_acc<T>(sum[i]);
      }
    }
  }
}

// grad[c][q] += sum_j taps_j[q - j] * g[c][q - j] over the padded row, 0 <= q < width + k - 1; planar.
template <class T, int C>
void planar_grad_x(const T* f, const acc_t<T>* g, int64_t stride, const DynamicFilterShape& s, acc_t<T>* grad) {
  using R = acc_t<T>;
  constexpr int L = kLanes<R>;
  const int k = s.k;
  const auto one = [&](int64_t q) {
    for (int j = 0; j < k; ++j) {
      const int64_t x = q - j;
      if (x < 0 || x >= s.width) continue;
      const R tap = to_acc(f[j * s.ft + x]);
      for (int c = 0; c < C; ++c) grad[c * stride + q] += tap * g[c * stride + x];
    }
  };
  const int64_t first = k - 1;
  int64_t q = 0;
  for (; q < first && q < s.width + k - 1; ++q) one(q);
  for (; q + L <= s.width; q += L) {
    Vec<R> sum[C];
    for (int c = 0; c < C; ++c) sum[c] = load(grad + c * stride + q);
    for (int j = 0; j < k; ++j) {
      const Vec<R> tap = load(f + j * s.ft + q - j);
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) sum[c] += tap * load(g + c * stride + q - j);
    }
    for (int c = 0; c < C; ++c) store(grad + c * stride + q, sum[c]);
  }
  for (; q < s.width + k - 1; ++q) one(q);
}

template <class T, int C>
void taps_last_grad_x(const T* f, const acc_t<T>* g, int64_t stride, const DynamicFilterShape& s, acc_t<T>* grad) {
  using R = acc_t<T>;
  constexpr int L = kLanes<R>;
  const auto one = [&](int64_t x, int from) {
    for (int j = from; j < s.k; ++j)
      for (int c = 0; c < C; ++c) grad[c * stride + x + j] += to_acc(f[x * s.fx + j]) * g[c * stride + x];
  };
  const int whole = s.k / L * L;
  const auto tail = first_lanes<R>(s.k - whole);
  for (int64_t x = 0; x + 1 < s.width; ++x) {
    for (int j = 0; j < s.k; j += L) {
      Vec<R> tap = load(f + x * s.fx + j);
      if (j == whole) tap = keep<R>(tap, tail);
      for (int c = 0; c < C; ++c) {
        // The masked lanes add an exact zero, unless the gradient there is not finite.
        Vec<R> add = tap * splat<R>(g[c * stride + x]);
        if (j == whole) add = keep<R>(add, tail);
        store(grad + c * stride + x + j, load(grad + c * stride + x + j) + add);
      }
    }
  }
  one(s.width - 1, 0);
}

template <class T>
void grad_x_row(int chunk, const T* f, const acc_t<T>* g, int64_t stride, const DynamicFilterShape& s, acc_t<T>* grad) {
  const bool planar = s.fx == 1;
#define LFD_GRAD_X(C) \
  if (chunk == C)     \
    return planar ? planar_grad_x<T, C>(f, g, stride, s, grad) : taps_last_grad_x<T, C>(f, g, stride, s, grad);
  LFD_GRAD_X(1)
  LFD_GRAD_X(2)
  LFD_GRAD_X(3)
  LFD_GRAD_X(4)
#undef LFD_GRAD_X
}

// Adds a gradient of the padded row to the row itself: the border's part goes to the edge pixels, or nowhere.
template <class R>
void fold_row(const R* padded, const DynamicFilterShape& s, R* row) {
  const int radius = s.k / 2;
  for (int64_t x = 0; x < s.width; ++x) row[x] += padded[radius + x];
  if (!s.replicate) return;
  for (int i = 0; i < radius; ++i) {
    row[0] += padded[i];
    row[s.width - 1] += padded[radius + s.width + i];
  }
}

template <class T>
void dynamic_filter_backward(const T* grad, const T* x, const T* filters, T* grad_x, T* grad_filters,
                             const DynamicFilterShape& s, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  const int radius = s.k / 2;
  const int64_t plane = s.height * s.width, stride = PaddedRows<R>(s, 1).stride;
  Buffer<R> g_rows(s.channels * stride), picture(s.channels * stride), padded(s.channels * stride);
  std::vector<R> sums(s.channels * s.width);
  PaddedRows<R> one_row(s, 1);
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t row = unit % s.height, group = unit / s.height;
    const T* x_group = x + group * s.channels * plane;
    const T* g_group = grad + group * s.channels * plane;
    const int64_t filter_base = group / s.groups * s.fn + group % s.groups * s.fg;
    for (R& v : sums) v = R(0);
    const int64_t first = row == 0 ? -radius : row, last = row == s.height - 1 ? s.height - 1 + radius : row;
    for (int64_t p = first; p <= last; ++p) {
      if (grad_filters) {
        for (int64_t c = 0; c < s.channels; ++c)
          memcpy(picture.data() + c * stride, one_row.get(x_group + c * plane, group * s.channels + c, p, 1, s),
                 stride * sizeof(R));
      }
      for (R& v : padded) v = R(0);
      for (int i = 0; i < s.k; ++i) {
        const int64_t y = p - i + radius;
        if (y < 0 || y >= s.height) continue;
        for (int64_t c = 0; c < s.channels; ++c) {
          const T* from = g_group + c * plane + y * s.width;
          R* to = g_rows.data() + c * stride;
          int64_t q = 0;
          for (; q + kLanes<R> <= s.width; q += kLanes<R>) store(to + q, load(from + q));
          for (; q < s.width; ++q) to[q] = to_acc(from[q]);
        }
        const int64_t taps = filter_base + y * s.fy + i * s.k * s.ft;
        if (grad_filters && s.fx == 1)
          planar_grad_filters(g_rows.data(), picture.data(), stride, s, grad_filters + taps);
        if (grad_filters && s.fx != 1)
          taps_last_grad_filters(g_rows.data(), picture.data(), stride, s, grad_filters + taps);
        if (!grad_x || (!s.replicate && p != row)) continue;
        for (int64_t c = 0; c < s.channels; c += kChunk) {
          const int chunk = static_cast<int>(s.channels - c < kChunk ? s.channels - c : kChunk);
          grad_x_row(chunk, filters + taps, g_rows.data() + c * stride, stride, s, padded.data() + c * stride);
        }
      }
      if (!grad_x || (!s.replicate && p != row)) continue;
      for (int64_t c = 0; c < s.channels; ++c) fold_row(padded.data() + c * stride, s, sums.data() + c * s.width);
    }
    if (!grad_x) continue;
    for (int64_t c = 0; c < s.channels; ++c) {
      T* to = grad_x + (group * s.channels + c) * plane + row * s.width;
      for (int64_t q = 0; q < s.width; ++q) to[q] = from_acc<T>(sums[c * s.width + q]);
    }
  }
  stream_fence();
}

#define INSTANTIATE(T)                                                                                            \
  template void dynamic_filter_backward(const T*, const T*, const T*, T*, T*, const DynamicFilterShape&, int64_t, \
                                        int64_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)

#include "cpu/kernels/end.h"
