// The picture's gradient of the CPU `dynamic_filter_separable`. Kernel row i sees the gradient times its vertical tap,
// by the horizontal ones, which all kernel rows share: rows of the picture are summed a band at a time, so that a row
// of filters is read once for all rows of the band that it sees. Nobody else writes the band, so there are no atomics;
// the order of a sum is that of the rows of filters, whatever the bands and threads.
#include <cmath>
#include <type_traits>
#include <vector>

#include "cpu/buffer.h"
#include "cpu/dynamic_filter_separable.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/filter_gradient.h"
#include "cpu/kernels/filter_taps.h"

template <class T>
struct SeparableGradient : PaddedGradient<T> {
  using R = acc_t<T>;
  using PaddedGradient<T>::s;
  using PaddedGradient<T>::layout;
  using PaddedGradient<T>::g;
  int64_t height, row_size;  // of the band; of a row of it
  Taps<T> taps;
  Buffer<R> band, weighted;

  explicit SeparableGradient(const FilterGeometry& shape)
      : PaddedGradient<T>(shape, 256), taps(shape, shape.taps(), shape.width, 256 << 10) {
    constexpr int64_t cache = 512 << 10;
    row_size = this->channels * layout.stride;
    height = cache / (row_size * static_cast<int64_t>(sizeof(R)));
    height = height < 8 ? 8 : height > 64 ? 64 : height;
    band.resize(height * row_size);
    weighted.resize(row_size);
  }

  // Adds what a row of filters sees of the band's rows [y, y + rows) of the picture, by a gradient that `get` got.
  void add(const T* filter, int64_t row, int64_t y, int64_t rows, int64_t count) {
    int kernel_rows[kMaxKernelSize], seen = 0;
    int64_t at[kMaxKernelSize];
    for (int i = 0; i < s.kernel_height; ++i) {
      const int64_t q = shown(row + i * s.dilation_y - s.pad_y(), s.x_height, s.border) - y;
      if (q < 0 || q >= rows) continue;
      at[seen] = q;
      kernel_rows[seen++] = i;
    }
    for (int64_t first = 0; first < s.width; first += taps.block) {
      const int64_t some = s.width - first < taps.block ? s.width - first : taps.block;
      taps.gather(filter + first * s.filters.x, s.taps(), some);
      for (int k = 0; k < seen; ++k) add_block(kernel_rows[k], first, some, count, band.data() + at[k] * row_size);
    }
  }

 private:
  void add_block(int i, int64_t first, int64_t width, int64_t count, R* to) {
    const R* vertical = taps.data.data() + i * taps.block;
    const R* horizontal = taps.data.data() + s.kernel_height * taps.block;
    for (int64_t c = 0; c < count; ++c) {
      const R* from = g.data() + c * layout.stride + first;
      R* by = weighted.data() + c * layout.stride;
      for (int64_t x = 0; x < width; ++x) by[x] = from[x] * vertical[x];
    }
    this->each_chunk(count, [&](auto chunk, int64_t channel) {
      constexpr int C = decltype(chunk)::value;
      const R* by = weighted.data() + channel;
      if (layout.unit)
        return planar_grad_x<R, C, true>(horizontal, taps.block, width, this->classes[0], by, layout.stride,
                                         to + channel + first);
      planar_grad_x<R, C, false>(horizontal, taps.block, width, this->classes[0], by, layout.stride,
                                 to + channel + first);
    });
  }
};

// Does a row of filters see one of the rows [y, y + rows) of the picture?
inline bool sees(const FilterGeometry& s, int64_t row, int64_t y, int64_t rows) {
  for (int i = 0; i < s.kernel_height; ++i) {
    const int64_t q = shown(row + i * s.dilation_y - s.pad_y(), s.x_height, s.border) - y;
    if (q >= 0 && q < rows) return true;
  }
  return false;
}

template <class T>
void dynamic_filter_separable_grad_x(const T* grad, const T* filters, T* grad_x, const FilterGeometry& s, int64_t begin,
                                     int64_t end) {
  using R = acc_t<T>;
  SeparableGradient<T> part(s);
  const auto add_band = [&](int64_t n, int64_t group, int64_t c, int64_t count, int64_t y, int64_t rows) {
    for (R& v : part.band) v = R(0);
    for (int64_t row = 0; row < s.height; ++row) {
      if (!sees(s, row, y, rows)) continue;
      part.get(grad + n * s.out.n + group * s.out.g + c * s.out.c + row * s.out.y, s.out.x, count);
      part.add(filters + s.first_filter(n, group, row, 0, s.filters), row, y, rows, count);
    }
    for (int64_t k = 0; k < rows; ++k) {
      const R* from = part.band.data() + k * part.row_size;
      part.padded.assign(from, from + part.row_size);
      for (R& v : part.sums) v = R(0);
      part.fold(count);
      part.write(grad_x + n * s.x.n + group * s.x.g + c * s.x.c + (y + k) * s.x.y, count);
    }
  };
  for (int64_t unit = begin; unit < end;) {
    const int64_t y = unit % s.x_height, group = unit / s.x_height % s.groups, n = unit / s.x_height / s.groups;
    int64_t rows = s.x_height - y < end - unit ? s.x_height - y : end - unit;
    rows = rows < part.height ? rows : part.height;
    for (int64_t c = 0; c < s.channels; c += part.channels)
      add_band(n, group, c, s.channels - c < part.channels ? s.channels - c : part.channels, y, rows);
    unit += rows;
  }
}

#define INSTANTIATE(T) \
  template void dynamic_filter_separable_grad_x(const T*, const T*, T*, const FilterGeometry&, int64_t, int64_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)

#include "cpu/kernels/end.h"
