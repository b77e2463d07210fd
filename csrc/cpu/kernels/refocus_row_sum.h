// The horizontal stage of `refocus` for disparities [D]: sums over the views of one row.
#pragma once

// One view's row as the sum over u reads it: pixel x gets sum_i w[i] * row[offset + x + i].
template <class R>
struct ViewRow {
  int64_t offset, u;
  R w[4];
};

// What the loops see of it: the sum's type alone. What depends on the element type is compiled once, in
// refocus_typed_row_sum.cpp, and called once per row.
template <class R>
class RowSum {
 public:
  // What stays the same for all rows of one row of views, one aperture and one disparity.
  struct Plan {
    const AxisTaps<R>* columns;
    std::vector<ViewRow<R>> views;  // those of positive weight
    int64_t taps, begin, end;       // [begin, end): pixels that are read without looking at the border
  };

  // scale: of a stored unit.
  RowSum(const RefocusShape& s, const std::vector<AxisTaps<R>>& columns, int64_t uses, R scale)
      : s_(s), columns_(columns), scale_(scale) {
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
  virtual ~RowSum() = default;

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
      for (int i = 0; i < c.count; ++i) view.w[i] = c.w[i] * (aperture[u] * scale_);
      plan.views.push_back(view);
      plan.begin = std::max(plan.begin, padded_ ? c.lo : std::max(c.lo, -c.first));
      plan.end = std::min(plan.end, padded_ ? c.hi : std::min(c.hi, s_.w - (c.first + plan.taps - 1)));
    }
    if (plan.end < plan.begin) plan.begin = plan.end = 0;
    if (s_.valid) return;
    // Whole vectors only: the copies and the sums are longer than a row.
    plan.end = padded_ ? (s_.w + L - 1) / L * L : plan.begin + (plan.end - plan.begin) / L * L;
  }

  virtual void set_picture(int64_t b, int64_t c) = 0;  // picture b, channel c
  // Row r of the views of row v, for the runs that follow.
  virtual void load_row(int64_t v, int64_t r) = 0;
  // sums[x] = sum_u aperture[u] * sum_i w_u[i] * row_u[x + first_u + i], with the border put on.
  virtual void run(const Plan& plan, R* sums) const = 0;

 protected:
  const RefocusShape& s_;
  const std::vector<AxisTaps<R>>& columns_;
  const R scale_;
  bool padded_;
  int64_t left_, stride_;
  std::vector<R> copies_;
};

template <class T>
std::unique_ptr<RowSum<acc_t<T>>> row_sum(const T* light_field, const RefocusShape& s,
                                          const std::vector<AxisTaps<acc_t<T>>>& columns, int64_t uses);
