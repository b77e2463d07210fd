// What reads the views for refocus_row_sum.h.
#include <algorithm>
#include <memory>
#include <vector>

#include "cpu/refocus.h"
#include "cpu/refocus_weights.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/refocus_axis.h"
#include "cpu/kernels/refocus_row_sum.h"

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

template <class T>
class TypedRowSum final : public RowSum<acc_t<T>> {
 public:
  using R = acc_t<T>;
  using typename RowSum<R>::Plan;

  TypedRowSum(const T* light_field, const RefocusShape& s, const std::vector<AxisTaps<R>>& columns, int64_t uses)
      : RowSum<R>(s, columns, uses, Element<T>::scale), light_field_(light_field) {}

  void set_picture(int64_t b, int64_t c) override { plane_ = light_field_ + b * s_.sb + c * s_.sc; }

  void load_row(int64_t v, int64_t r) override {
    row_ = plane_ + v * s_.sv + r * s_.sy;
    if (!padded_) return;
    constexpr int L = kLanes<R>;
    constexpr int kLine = 64 / sizeof(T);
    for (int64_t u = 0; u < s_.u; ++u) {
      const T* from = row_ + u * s_.su;
      R* to = copies_.data() + u * stride_;
      std::fill(to, to + left_, s_.zeros ? R(0) : to_acc(from[0]));
      int64_t x = 0;
      for (; x + L <= s_.w; x += L) {
        if (x % kLine == 0) __builtin_prefetch(from + x + s_.sy);
        store(to + left_ + x, load(from + x));
      }
      for (; x < s_.w; ++x) to[left_ + x] = to_acc(from[x]);
      std::fill(to + left_ + s_.w, to + stride_, s_.zeros ? R(0) : to_acc(from[s_.w - 1]));
    }
  }

  void run(const Plan& plan, R* sums) const override {
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
  using RowSum<R>::s_;
  using RowSum<R>::padded_;
  using RowSum<R>::left_;
  using RowSum<R>::stride_;
  using RowSum<R>::copies_;

  template <class S>
  static void sum_taps(const S* rows, const Plan& p, int64_t ahead, R* sums) {
    if (p.taps == 1) sum_views<1>(rows, p.views, p.begin, p.end, ahead, sums);
    if (p.taps == 2) sum_views<2>(rows, p.views, p.begin, p.end, ahead, sums);
    if (p.taps == 4) sum_views<4>(rows, p.views, p.begin, p.end, ahead, sums);
  }

  static R at_border(const T* row, int64_t x, const RefocusShape& s) {
    return s.zeros && (x < 0 || x >= s.w) ? R(0) : to_acc(row[clamp_index(x, s.w)]);
  }

  // A vector of pixels that see the border; `pixels` of them are stored.
  void edge_block(const Plan& plan, int64_t x, int64_t pixels, R* sums) const {
    constexpr int L = kLanes<R>;
    Vec<R> sum = {};
    R line[L + 4];
    for (const ViewRow<R>& view : plan.views) {
      const T* row = row_ + view.u * s_.su;
      const int64_t first = x + plan.columns[view.u].first;
      const int64_t count = L + plan.taps - 1;
      for (int64_t i = 0; i < count; ++i) line[i] = to_acc(row[clamp_index(first + i, s_.w)]);
      if (s_.zeros) {
        for (int64_t i = 0; i < count; ++i) line[i] = first + i < 0 || first + i >= s_.w ? R(0) : line[i];
      }
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

  const T *light_field_, *plane_ = nullptr, *row_ = nullptr;
};

template <class T>
std::unique_ptr<RowSum<acc_t<T>>> row_sum(const T* light_field, const RefocusShape& s,
                                          const std::vector<AxisTaps<acc_t<T>>>& columns, int64_t uses) {
  return std::make_unique<TypedRowSum<T>>(light_field, s, columns, uses);
}

#define INSTANTIATE(T)                                                              \
  template std::unique_ptr<RowSum<acc_t<T>>> row_sum(const T*, const RefocusShape&, \
                                                     const std::vector<AxisTaps<acc_t<T>>>&, int64_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)
INSTANTIATE(uint8_t)
INSTANTIATE(uint16_t)

#include "cpu/kernels/end.h"
