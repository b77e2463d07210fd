// The loops of the CPU `refocus` for disparities [D].
//
// Separable: a view's row shift depends on its row v alone, its column shift on its column u alone. So for a source row
// of the views of row v, first one sum over u with the taps along x (in registers), then one addition per vertical tap
// to the output rows: 2VU + 2V taps a pixel instead of 4VU (bicubic 4VU + 4V instead of 16VU), the same sum.
#include <algorithm>
#include <optional>
#include <type_traits>
#include <vector>

#include "cpu/refocus.h"
#include "cpu/refocus_weights.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/refocus_axis.h"

// The weight that counted with border `valid`, row by row, for one aperture and one disparity.
template <class R>
class CountedWeight {
 public:
  CountedWeight(const RefocusShape& s, const R* aperture, const AxisTaps<R>* rows, const AxisTaps<R>* columns)
      : s_(s), rows_(rows), sums_(s.v * s.w, R(0)) {
    for (int64_t v = 0; v < s.v; ++v)
      for (int64_t u = 0; u < s.u; ++u)
        for (int64_t x = columns[u].lo; x < columns[u].hi; ++x) sums_[v * s.w + x] += aperture[v * s.u + u];
  }
  void row(int64_t y, R* counted) const {
    for (int64_t x = 0; x < s_.w; ++x) counted[x] = R(0);
    for (int64_t v = 0; v < s_.v; ++v)
      if (rows_[v].lo <= y && y < rows_[v].hi) add_scaled(counted, R(1), sums_.data() + v * s_.w, s_.w);
  }

 private:
  const RefocusShape& s_;
  const AxisTaps<R>* rows_;
  std::vector<R> sums_;
};

// One view's row as the sum over u reads it: pixel x gets sum_i w[i] * row[offset + x + i].
template <class R>
struct ViewRow {
  int64_t offset, u;
  R w[4];
};

// `ahead`: distance of what will be read next, asked for early; the hardware does not follow so many short rows.
template <int N, int B, class S, class R>
inline void sum_block(const S* rows, const ViewRow<R>* views, int64_t count, int64_t x, int64_t ahead, R* sums) {
  constexpr int L = kLanes<R>;
  constexpr int kLine = 64 / sizeof(S);
  Vec<R> sum[B] = {};
  for (int64_t u = 0; u < count; ++u) {
    const S* at = rows + views[u].offset + x;
    for (int i = 0; ahead && i < B * L; i += kLine) __builtin_prefetch(at + ahead + i);
#pragma GCC unroll 4
    for (int i = 0; i < N; ++i) {
      const Vec<R> w = splat(views[u].w[i]);
#pragma GCC unroll 8
      for (int b = 0; b < B; ++b) sum[b] += w * load(at + b * L + i);
    }
  }
#pragma GCC unroll 8
  for (int b = 0; b < B; ++b) store(sums + x + b * L, sum[b]);
}

template <int N, class S, class R>
void sum_views(const S* rows, const std::vector<ViewRow<R>>& views, int64_t begin, int64_t end, int64_t ahead,
               R* sums) {
  constexpr int L = kLanes<R>;
  const int64_t count = views.size();
  int64_t x = begin;
  for (; x + 8 * L <= end; x += 8 * L) sum_block<N, 8>(rows, views.data(), count, x, ahead, sums);
  for (; x + L <= end; x += L) sum_block<N, 1>(rows, views.data(), count, x, ahead, sums);
  for (; x < end; ++x) {
    R sum = R(0);
    for (const ViewRow<R>& view : views)
      for (int i = 0; i < N; ++i) sum += view.w[i] * to_acc(rows[view.offset + x + i]);
    sums[x] = sum;
  }
}

// The horizontal stage: sums[x] = sum_u aperture[u] * sum_i w_u[i] * row_u[clamp(x + first_u + i)].
template <class T>
class RowSum {
 public:
  using R = acc_t<T>;

  // What stays the same for all rows of one row of views, one aperture and one disparity.
  struct Plan {
    const AxisTaps<R>* columns;
    std::vector<ViewRow<R>> views;  // those of positive weight
    int64_t taps, begin, end;       // [begin, end): pixels that are read without looking at the border
  };

  RowSum(const RefocusShape& s, const std::vector<AxisTaps<R>>& columns, int64_t uses) : s_(s), columns_(columns) {
    int64_t low = 0, high = 0;
    for (const AxisTaps<R>& taps : columns) {
      low = std::min(low, taps.first);
      high = std::max(high, taps.first + taps.count - 1);
    }
    left_ = -low;
    stride_ = left_ + s.w + high + kLanes<R>;
    // Copies with the border put on, in the sum's type: they pay when a row is used several times, or when many of its
    // pixels see the border.
    padded_ = uses > 2 || (left_ + high) * 8 > s.w;
    if (padded_) copies_.resize(s.u * stride_);
  }

  void plan(const R* aperture, int64_t d, Plan& plan) const {
    constexpr int L = kLanes<R>;
    plan.columns = columns_.data() + d * s_.u;
    plan.views.clear();
    plan.taps = 1;
    for (int64_t u = 0; u < s_.u; ++u)
      if (aperture[u] != R(0)) plan.taps = std::max(plan.taps, plan.columns[u].count);
    plan.begin = 0;
    plan.end = s_.w;
    for (int64_t u = 0; u < s_.u; ++u) {
      if (aperture[u] == R(0)) continue;
      const AxisTaps<R>& c = plan.columns[u];
      ViewRow<R> view{padded_ ? u * stride_ + left_ + c.first : u * s_.su + c.first, u, {}};
      for (int i = 0; i < c.count; ++i) view.w[i] = c.w[i] * (aperture[u] * R(Element<T>::scale));
      plan.views.push_back(view);
      plan.begin = std::max(plan.begin, padded_ ? c.lo : std::max(c.lo, -c.first));
      plan.end = std::min(plan.end, padded_ ? c.hi : std::min(c.hi, s_.w - (c.first + plan.taps - 1)));
    }
    if (plan.end < plan.begin) plan.begin = plan.end = 0;
    if (s_.valid) return;
    // Whole vectors only: the copies and the sums are longer than a row.
    plan.end = padded_ ? (s_.w + L - 1) / L * L : plan.begin + (plan.end - plan.begin) / L * L;
  }

  // One row of the views of one row, u * su apart.
  void load_row(const T* row) {
    row_ = row;
    if (!padded_) return;
    constexpr int L = kLanes<R>;
    constexpr int kLine = 64 / sizeof(T);
    for (int64_t u = 0; u < s_.u; ++u) {
      const T* from = row + u * s_.su;
      R* to = copies_.data() + u * stride_;
      std::fill(to, to + left_, to_acc(from[0]));
      int64_t x = 0;
      for (; x + L <= s_.w; x += L) {
        if (x % kLine == 0) __builtin_prefetch(from + x + s_.sy);
        store(to + left_ + x, load(from + x));
      }
      for (; x < s_.w; ++x) to[left_ + x] = to_acc(from[x]);
      std::fill(to + left_ + s_.w, to + stride_, to_acc(from[s_.w - 1]));
    }
  }

  void run(const Plan& plan, R* sums) const {
    constexpr int L = kLanes<R>;
    if (padded_) {
      sum_taps(copies_.data(), plan, 0, sums);
    } else {
      sum_taps(row_, plan, s_.sy, sums);
    }
    if (s_.valid) {
      for (int64_t x = 0; x < plan.begin; ++x) sums[x] = edge(plan, x);
      for (int64_t x = plan.end; x < s_.w; ++x) sums[x] = edge(plan, x);
    } else if (!padded_) {
      for (int64_t x = 0; x < plan.begin; x += L) edge_block(plan, x, std::min<int64_t>(L, plan.begin - x), sums);
      for (int64_t x = plan.end; x < s_.w; x += L) edge_block(plan, x, L, sums);
    }
  }

 private:
  template <class S>
  static void sum_taps(const S* rows, const Plan& p, int64_t ahead, R* sums) {
    if (p.taps == 1) sum_views<1>(rows, p.views, p.begin, p.end, ahead, sums);
    if (p.taps == 2) sum_views<2>(rows, p.views, p.begin, p.end, ahead, sums);
    if (p.taps == 4) sum_views<4>(rows, p.views, p.begin, p.end, ahead, sums);
  }

  // A vector of pixels that see the border; `pixels` of them are stored.
  void edge_block(const Plan& plan, int64_t x, int64_t pixels, R* sums) const {
    constexpr int L = kLanes<R>;
    Vec<R> sum = {};
    R line[L + 4];
    for (const ViewRow<R>& view : plan.views) {
      const T* row = row_ + view.u * s_.su;
      const int64_t first = x + plan.columns[view.u].first;
      for (int64_t i = 0; i < L + plan.taps - 1; ++i) line[i] = to_acc(row[clamp_index(first + i, s_.w)]);
      for (int64_t i = 0; i < plan.taps; ++i) sum += splat(view.w[i]) * load(line + i);
    }
    for (int64_t i = 0; i < pixels; ++i) sums[x + i] = sum[i];
  }

  R edge(const Plan& plan, int64_t x) const {
    R sum = R(0);
    for (const ViewRow<R>& view : plan.views) {
      const AxisTaps<R>& c = plan.columns[view.u];
      if (x < c.lo || x >= c.hi) continue;
      const T* row = row_ + view.u * s_.su;
      for (int i = 0; i < c.count; ++i) sum += view.w[i] * to_acc(row[clamp_index(x + c.first + i, s_.w)]);
    }
    return sum;
  }

  const RefocusShape& s_;
  const std::vector<AxisTaps<R>>& columns_;
  bool padded_;
  int64_t left_, stride_;
  const T* row_ = nullptr;
  std::vector<R> copies_;
};

// to[x] += sum_i w[i] * from_i[x].
template <int N, class R>
inline void add_rows(R* to, const R* w, const R* const* from, int64_t count) {
  constexpr int L = kLanes<R>;
  Vec<R> weight[N];
  for (int i = 0; i < N; ++i) weight[i] = splat(w[i]);
  int64_t x = 0;
  for (; x + L <= count; x += L) {
    Vec<R> sum = load(to + x);
#pragma GCC unroll 4
    for (int i = 0; i < N; ++i) sum += weight[i] * load(from[i] + x);
    store(to + x, sum);
  }
  for (; x < count; ++x)
    for (int i = 0; i < N; ++i) to[x] += w[i] * from[i][x];
}

// Rows [y0, y1) of all planes, in the sum's type: sums + p * stride is row y0 of plane p. `kept` holds the last four
// horizontal sums of each plane, so that every output row is read and written once per row of views.
template <class T>
void sum_tile(const T* plane, const acc_t<T>* aperture, const RefocusShape& s,
              const std::vector<AxisTaps<acc_t<T>>>& rows, RowSum<T>& row_sum, int64_t y0, int64_t y1, acc_t<T>* sums,
              int64_t stride, std::vector<acc_t<T>>& kept) {
  using R = acc_t<T>;
  const int64_t planes = s.a * s.d, kept_stride = s.w + kLanes<R>;
  kept.resize(planes * 4 * kept_stride);
  std::vector<typename RowSum<T>::Plan> plans(planes);
  for (int64_t p = 0; p < planes; ++p) std::fill(sums + p * stride, sums + p * stride + (y1 - y0) * s.w, R(0));
  for (int64_t v = 0; v < s.v; ++v) {
    for (int64_t p = 0; p < planes; ++p) row_sum.plan(aperture + (p / s.d * s.v + v) * s.u, p % s.d, plans[p]);
    const auto first_row = [&](int64_t d) { return clamp_index(y0 + rows[d * s.v + v].first, s.h); };
    const auto last_row = [&](int64_t d) {
      return clamp_index(y1 - 1 + rows[d * s.v + v].first + rows[d * s.v + v].count - 1, s.h);
    };
    int64_t begin = s.h, end = 0;
    for (int64_t d = 0; d < s.d; ++d) {
      begin = std::min(begin, first_row(d));
      end = std::max(end, last_row(d) + 1);
    }
    for (int64_t r = begin; r < end; ++r) {
      bool loaded = false;
      for (int64_t p = 0; p < planes; ++p) {
        const int64_t d = p % s.d;
        if (r < first_row(d) || r > last_row(d)) continue;
        if (!loaded) row_sum.load_row(plane + v * s.sv + r * s.sy);
        loaded = true;
        const AxisTaps<R>& t = rows[d * s.v + v];
        R* ring = kept.data() + p * 4 * kept_stride;
        row_sum.run(plans[p], ring + r % 4 * kept_stride);
        // The output rows whose last tap is row r: their other taps are the rows just before it.
        const RowRange ready = reading_rows(r, t.first + t.count - 1, s.h, std::max(y0, t.lo), std::min(y1, t.hi));
        for (int64_t y = ready.begin; y < ready.end; ++y) {
          const R* from[4];
          for (int i = 0; i < t.count; ++i) from[i] = ring + clamp_index(y + t.first + i, s.h) % 4 * kept_stride;
          R* to = sums + p * stride + (y - y0) * s.w;
          if (t.count == 1) add_rows<1>(to, t.w, from, s.w);
          if (t.count == 2) add_rows<2>(to, t.w, from, s.w);
          if (t.count == 4) add_rows<4>(to, t.w, from, s.w);
        }
      }
    }
  }
}

template <class T>
void refocus_planes(const T* light_field, const acc_t<T>* disparity, const acc_t<T>* aperture, out_t<T>* out,
                    const RefocusShape& s, int64_t tiles, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  // Where the output has the sum's type, it holds the sums; else a buffer of a tile's size does.
  constexpr bool in_place = std::is_same_v<out_t<T>, R>;
  constexpr int64_t kTileBytes = int64_t{4} << 20;
  const auto rows = all_axis_taps(disparity, s.v, s.h, s), columns = all_axis_taps(disparity, s.u, s.w, s);
  const int64_t planes = s.a * s.d, plane_size = s.h * s.w;
  RowSum<T> row_sum(s, columns, planes);
  std::vector<R> kept, buffer, counted(s.w);
  // The sums of a tile should stay in a cache while all views are added to them; small tiles read more rows twice.
  const int64_t step = std::max<int64_t>(8, kTileBytes / (planes * s.w * static_cast<int64_t>(sizeof(R))));
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t b = unit / tiles / s.c, c = unit / tiles % s.c, tile = unit % tiles;
    const T* plane = light_field + b * s.sb + c * s.sc;
    const int64_t band_begin = s.h * tile / tiles, band_end = s.h * (tile + 1) / tiles;
    const auto out_row = [&](int64_t p, int64_t y) {
      return out + ((b * planes + p) * s.c + c) * plane_size + y * s.w;
    };
    for (int64_t y0 = band_begin; y0 < band_end; y0 += step) {
      const int64_t y1 = std::min(band_end, y0 + step);
      R* sums;
      int64_t stride;
      if constexpr (in_place) {
        sums = out_row(0, y0);
        stride = s.c * plane_size;
      } else {
        stride = (y1 - y0) * s.w;
        buffer.resize(planes * stride);
        sums = buffer.data();
      }
      sum_tile(plane, aperture, s, rows, row_sum, y0, y1, sums, stride, kept);
      if (in_place && !s.valid) continue;
      for (int64_t p = 0; p < planes; ++p) {
        std::optional<CountedWeight<R>> weight;
        if (s.valid) weight.emplace(s, aperture + p / s.d * s.v * s.u, &rows[p % s.d * s.v], &columns[p % s.d * s.u]);
        for (int64_t y = y0; y < y1; ++y) {
          R* row = sums + p * stride + (y - y0) * s.w;
          if (s.valid) {
            weight->row(y, counted.data());
            for (int64_t x = 0; x < s.w; ++x) row[x] = counted[x] > R(0) ? row[x] / counted[x] : R(0);
          }
          if constexpr (!in_place) {
            out_t<T>* to = out_row(p, y);
            for (int64_t x = 0; x < s.w; ++x) to[x] = from_acc<out_t<T>>(row[x]);
          }
        }
      }
    }
  }
}

#define INSTANTIATE(T)                                                                                              \
  template void refocus_planes(const T*, const acc_t<T>*, const acc_t<T>*, out_t<T>*, const RefocusShape&, int64_t, \
                               int64_t, int64_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)
INSTANTIATE(uint8_t)
INSTANTIATE(uint16_t)

#include "cpu/kernels/end.h"
