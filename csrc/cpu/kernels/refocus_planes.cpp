// The loops of the CPU `refocus` for disparities [D].
//
// Separable: a view's row shift depends on its row v alone, its column shift on its column u alone. So for a source row
// of the views of row v, first one sum over u with the taps along x (in registers), then one addition per vertical tap
// to the output rows: 2VU + 2V taps a pixel instead of 4VU (bicubic 4VU + 4V instead of 16VU), the same sum.
#include <algorithm>
#include <memory>
#include <optional>
#include <type_traits>
#include <vector>

#include "cpu/refocus.h"
#include "cpu/refocus_weights.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/refocus_axis.h"
#include "cpu/kernels/refocus_row_sum.h"

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
template <class R>
void sum_tile(const R* aperture, const RefocusShape& s, const std::vector<AxisTaps<R>>& rows, RowSum<R>& row_sum,
              int64_t y0, int64_t y1, R* sums, int64_t stride, std::vector<R>& kept) {
  const int64_t planes = s.a * s.d, kept_stride = s.w + kLanes<R>;
  kept.resize(planes * 4 * kept_stride);
  std::vector<typename RowSum<R>::Plan> plans(planes);
  const std::vector<R> nothing(s.zeros ? kept_stride : 0);
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
        if (!loaded) row_sum.load_row(v, r);
        loaded = true;
        const AxisTaps<R>& t = rows[d * s.v + v];
        R* ring = kept.data() + p * 4 * kept_stride;
        row_sum.run(plans[p], ring + r % 4 * kept_stride);
        // The output rows whose last tap is row r: their other taps are the rows just before it.
        const RowRange ready = reading_rows(r, t.first + t.count - 1, s.h, std::max(y0, t.lo), std::min(y1, t.hi));
        for (int64_t y = ready.begin; y < ready.end; ++y) {
          const R* from[4];
          for (int i = 0; i < t.count; ++i) {
            const int64_t row = clamp_index(y + t.first + i, s.h);
            from[i] = s.zeros && row != y + t.first + i ? nothing.data() : ring + row % 4 * kept_stride;
          }
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
  const auto sum = row_sum(light_field, s, columns, planes);
  std::vector<R> kept, buffer, counted(s.w);
  // The sums of a tile should stay in a cache while all views are added to them; small tiles read more rows twice.
  const int64_t step = std::max<int64_t>(8, kTileBytes / (planes * s.w * static_cast<int64_t>(sizeof(R))));
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t b = unit / tiles / s.c, c = unit / tiles % s.c, tile = unit % tiles;
    sum->set_picture(b, c);
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
      sum_tile<R>(aperture, s, rows, *sum, y0, y1, sums, stride, kept);
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
