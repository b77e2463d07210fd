// Rows of a picture as the taps of `dynamic_filter` read them.
#pragma once

constexpr int kChunk = 4;  // channels that are summed together

// Where the taps of a kernel row read a row of the picture: tap j at offset[j] + x for the filter at x. Columns that a
// stride divides are laid out one class after the other, those of a fine scale stand `scale` times.
template <class R>
struct RowLayout {
  int64_t offset[kMaxKernelSize];
  int64_t columns;                  // of the picture with its border
  int64_t classes, length, repeat;  // of columns; of one class; of each column
  int64_t stride;  // of a channel; whole vectors, some longer than the row, so that whole ones can be read
  bool unit;       // offset[j] = j

  explicit RowLayout(const FilterGeometry& s)
      : columns(s.padded_width()), classes(s.stride_x), repeat(s.fine ? s.scale : 1) {
    length = (columns + classes - 1) / classes * repeat;
    for (int j = 0; j < s.kernel_width; ++j) {
      const int64_t column = j * s.dilation_x;
      offset[j] = column % classes * length + column / classes * repeat;
    }
    unit = s.dilation_x == 1 && classes == 1 && repeat == 1;
    constexpr int64_t L = kLanes<R>;
    stride = classes * length / L * L + 3 * L;
  }

  // f(q, place, e) for each column q of the picture with its border: its e-th place.
  template <class F>
  void each_place(const F& f) const {
    for (int64_t m = 0; m < classes; ++m)
      for (int64_t q = m, place = m * length; q < columns; q += classes)
        for (int64_t e = 0; e < repeat; ++e) f(q, place++, e);
  }
};

// The gradient at the outputs of a row of filters, `step` apart.
template <class T>
void gradient_rows(const T* grad, const FilterGeometry& s, int64_t channels, int64_t step, acc_t<T>* rows,
                   int64_t stride) {
  using R = acc_t<T>;
  const int64_t width = s.filter_width();
  for (int64_t c = 0; c < channels; ++c) {
    const T* from = grad + c * s.out.c;
    R* to = rows + c * stride;
    int64_t x = 0;
    if (step == 1)
      for (; x + kLanes<R> <= width; x += kLanes<R>) store(to + x, load(from + x));
    for (; x < width; ++x) to[x] = to_acc(from[x * step]);
  }
}

// Channels of a group that are worked on at once, `rows` rows of each.
template <class R>
int64_t channels_at_once(const FilterGeometry& s, int64_t rows, int64_t stride) {
  const int64_t fit = (int64_t{4} << 20) / (rows * stride * static_cast<int64_t>(sizeof(R))) / kChunk * kChunk;
  return fit >= s.channels ? s.channels : fit > kChunk ? fit : s.channels < kChunk ? s.channels : kChunk;
}

// The rows, in the sum's type and with the border put on; those that the next row reads again stay.
template <class R>
struct FilterRows : RowLayout<R> {
  using RowLayout<R>::classes;
  using RowLayout<R>::length;
  using RowLayout<R>::repeat;
  using RowLayout<R>::stride;
  const FilterGeometry& s;
  int64_t slots, channels;
  bool ring;  // unless the dilation is so large that too many rows would stay
  Buffer<R> data, scratch;
  std::vector<int64_t> tags;

  explicit FilterRows(const FilterGeometry& shape) : RowLayout<R>(shape), s(shape) {
    const int64_t span = (s.kernel_height - 1) * s.dilation_y + 1;
    ring = span <= 2 * kMaxKernelSize;
    slots = ring ? span : s.kernel_height;
    channels = channels_at_once<R>(s, slots, stride);
    data.resize(slots * channels * stride);
    tags.assign(slots, INT64_MIN);
    if (classes * repeat > 1) scratch.resize(s.padded_width());
  }

  // The rows of kernel_height taps at output row `row`, of channels [c, c + count) of the group.
  template <class T>
  void get(const T* x, int64_t n, int64_t g, int64_t row, int64_t c, int64_t count, const R** rows) {
    const int64_t pad = s.pad_y(), span = s.x_height + 2 * pad + 1;
    const int64_t top = row / s.scale * s.stride_y;  // rows are counted from the border's first
    const int64_t first_tag = ((n * s.groups + g) * s.channels + c) * span;
    int64_t next = ring ? top % slots : 0;
    for (int i = 0; i < s.kernel_height; ++i) {
      const int64_t p = top + i * s.dilation_y, slot = next;
      next += ring ? s.dilation_y : 1;
      if (next >= slots) next -= slots;
      R* to = data.data() + slot * channels * stride;
      rows[i] = to;
      const int64_t tag = first_tag + p;
      if (tags[slot] == tag) continue;
      tags[slot] = tag;
      const int64_t y = shown(p - pad, s.x_height, s.border);
      if (y < 0) {
        for (int64_t k = 0; k < count * stride; ++k) to[k] = R(0);
        continue;
      }
      const T* from = x + n * s.x.n + g * s.x.g + c * s.x.c + y * s.x.y;
      if (scratch.empty() && s.x.x != 1) {
        interleaved(from, count, to);
        continue;
      }
      for (int64_t k = 0; k < count; ++k) one(from + k * s.x.c, to + k * stride);
    }
  }

 private:
  template <class T>
  void one(const T* from, R* to) {
    R* padded = scratch.empty() ? to : scratch.data();
    R* inner = padded + s.pad_x();
    int64_t x = 0;
    if (s.x.x == 1)
      for (; x + kLanes<R> <= s.x_width; x += kLanes<R>) store(inner + x, load(from + x));
    for (; x < s.x_width; ++x) inner[x] = to_acc(from[x * s.x.x]);
    put_border(padded);
    if (scratch.empty()) {
      for (int64_t end = s.padded_width(); end < stride; ++end) to[end] = R(0);
      return;
    }
    for (int64_t end = 0; end < stride; ++end) to[end] = R(0);
    this->each_place([&](int64_t q, int64_t place, int64_t) { to[place] = padded[q]; });
  }

  // Channels last: blocks of them, so that the lines read stay in the first-level cache.
  template <class T>
  void interleaved(const T* from, int64_t count, R* to) {
    constexpr int64_t block = 16;
    for (int64_t c = 0; c < count; c += block) {
      const int64_t last = c + block < count ? c + block : count;
      for (int64_t x = 0; x < s.x_width; ++x)
        for (int64_t k = c; k < last; ++k) to[k * stride + s.pad_x() + x] = to_acc(from[x * s.x.x + k * s.x.c]);
      for (int64_t k = c; k < last; ++k) {
        put_border(to + k * stride);
        for (int64_t end = s.padded_width(); end < stride; ++end) to[k * stride + end] = R(0);
      }
    }
  }

  void put_border(R* padded) const {
    const int64_t pad = s.pad_x();
    const auto at = [&](int64_t p) {
      const int64_t x = shown(p, s.x_width, s.border);
      return x < 0 ? R(0) : padded[pad + x];
    };
    for (int64_t p = 1; p <= pad; ++p) {
      padded[pad - p] = at(-p);
      padded[pad + s.x_width + p - 1] = at(s.x_width + p - 1);
    }
  }
};
