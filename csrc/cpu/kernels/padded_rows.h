// Rows of a picture with its border.
#pragma once

constexpr int kChunk = 4;

inline int64_t clamp_row(int64_t p, int64_t size) { return p < 0 ? 0 : (p < size ? p : size - 1); }

// Rows of the picture in the sum's type with the border put on, the last k of them kept.
template <class R>
struct PaddedRows {
  int64_t stride;  // of one row; whole vectors, some longer than the row, so that whole ones can be read
  int k;
  Buffer<R> data;
  std::vector<int64_t> tags;

  PaddedRows(const DynamicFilterShape& s, int rows)
      : stride((s.width + s.k - 1) / kLanes<R> * kLanes<R> + 3 * kLanes<R>),
        k(rows),
        data(rows * kChunk * stride),
        tags(rows, INT64_MIN) {}

  // Row p (-k < p < height + k) of `chunk` channels; `plane` numbers the picture and the channels for the cache.
  template <class T>
  const R* get(const T* x, int64_t plane, int64_t p, int chunk, const DynamicFilterShape& s) {
    const int64_t slot = (p % k + k) % k;
    R* row = data.data() + slot * kChunk * stride;
    const int64_t tag = plane * (s.height + 2 * s.k) + p;
    if (tags[slot] == tag) return row;
    tags[slot] = tag;
    const int radius = s.k / 2;
    const bool outside = p < 0 || p >= s.height;
    for (int c = 0; c < chunk; ++c) {
      const T* from = x + (c * s.height + clamp_row(p, s.height)) * s.width;
      R* to = row + c * stride;
      if (outside && !s.replicate) {
        for (int64_t i = 0; i < stride; ++i) to[i] = R(0);
        continue;
      }
      for (int i = 0; i < radius; ++i) to[i] = s.replicate ? to_acc(from[0]) : R(0);
      int64_t i = 0;
      for (; i + kLanes<R> <= s.width; i += kLanes<R>) store(to + radius + i, load(from + i));
      for (; i < s.width; ++i) to[radius + i] = to_acc(from[i]);
      const R last = s.replicate ? to_acc(from[s.width - 1]) : R(0);
      for (i = radius + s.width; i < stride; ++i) to[i] = last;
    }
    return row;
  }
};
