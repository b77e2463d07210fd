// Samples of a view at one row of output pixels, for output pixels that have a disparity each and for gradients that
// need each sample by itself.
#pragma once

// One axis of a row of samples: for pixel x, taps i at index[i][x] (a row or a column of the view, clamped). Padded to
// whole blocks of kLanes pixels; of a block, `regular` tells that its pixels are read side by side (along x: at
// successive columns, none of them clamped; along y: in the same rows), so that vectors can be loaded.
template <class R>
struct AxisRow {
  std::vector<int32_t> index[4];
  std::vector<R> weight[4], slope[4];
  std::vector<R> counts;  // 1 where the sample's position lies inside the view, or everywhere for border `replicate`
  std::vector<uint8_t> regular;

  explicit AxisRow(int64_t blocks) : counts(blocks * kLanes<R>), regular(blocks) {
    for (int i = 0; i < 4; ++i) {
      index[i].resize(blocks * kLanes<R>);
      weight[i].resize(blocks * kLanes<R>);
      slope[i].resize(blocks * kLanes<R>);
    }
  }
};

// What the loops see of them: the sum's type alone. What depends on the element type and the interpolation is compiled
// once, in refocus_sampler.cpp, and called once per row.
template <class R>
class RowSamples {
 public:
  virtual ~RowSamples() = default;

  // Output row y of plane d; then view row v; then view column u.
  virtual void set_row(const R* disparity, int64_t d, int64_t y) = 0;
  virtual void set_view_row(int64_t v) = 0;
  virtual void set_view_column(int64_t u) = 0;

  virtual void read(int64_t b, int64_t c) = 0;        // sample[x], in stored units, of picture b and channel c
  virtual void read_slope(int64_t b, int64_t c) = 0;  // slope[x] = d sample / d disparity

  // The adjoint of `read`: plane[...] += weight of the tap * values[x]. plane is contiguous.
  virtual void scatter(const R* values, R* plane) const = 0;

  R counts(int64_t x) const { return rows_.counts[x] * columns_.counts[x]; }

  std::vector<R> sample, slope;

 protected:
  explicit RowSamples(int64_t blocks) : rows_(blocks), columns_(blocks) {}

  AxisRow<R> rows_, columns_;
};

// light_field may be null where nothing is read.
template <class T>
std::unique_ptr<RowSamples<acc_t<T>>> row_samples(const T* light_field, const RefocusShape& s, bool slopes = false);
