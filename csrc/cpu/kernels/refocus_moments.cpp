// The loops of the CPU `refocus` for mean and variance over the views, for disparities [D] and weights [A, V, U].
//
// The square of a sample is not separable as the sum in refocus_planes.cpp is, so each sample is formed; but of
// kRows output rows at a time, so that a source row is filtered along x once for all rows of them that read it.
//
// Deviations are taken from a pivot, which is the sample of the view of greatest weight w at the same pixel. The
// variance is at least w / sum(w) times the square of what the mean lies from that, so that the difference of the two
// sums of squares loses a factor of sum(w) / w at most, which is the number of views at most.
#include <algorithm>
#include <vector>

#include "cpu/buffer.h"
#include "cpu/refocus.h"
#include "cpu/refocus_weights.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/refocus_axis.h"

constexpr int kRows = 4;  // at once: AVX-512's registers hold their sums

// Of kLanes columns of the output rows.
template <class R>
struct Deviations {
  Vec<R> pivot[kRows], sum[kRows], squares[kRows];
};

// A view as these rows read it: pixel (y, x) gets sum_ij w_i columns[j] * rows[y + i][x + j].
template <class T>
struct ViewRows {
  const T* rows[kRows + 3];
  int64_t first;  // column that rows[.][0] is
  acc_t<T> weight, columns[4];
};

template <int N, class T, class R>
void add_views(const ViewRows<T>* views, int64_t count, const R* row_weights, int64_t x, Deviations<R>& to) {
  Deviations<R> d = to;
  Vec<R> w[N];
  for (int i = 0; i < N; ++i) w[i] = splat(row_weights[i]);
  for (int64_t u = 0; u < count; ++u) {
    const ViewRows<T>& view = views[u];
    Vec<R> row[kRows + N - 1];
#pragma GCC unroll 8
    for (int r = 0; r < kRows + N - 1; ++r) {
      const T* at = view.rows[r] + x;
      row[r] = splat(view.columns[0]) * load(at);
#pragma GCC unroll 4
      for (int j = 1; j < N; ++j) row[r] += splat(view.columns[j]) * load(at + j);
    }
#pragma GCC unroll 4
    for (int y = 0; y < kRows; ++y) {
      Vec<R> deviation = w[0] * row[y] - d.pivot[y];
#pragma GCC unroll 4
      for (int i = 1; i < N; ++i) deviation += w[i] * row[y + i];
      const Vec<R> weighted = splat(view.weight) * deviation;
      d.sum[y] += weighted;
      d.squares[y] += weighted * deviation;
    }
  }
  for (int y = 0; y < kRows; ++y) {
    to.sum[y] = d.sum[y];
    to.squares[y] = d.squares[y];
  }
}

// kRows output rows of one plane.
template <class T>
class MomentRows {
 public:
  using R = acc_t<T>;
  using O = out_t<T>;
  static constexpr int L = kLanes<R>;

  explicit MomentRows(const RefocusShape& s)
      : s_(s), blocks_((s.w + L - 1) / L), nothing_(s.zeros ? s.w : 0), line_(blocks_.size() * L) {}

  // The plane seen through `aperture` [V, U], from row y on of one channel of a light field.
  void add(const T* picture, const R* aperture, const AxisTaps<R>* rows, const AxisTaps<R>* columns, int64_t y) {
    picture_ = picture;
    rows_ = rows;
    columns_ = columns;
    y_ = y;
    int64_t taps = 1;
    for (int64_t v = 0; v < s_.v; ++v) taps = std::max(taps, rows[v].count);
    for (int64_t u = 0; u < s_.u; ++u) taps = std::max(taps, columns[u].count);
    if (taps == 1) add_plane<1>(aperture);
    if (taps == 2) add_plane<2>(aperture);
    if (taps == 4) add_plane<4>(aperture);
  }

  // Row y of those.
  void write(int64_t y, R total, O* mean, O* variance) {
    const R share = total > R(0) ? R(1) / total : R(0);
    constexpr R scale = Element<T>::scale;
    for (size_t i = 0; i < blocks_.size(); ++i)
      store(&line_[i * L], splat(scale) * (blocks_[i].pivot[y] + splat(share) * blocks_[i].sum[y]));
    for (int64_t x = 0; x < s_.w; ++x) mean[x] = from_acc<O>(line_[x]);
    for (size_t i = 0; i < blocks_.size(); ++i) {
      const Vec<R> shift = splat(share) * blocks_[i].sum[y];
      const Vec<R> value = splat(share) * blocks_[i].squares[y] - shift * shift;
      store(&line_[i * L], splat(scale * scale) * (value < Vec<R>{} ? Vec<R>{} : value));
    }
    for (int64_t x = 0; x < s_.w; ++x) variance[x] = from_acc<O>(line_[x]);
  }

 private:
  struct Line {
    int64_t v;  // row of views
    std::vector<ViewRows<T>> views;
  };

  template <int N>
  void add_plane(const R* aperture) {
    std::fill(blocks_.begin(), blocks_.end(), Deviations<R>{});
    const int64_t pivot = std::max_element(aperture, aperture + s_.v * s_.u) - aperture;
    if (!(aperture[pivot] > R(0))) return;
    lines_.assign(1, Line{pivot / s_.u, {}});
    read_view<N>(pivot % s_.u, R(1));
    add_line<N>(0);
    for (Deviations<R>& block : blocks_) {
      std::copy(block.sum, block.sum + kRows, block.pivot);
      std::fill(block.sum, block.sum + kRows, Vec<R>{});
      std::fill(block.squares, block.squares + kRows, Vec<R>{});
    }
    lines_.clear();
    for (int64_t v = 0; v < s_.v; ++v) {
      lines_.push_back(Line{v, {}});
      for (int64_t u = 0; u < s_.u; ++u)
        if (aperture[v * s_.u + u] != R(0)) read_view<N>(u, aperture[v * s_.u + u]);
      if (lines_.back().views.empty()) lines_.pop_back();
    }
    for (size_t i = 0; i < lines_.size(); ++i) add_line<N>(i);
  }

  // Of the last line.
  template <int N>
  void read_view(int64_t u, R weight) {
    const int64_t v = lines_.back().v;
    ViewRows<T> view{};
    view.first = columns_[u].first;
    view.weight = weight;
    std::copy(columns_[u].w, columns_[u].w + 4, view.columns);
    for (int64_t r = 0; r < kRows + N - 1; ++r) {
      const int64_t y = y_ + rows_[v].first + r, inside = clamp_index(y, s_.h);
      const T* row = s_.zeros && y != inside ? nothing_.data() : picture_ + v * s_.sv + u * s_.su + inside * s_.sy;
      view.rows[r] = row + view.first;
    }
    lines_.back().views.push_back(view);
  }

  template <int N>
  void add_line(size_t line) {
    const auto& [v, views] = lines_[line];
    int64_t low = 0, high = 0;
    for (const ViewRows<T>& view : views) {
      low = std::min(low, view.first);
      high = std::max(high, view.first + L + N - 1);
    }
    const int64_t count = views.size();
    for (size_t i = 0; i < blocks_.size(); ++i) {
      const int64_t x = i * L;
      if (x * sizeof(T) % 64 == 0) prefetch_after<N>(line, x);
      if (x + low >= 0 && x + high <= s_.w) {
        add_views<N>(views.data(), count, rows_[v].w, x, blocks_[i]);
      } else {
        put_border_on<N>(views, x);
        add_views<N>(bordered_.data(), count, rows_[v].w, 0, blocks_[i]);
      }
    }
  }

  // Asks for what will be read next, from column x on: the rows of the line after this one, or, after the last, those
  // of the first for the output rows after these. The hardware does not follow so many short rows. Inlined always: a
  // function that does nothing else GCC takes for one without effect, and leaves the call out.
  template <int N>
  __attribute__((always_inline)) inline void prefetch_after(size_t line, int64_t x) const {
    const bool last = line + 1 == lines_.size();
    const int64_t ahead = x + (last ? kRows * s_.sy : 0);
    for (const ViewRows<T>& view : lines_[last ? 0 : line + 1].views)
      for (int r = N - 1; r < kRows + N - 1; ++r) __builtin_prefetch(view.rows[r] + ahead);
  }

  // The views from column x on, with copies of those that the block reads beyond the border.
  template <int N>
  void put_border_on(const std::vector<ViewRows<T>>& views, int64_t x) {
    constexpr int64_t kCount = L + N - 1, kRowsRead = kRows + N - 1;
    bordered_ = views;
    copies_.resize(views.size() * kRowsRead * kCount);
    T* to = copies_.data();
    for (ViewRows<T>& view : bordered_) {
      const int64_t first = x + view.first, left = std::clamp<int64_t>(-first, 0, kCount);
      const int64_t right = std::clamp<int64_t>(s_.w - first, left, kCount);
      for (int64_t r = 0; r < kRowsRead; ++r) {
        const T* row = view.rows[r] - view.first;
        if (left == 0 && right == kCount) {
          view.rows[r] += x;
          continue;
        }
        view.rows[r] = to;
        std::fill(to, to + left, s_.zeros ? T{} : row[0]);
        std::copy(row + first + left, row + first + right, to + left);
        std::fill(to + right, to + kCount, s_.zeros ? T{} : row[s_.w - 1]);
        to += kCount;
      }
    }
  }

  const RefocusShape& s_;
  const T* picture_ = nullptr;
  const AxisTaps<R>*rows_ = nullptr, *columns_ = nullptr;
  int64_t y_ = 0;
  Buffer<Deviations<R>> blocks_;
  std::vector<Line> lines_;  // those of weight
  std::vector<ViewRows<T>> bordered_;
  std::vector<T> nothing_, copies_;
  std::vector<R> line_;
};

template <class T>
void refocus_moments(const T* light_field, const acc_t<T>* disparity, const acc_t<T>* aperture, out_t<T>* out,
                     const RefocusShape& s, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  const auto rows = all_axis_taps(disparity, s.v, s.h, s), columns = all_axis_taps(disparity, s.u, s.w, s);
  const int64_t planes = s.a * s.d, plane_size = s.h * s.w;
  MomentRows<T> moments(s);
  for (int64_t unit = begin, count; unit < end; unit += count) {
    const int64_t y = unit % s.h, c = unit / s.h % s.c, b = unit / s.h / s.c;
    count = std::min<int64_t>({kRows, s.h - y, end - unit});
    for (int64_t p = 0; p < planes; ++p) {
      const int64_t d = p % s.d;
      const R* weights = aperture + p / s.d * s.v * s.u;
      moments.add(light_field + b * s.sb + c * s.sc, weights, &rows[d * s.v], &columns[d * s.u], y);
      R total = 0;
      for (int64_t view = 0; view < s.v * s.u; ++view) total += weights[view];
      for (int64_t i = 0; i < count; ++i) {
        out_t<T>* mean = out + ((2 * b * planes + p) * s.c + c) * plane_size + (y + i) * s.w;
        moments.write(i, total, mean, mean + planes * s.c * plane_size);
      }
    }
  }
}

#define INSTANTIATE(T)                                                                                               \
  template void refocus_moments(const T*, const acc_t<T>*, const acc_t<T>*, out_t<T>*, const RefocusShape&, int64_t, \
                                int64_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)
INSTANTIATE(uint8_t)
INSTANTIATE(uint16_t)

#include "cpu/kernels/end.h"
