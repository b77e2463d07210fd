// How the views are read along an axis where a plane has one disparity.
#pragma once

// How one axis of a view is read at one disparity: the output pixel p gets sum_i w[i] * view[clamp(p + first + i)].
template <class R>
struct AxisTaps {
  int64_t first, count;
  int64_t lo, hi;  // the pixels whose samples count: all, or for border `valid` those that lie inside the view
  R w[4];
};

template <class R>
AxisTaps<R> axis_taps(R disparity, double offset, int64_t size, const RefocusShape& s) {
  const AxisShift<double> shift = axis_shift<double>(disparity, offset, size);
  const R f = static_cast<R>(shift.f);
  AxisTaps<R> taps{shift.first, 1, 0, size, {R(1), R(0), R(0), R(0)}};
  if (s.valid) {
    taps.lo = std::max<int64_t>(0, -int64_t{shift.first});
    taps.hi = std::min<int64_t>(size, size - 1 - shift.first + (shift.f == 0 ? 1 : 0));
    taps.hi = std::max(taps.lo, taps.hi);
  }
  if (s.interpolation == Interpolation::nearest) {
    if (shift.f >= 0.5) taps.first += 1;
  } else if (shift.f != 0) {
    const bool cubic = s.interpolation == Interpolation::bicubic;
    taps.first += cubic ? -1 : 0;
    taps.count = cubic ? 4 : 2;
    const R a = static_cast<R>(s.cubic);
    cubic ? bicubic_weights(f, a, taps.w) : Taps<Interpolation::bilinear>::weights(f, a, taps.w);
  }
  return taps;
}

// [D, V] or [D, U] taps of all planes.
template <class R>
std::vector<AxisTaps<R>> all_axis_taps(const R* disparity, int64_t views, int64_t size, const RefocusShape& s) {
  std::vector<AxisTaps<R>> taps;
  taps.reserve(s.d * views);
  for (int64_t d = 0; d < s.d; ++d)
    for (int64_t v = 0; v < views; ++v) taps.push_back(axis_taps(disparity[d], v - 0.5 * (views - 1), size, s));
  return taps;
}

// The output rows [begin, end) within [from, to) that read source row r with a tap `shift` away. If `extended`, the
// first and the last row are also read in place of those beyond.
struct RowRange {
  int64_t begin, end;
};
inline RowRange reading_rows(int64_t r, int64_t shift, int64_t height, int64_t from, int64_t to, bool extended = true) {
  const bool first = extended && r == 0, last = extended && r == height - 1;
  const int64_t begin = first ? from : r - shift, end = last ? to : r - shift + 1;
  return {std::max(begin, from), std::min(end, to)};
}

template <class R>
inline void add_scaled(R* to, R weight, const R* from, int64_t count) {
  constexpr int L = kLanes<R>;
  const Vec<R> w = splat(weight);
  int64_t x = 0;
  for (; x + L <= count; x += L) store(to + x, load(to + x) + w * load(from + x));
  for (; x < count; ++x) to[x] += weight * from[x];
}

// to[0] += weight * from[0] + ... + weight * from[count - 1], as multiply-adds where the set has them. Not inlined:
// where the compiler sees that the two do not overlap, it makes vectors of the products, and rounds each before its
// addition.
template <class R>
__attribute__((noinline)) void add_scaled_sum(R* to, R weight, const R* from, int64_t count) {
  for (int64_t x = 0; x < count; ++x) to[0] += weight * from[x];
}

// The adjoint of reading output rows of one plane with the taps t: sum[x] = sum of w * g[y * width + x] over the output
// rows y that read source row r. False where none does.
template <class R>
bool sum_reading_rows(const R* g, const AxisTaps<R>& t, int64_t r, const RefocusShape& s, R* sum) {
  bool any = false;
  for (int i = 0; i < t.count; ++i) {
    const RowRange range = reading_rows(r, t.first + i, s.h, t.lo, t.hi, !s.zeros);
    for (int64_t y = range.begin; y < range.end; ++y) {
      if (!any) std::fill(sum, sum + s.w, R(0));
      any = true;
      add_scaled(sum, t.w[i], g + y * s.w, s.w);
    }
  }
  return any;
}
