// Samples of the views at rows of output pixels, for output pixels that have a disparity each and for gradients that
// need each sample by itself.
//
// Separable: of one output pixel, the rows that a view is read at depend on the view's row v alone, and the columns on
// its column u alone. So for a strip of pixels, V + U sets of positions and weights serve V * U views and all channels.
// Neighbouring pixels have similar disparities: a block of kLanes of them reads a few rows of a view, and of each row a
// window of few columns, which is loaded as vectors.
#pragma once

#include "cpu/kernels/refocus_windows.h"

// axis_shift of a block of pixels.
template <class R>
inline void axis_shifts(Vec<R> disparity, R offset, int64_t size, typename Simd<R>::Mask& first, Vec<R>& f) {
  const Vec<R> bound = splat(static_cast<R>(size + 4));
  Vec<R> t = -(disparity * splat(offset));
  t = t > -bound ? t : -bound;
  t = t < bound ? t : bound;
  first = __builtin_convertvector(t, typename Simd<R>::Mask);
  first += __builtin_convertvector(first, Vec<R>) > t;  // true is -1
  f = t - __builtin_convertvector(first, Vec<R>);
  const auto rounded = f >= splat(R(1));
  first -= rounded;
  f = rounded ? splat(R(0)) : f;
}

template <class R>
inline bool any(typename Simd<R>::Mask lanes) {
#if defined(LFD_AVX2)
  return !_mm256_testz_si256((__m256i)lanes, (__m256i)lanes);
#else
  typedef int64_t Words __attribute__((vector_size(kVectorBytes)));
  const Words words = (Words)lanes;
  int64_t some = 0;
  for (int i = 0; i < kLanes<double>; ++i) some |= words[i];
  return some != 0;
#endif
}

// The weights of N taps of a block's samples, and their derivatives if K = 2. Nearest is bilinear at the pixels.
template <int N, int K, class R>
inline void tap_weights(const RefocusShape& s, Vec<R> f, Vec<R> (*w)[N]) {
  const Vec<R> one = splat(R(1)), zero{};
  if constexpr (N == 2) {
    const bool nearest = s.interpolation == Interpolation::nearest;
    if (nearest) f = f < splat(R(0.5)) ? zero : one;
    w[0][0] = one - f;
    w[0][1] = f;
    if constexpr (K == 2) {
      w[1][0] = nearest ? zero : -one;
      w[1][1] = nearest ? zero : one;
    }
  } else {
    R at[kLanes<R>], to[K][N][kLanes<R>];
    memcpy(at, &f, sizeof(at));
    for (int l = 0; l < kLanes<R>; ++l) {
      R weights[N], slopes[N];
      Taps<Interpolation::bicubic>::weights(at[l], R(s.cubic), weights);
      if constexpr (K == 2) Taps<Interpolation::bicubic>::slopes(at[l], R(s.cubic), slopes);
      for (int i = 0; i < N; ++i) {
        to[0][i][l] = weights[i];
        if constexpr (K == 2) to[1][i][l] = slopes[i];
      }
    }
    memcpy(w, to, sizeof(to));
  }
}

// A row of a view, `offset` elements on, that pixels of a block read: their weights (and derivatives along the
// disparity), and which pixels they are.
template <class R, int K>
struct RowTap {
  Vec<R> weight[K];
  typename Simd<R>::Mask lanes;
  int64_t offset;
};

// The rows that a block reads in the views of one row.
template <class R, int K>
struct BlockRows {
  const RowTap<R, K>* taps;
  int64_t count;
};

// The columns that a block reads in the views of one column: tap j at base + column[j].
template <class R, int N, int K>
struct BlockColumns {
  Vec<R> weight[K][N];
  typename Simd<R>::Mask column[N];
  int64_t base, end;  // end: the last column, from `base` on
};

// A set of the blocks of a strip.
struct Blocks {
  static constexpr int64_t kWords = 2, kMost = 64 * kWords;
  uint64_t words[kWords] = {};

  bool contains(int64_t block) const { return words[block / 64] >> block % 64 & 1; }
  void insert(int64_t block, bool member) { words[block / 64] |= static_cast<uint64_t>(member) << block % 64; }
};

// What does not depend on the element type: positions and weights of a strip of pixels. K = 2: of derivatives too.
template <class R, int N, int K>
class Positions {
 public:
  using Int = typename Simd<R>::Mask;
  using Lane = std::decay_t<decltype(Int{}[0])>;
  static constexpr int L = kLanes<R>;

  Positions(const RefocusShape& s, int64_t window, bool side_by_side)
      : width(strip_width(s.w)),
        s_(s),
        window_(window),
        side_by_side_(side_by_side),
        rows_(s.v * width),
        columns_(s.u * width),
        taps_(s.v * width * N * L),
        rows_inside_(s.valid ? s.v * width : 0),
        columns_inside_(s.valid ? s.u * width : 0),
        whole_(s.v),
        one_more_(s.v),
        even_(s.u),
        near_(s.u) {}

  // Pixels from x on of output row y of plane d, for the views [begin, end) of V * U.
  void set(const R* disparity, int64_t d, int64_t y, int64_t x, int64_t begin, int64_t end) {
    const int64_t v0 = begin / s_.u, v1 = (end - 1) / s_.u + 1;
    const int64_t u0 = v1 - v0 > 1 ? 0 : begin % s_.u, u1 = v1 - v0 > 1 ? s_.u : (end - 1) % s_.u + 1;
    x_ = x;
    y_ = y;

    blocks_ = std::min(width, (s_.w - x + L - 1) / L);
    for (int64_t block = 0; block < blocks_; ++block)
      load_disparity(s_.map ? disparity + (d * s_.h + y) * s_.w : disparity + d, block);
    used_ = 0;
    for (int64_t u = u0; u < u1; ++u) set_columns(u);
    for (int64_t v = v0; v < v1; ++v) set_rows(v);
  }

  const int64_t width;  // of a strip, in blocks
  int64_t blocks() const { return blocks_; }
  // Border `valid`: 1 where the samples lie inside the view, else 0.
  Vec<R> inside(int64_t v, int64_t u, int64_t block) const {
    return rows_inside_[v * width + block] * columns_inside_[u * width + block];
  }

 protected:
  // Long strips: each begins with rows of all views that the hardware has to find anew.
  static int64_t strip_width(int64_t w) {
    const int64_t blocks = (w + L - 1) / L, strips = (blocks + Blocks::kMost - 1) / Blocks::kMost;
    return (blocks + strips - 1) / strips;
  }

  struct Shift {
    Int first;
    Vec<R> f;
    int64_t low, high;  // of first
  };

  void load_disparity(const R* from, int64_t block) {
    R values[L];
    for (int l = 0; l < L; ++l) {
      const R value = s_.map ? from[std::min<int64_t>(x_ + block * L + l, s_.w - 1)] : from[0];
      // NaN too becomes a number: any value is memory-safe.
      values[l] = value > R(-1e30) ? (value < R(1e30) ? value : R(1e30)) : R(-1e30);
    }
    int least = 0, most = 0;
    for (int l = 1; l < L; ++l) {
      least = values[l] < values[least] ? l : least;
      most = values[l] > values[most] ? l : most;
    }
    memcpy(&disparity_[block], values, sizeof(values));
    extremes_[block][0] = least;
    extremes_[block][1] = most;
  }

  // A shift grows or falls with the disparity, so that the extremes of one are those of the other.
  Shift shift(double offset, int64_t size, int64_t block) const {
    Shift s;
    if (s_.map) {
      axis_shifts(disparity_[block], static_cast<R>(offset), size, s.first, s.f);
    } else {
      const AxisShift<double> exact = axis_shift<double>(disparity_[block][0], offset, size);
      s.first = Int{} + static_cast<Lane>(exact.first);
      s.f = splat(static_cast<R>(exact.f));
    }
    Lane first[L];
    memcpy(first, &s.first, sizeof(first));
    const int64_t a = first[extremes_[block][0]], b = first[extremes_[block][1]];
    s.low = std::min(a, b);
    s.high = std::max(a, b);
    return s;
  }

  static Vec<R> inside(Int at, Vec<R> f, Int last) {
    const Int outside = (at < Int{}) | (at > last) | ((at == last) & (f != Vec<R>{}));
    return outside ? Vec<R>{} : splat(R(1));
  }
  static Int clamp(Int at, Int last) {
    at = at < Int{} ? Int{} : at;
    return at > last ? last : at;
  }

  // Weights; their derivatives are along the disparity, of which a shift is -offset times as much.
  void set_weights(const Shift& shift, double offset, Vec<R> (*w)[N]) const {
    tap_weights<N, K, R>(s_, shift.f, w);
    if constexpr (K == 2)
      for (int i = 0; i < N; ++i) w[1][i] *= splat(static_cast<R>(-offset));
  }

  // Border `zeros`: taps beyond the view weigh nothing. at: of the first of them.
  void cut(Int at, Int last, Vec<R> (*w)[N]) const {
    if (!s_.zeros) return;
    for (int i = 0; i < N; ++i) {
      const Int tap = at + i;
      const Int inside = (tap >= Int{}) & (tap <= last);
      for (int k = 0; k < K; ++k) w[k][i] = keep<R>(w[k][i], inside);
    }
  }

  void set_columns(int64_t u) {
    constexpr int begin = N == 4 ? -1 : 0;
    const double offset = u - 0.5 * (s_.u - 1);
    const Int last = Int{} + static_cast<Lane>(s_.w - 1);
    Int lane{};
    for (int l = 0; l < L; ++l) lane[l] = l;
    even_[u] = near_[u] = Blocks{};
    for (int64_t block = 0; block < blocks_; ++block) {
      const int64_t x = x_ + block * L;
      const Shift shift = this->shift(offset, s_.w, block);
      BlockColumns<R, N, K>& to = columns_[u * width + block];
      set_weights(shift, offset, to.weight);
      const Int at = shift.first + lane + static_cast<Lane>(x);
      cut(at + begin, last, to.weight);
      const int64_t low = x + shift.low + begin, high = x + L - 1 + shift.high + begin + N - 1;
      const bool even = side_by_side_ && shift.low == shift.high && low >= 0 && high < s_.w;
      to.base = even ? low : clamp_index(low, std::max<int64_t>(1, s_.w - window_ + 1));
      to.end = clamp_index(high, s_.w) - to.base;
      even_[u].insert(block, even);
      near_[u].insert(block, !even && window_ <= s_.w && to.end < window_);
      for (int j = 0; j < N; ++j) to.column[j] = clamp(at + (begin + j), last) - static_cast<Lane>(to.base);
      if (s_.valid) columns_inside_[u * width + block] = inside(at, shift.f, last);
    }
  }

  void set_rows(int64_t v) {
    constexpr int begin = N == 4 ? -1 : 0;
    const double offset = v - 0.5 * (s_.v - 1);
    const Int last = Int{} + static_cast<Lane>(s_.h - 1);
    whole_[v] = one_more_[v] = Blocks{};
    for (int64_t block = 0; block < blocks_; ++block) {
      const Shift shift = this->shift(offset, s_.h, block);
      Vec<R> weight[K][N];
      set_weights(shift, offset, weight);
      const Int at = shift.first + static_cast<Lane>(y_);
      cut(at + begin, last, weight);
      const bool whole = shift.low == shift.high;
      RowTap<R, K>* taps = taps_.data() + used_;
      int64_t count = N;
      if (whole) {
        for (int i = 0; i < N; ++i) {
          for (int k = 0; k < K; ++k) taps[i].weight[k] = weight[k][i];
          taps[i].lanes = ~Int{};
          taps[i].offset = clamp_index(y_ + shift.low + begin + i, s_.h) * s_.sy;
        }
      } else {
        Int row[N];
        for (int i = 0; i < N; ++i) row[i] = clamp(at + (begin + i), last);
        count = collect(row, weight, clamp_index(y_ + shift.low + begin, s_.h),
                        clamp_index(y_ + shift.high + begin + N - 1, s_.h), taps);
      }
      used_ += count;
      rows_[v * width + block] = {taps, count};
      whole_[v].insert(block, whole);
      one_more_[v].insert(block, !whole && count == N + 1);
      if (s_.valid) rows_inside_[v * width + block] = inside(at, shift.f, last);
    }
  }

  // The rows within [low, high] that some pixel reads; their number.
  int64_t collect(const Int* row, const Vec<R> (*weight)[N], int64_t low, int64_t high, RowTap<R, K>* taps) const {
    int64_t count = 0;
    for (int64_t r = low; r <= high; ++r) {
      RowTap<R, K>& tap = taps[count];
      tap.lanes = Int{};
      for (int k = 0; k < K; ++k) tap.weight[k] = Vec<R>{};
      for (int i = 0; i < N; ++i) {
        const Int here = row[i] == static_cast<Lane>(r);
        tap.lanes |= here;
        for (int k = 0; k < K; ++k) tap.weight[k] += keep<R>(weight[k][i], here);
      }
      if (any<R>(tap.lanes)) {
        tap.offset = r * s_.sy;
        ++count;
      } else {
        r = next_row(row, r, high) - 1;
      }
    }
    return count;
  }

  static int64_t next_row(const Int* row, int64_t r, int64_t high) {
    int64_t next = high;
    for (int i = 0; i < N; ++i)
      for (int l = 0; l < L; ++l)
        if (row[i][l] > r) next = std::min<int64_t>(next, row[i][l]);
    return next;
  }

  const RefocusShape& s_;
  const int64_t window_;
  const bool side_by_side_;
  int64_t x_ = 0, y_ = 0, blocks_ = 0, used_ = 0;
  Vec<R> disparity_[Blocks::kMost];
  int32_t extremes_[Blocks::kMost][2];  // lanes
  Buffer<BlockRows<R, K>> rows_;
  Buffer<BlockColumns<R, N, K>> columns_;
  Buffer<RowTap<R, K>> taps_;
  Buffer<Vec<R>> rows_inside_, columns_inside_;
  // By row of views: the blocks whose pixels all read the same N rows. By column: those whose pixels read successive
  // columns, none of them clamped; and those others that lie within a window.
  std::vector<Blocks> whole_, one_more_, even_, near_;
};

// The adjoint of reading samples of an element type that is summed in R.
template <class R, int N>
class Scatter : public Positions<R, N, 1> {
 public:
  using Positions<R, N, 1>::L;
  using Int = typename Positions<R, N, 1>::Int;

  explicit Scatter(const RefocusShape& s) : Positions<R, N, 1>(s, 0, true) {}

  // Adds a block's values, of one channel, where view (v, u) is read for them. `plane` is the channel of the view, its
  // rows s.sy apart, with L elements more at the end.
  void add(R* plane, int64_t v, int64_t u, int64_t block, Vec<R> values) const {
    const BlockRows<R, 1>& rows = rows_[v * this->width + block];
    const BlockColumns<R, N, 1>& columns = columns_[u * this->width + block];
    const bool even = even_[u].contains(block);
    for (int64_t i = 0; i < rows.count; ++i) {
      const Vec<R> line = keep<R>(rows.taps[i].weight[0] * values, rows.taps[i].lanes);
      R* to = plane + rows.taps[i].offset + columns.base;
      if (even)
        add_even(to, line, columns.weight[0]);
      else
        for (int j = 0; j < N; ++j)
          for (int l = 0; l < L; ++l) to[columns.column[j][l]] += columns.weight[0][j][l] * line[l];
    }
  }

 private:
  using Positions<R, N, 1>::rows_;
  using Positions<R, N, 1>::columns_;
  using Positions<R, N, 1>::even_;

  // Two vectors that do not overlap each other: a store that a later load overlaps in part would hold that up.
  static void add_even(R* to, Vec<R> line, const Vec<R>* weight) {
    const Vec<R> zero{};
    Vec<R> lower = weight[0] * line, upper{};
#pragma GCC unroll 4
    for (int j = 1; j < N; ++j) {
      Int from;
      for (int l = 0; l < L; ++l) from[l] = l + L - j;
      const Vec<R> value = weight[j] * line;
      lower += __builtin_shuffle(zero, value, from);
      upper += __builtin_shuffle(value, zero, from);
    }
    store(to, load(to) + lower);
    store(to + L, load(to + L) + upper);
  }
};

// The samples there.
template <class T, int N, int K = 1>
class Sampler : public Positions<acc_t<T>, N, K> {
 public:
  using R = acc_t<T>;
  // Picking bytes takes no longer than widening them does.
  static constexpr bool kSideBySide = sizeof(T) > 1 || Window<T>::kSize > 16;

  explicit Sampler(const RefocusShape& s) : Positions<R, N, K>(s, Window<T>::kSize, kSideBySide) {}

  // Samples of view (v, u) of a light field, in stored units; K = 2: their derivatives along the disparity. use(block)
  // gives what is then called with each channel and its samples. Blocks of a kind come one after another: branches are
  // foreseen so.
  template <class Use>
  void read(const T* light_field, int64_t v, int64_t u, const Use& use) const {
    const T* view = light_field + v * s_.sv + u * s_.su;
    for (int64_t word = 0, from = 0; from < this->blocks(); ++word, from += 64) {
      const uint64_t whole = whole_[v].words[word], one_more = one_more_[v].words[word];
      const uint64_t even = even_[u].words[word], near = near_[u].words[word];
      const uint64_t all = ~uint64_t{0} >> std::max<int64_t>(0, 64 - (this->blocks() - from));
      const BlockRows<R, K>* rows = rows_.data() + v * this->width + from;
      const BlockColumns<R, N, K>* columns = columns_.data() + u * this->width + from;
      const auto used = [&](int64_t block) { return use(from + block); };
      const auto read_rows = [&](auto count, uint64_t blocks) {
        constexpr int Count = decltype(count)::value;
        if constexpr (kSideBySide) read_blocks<SideBySide<T>, Count>(even & blocks, view, rows, columns, used);
        read_blocks<Window<T>, Count>(near & blocks, view, rows, columns, used);
      };
      read_rows(std::integral_constant<int, N>{}, whole);
      read_rows(std::integral_constant<int, N + 1>{}, one_more);
      read_rows(std::integral_constant<int, 0>{}, all & ~(whole | one_more));
      read_blocks<Elements<T>, 0>(all & ~(even | near), view, rows, columns, used);
    }
  }

 private:
  using Positions<R, N, K>::s_;
  using Positions<R, N, K>::rows_;
  using Positions<R, N, K>::columns_;
  using Positions<R, N, K>::whole_;
  using Positions<R, N, K>::one_more_;
  using Positions<R, N, K>::even_;
  using Positions<R, N, K>::near_;

  // Count: rows of each block, where it is known; the whole ones are those of N.
  template <class Row, int Count, class Use>
  inline void read_blocks(uint64_t blocks, const T* view, const BlockRows<R, K>* rows,
                          const BlockColumns<R, N, K>* columns, const Use& use) const {
    const int64_t channels = s_.c, next_channel = s_.sc;
    for (; blocks != 0; blocks &= blocks - 1) {
      const int64_t block = __builtin_ctzll(blocks);
      const auto used = use(block);
      const BlockColumns<R, N, K>& column = columns[block];
      typename Row::Pick pick[N];
      Vec<R> weight[K][N];
#pragma GCC unroll 4
      for (int j = 0; j < N; ++j) {
        pick[j] = Row::pick(column.column[j], column.end, j);
        for (int k = 0; k < K; ++k) weight[k][j] = column.weight[k][j];
      }
      const RowTap<R, K>* taps = rows[block].taps;
      const int64_t count = Count ? Count : rows[block].count;
      const T* plane = view + column.base;
      const int64_t below = taps[count - 1].offset + s_.sy;
      for (int64_t c = 0; c < channels; ++c, plane += next_channel) {
        // The lines that the output row after this one reads first: the hardware does not follow so many short rows.
        __builtin_prefetch(plane + below, 0, 2);
        if constexpr (sizeof(T) > 2) __builtin_prefetch(plane + below + kLanes<R>, 0, 2);
        Vec<R> sum{};
#pragma GCC unroll 4
        for (int64_t i = 0; i < count; ++i) {
          const Row row(plane + taps[i].offset, column.end);
          Vec<R> line{}, slope{};
#pragma GCC unroll 4
          for (int j = 0; j < N; ++j) {
            const Vec<R> value = row[pick[j]];
            line = j == 0 ? weight[0][j] * value : line + weight[0][j] * value;
            if constexpr (K == 2) slope = j == 0 ? weight[1][j] * value : slope + weight[1][j] * value;
          }
          if (Count != N) line = keep<R>(line, taps[i].lanes);
          if constexpr (K == 1) {
            sum = i == 0 ? taps[i].weight[0] * line : sum + taps[i].weight[0] * line;
          } else {
            if (Count != N) slope = keep<R>(slope, taps[i].lanes);
            sum += taps[i].weight[1] * line + taps[i].weight[0] * slope;
          }
        }
        used(c, sum);
      }
    }
  }
};

// f with the number of taps along an axis.
template <class F>
void for_taps(Interpolation interpolation, const F& f) {
  if (interpolation == Interpolation::bicubic)
    f(std::integral_constant<int, 4>{});
  else
    f(std::integral_constant<int, 2>{});
}
