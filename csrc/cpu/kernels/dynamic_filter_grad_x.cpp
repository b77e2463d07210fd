// The picture's gradient of the CPU `dynamic_filter`.
//
// Gather: for a row p of the picture with its border and a kernel row i, exactly the filters of one row of positions
// see p by their kernel row i; that part of the filters is read, once. Nobody else writes p, so there are no atomics
// and the result does not depend on the number of threads.
#include <cmath>
#include <type_traits>
#include <vector>

#include "cpu/buffer.h"
#include "cpu/dynamic_filter.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/filter_gradient.h"
#include "cpu/kernels/filter_taps.h"

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

template <class T>
struct PictureGradient : PaddedGradient<T> {
  using R = acc_t<T>;
  using PaddedGradient<T>::s;
  using PaddedGradient<T>::layout;
  using PaddedGradient<T>::classes;
  using PaddedGradient<T>::g;
  using PaddedGradient<T>::padded;
  Taps<T> taps;

  explicit PictureGradient(const FilterGeometry& shape)
      : PaddedGradient<T>(shape), taps(shape, shape.kernel_width, read_in_place(shape) ? 1 : shape.filter_width()) {}

  // Adds what one row of filters, of one phase, sees by a kernel row. f: the first tap of that.
  void add(const T* f, const R* shift, const R* factor, const T* grad, int64_t step, int64_t count) {
    const int64_t width = s.filter_width(), stride = layout.stride;
    const bool softmax = s.normalize == Normalize::softmax;
    this->get(grad, step, count);
    for (int64_t c = 0; c < count && factor; ++c)
      for (int64_t x = 0; x < width; ++x) g[c * stride + x] *= factor[x];
    if (read_in_place(s) || (s.filters.x == 1 && (!softmax || count <= kChunk))) {
      this->each_chunk(count, [&](auto chunk, int64_t at) {
        constexpr int C = decltype(chunk)::value;
        const R* rows = g.data() + at;
        R* to = padded.data() + at;
#if !defined(LFD_AVX512)  // it is not chosen for them
        if (s.filters.x != 1) return taps_last_grad_x<T, C>(f, s.filters.x, width, s.kernel_width, rows, stride, to);
#endif
        if (layout.unit && !softmax)
          return planar_grad_x<T, C, true>(f, s.filters.t, width, classes[0], rows, stride, to);
        for (const ClassTaps& those : classes) {
          if (softmax)
            planar_grad_x<T, C, false, true>(f, s.filters.t, width, those, rows, stride, to + those.first, shift);
          else
            planar_grad_x<T, C, false>(f, s.filters.t, width, those, rows, stride, to + those.first);
        }
      });
      return;
    }
    for (int64_t first = 0; first < width; first += taps.block) {
      const int64_t some = width - first < taps.block ? width - first : taps.block;
      taps.gather(f + first * s.filters.x, s.kernel_width, some);
      if (softmax) taps.raise(s.kernel_width, some, shift + first);
      this->each_chunk(count, [&](auto chunk, int64_t at) {
        constexpr int C = decltype(chunk)::value;
        for (const ClassTaps& those : classes)
          planar_grad_x<R, C, false>(taps.data.data(), taps.block, some, those, g.data() + at + first, stride,
                                     padded.data() + at + those.first + first);
      });
    }
  }
};

template <class T>
void dynamic_filter_grad_x(const T* grad, const T* filters, const acc_t<T>* shift, const acc_t<T>* factor, T* grad_x,
                           const FilterGeometry& s, int64_t begin, int64_t end) {
  PictureGradient<T> part(s);
  const int64_t step = s.out.x * s.phases(), height = s.output_height();
  const auto add = [&](int64_t n, int64_t group, int64_t c, int64_t count, int i, int64_t position) {
    for (int64_t row = position * s.scale; row < (position + 1) * s.scale; ++row)
      for (int64_t phase = 0; phase < s.phases(); ++phase) {
        const T* f = filters + s.first_filter(n, group, row, phase, s.filters) + i * s.kernel_width * s.filters.t;
        const T* g = grad + n * s.out.n + group * s.out.g + c * s.out.c + row * s.out.y + phase * s.out.x;
        const int64_t at = (((n * s.groups + group) * height + row) * s.phases() + phase) * s.filter_width();
        part.add(f, shift ? shift + at : nullptr, shift ? factor + at : nullptr, g, step, count);
      }
  };
  part.gather(grad_x, begin, end, add);
}

#define INSTANTIATE(T)                                                                                                 \
  template void dynamic_filter_grad_x(const T*, const T*, const acc_t<T>*, const acc_t<T>*, T*, const FilterGeometry&, \
                                      int64_t, int64_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)

#include "cpu/kernels/end.h"
