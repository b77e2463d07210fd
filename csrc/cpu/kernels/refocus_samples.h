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
inline bool all_zero(typename Simd<R>::Mask m) {
  typedef int64_t Words __attribute__((vector_size(kVectorBytes)));
  const Words w = (Words)m;
  int64_t any = 0;
  for (int i = 0; i < kLanes<double>; ++i) any |= w[i];
  return any == 0;
}

// Where one view's samples lie at one row of output pixels.
template <class R, Interpolation I>
class RowPositions {
 public:
  static constexpr int N = Taps<I>::count, L = kLanes<R>;

  RowPositions(const RefocusShape& s, bool slopes)
      : s_(s),
        slopes_(slopes),
        blocks_((s.w + L - 1) / L),
        disparity_(blocks_ * L),
        rows_(blocks_),
        columns_(blocks_) {}

  // Output row y of plane d; then view row v; then view column u.
  void set_row(const R* disparity, int64_t d, int64_t y) {
    for (int64_t x = 0; x < blocks_ * L; ++x)
      disparity_[x] = s_.map ? disparity[(d * s_.h + y) * s_.w + std::min(x, s_.w - 1)] : disparity[d];
    y_ = y;
  }
  void set_view_row(int64_t v) {
    row_offset_ = v - 0.5 * (s_.v - 1);
    fill<0>(rows_, row_offset_, s_.h, y_);
  }
  void set_view_column(int64_t u) {
    column_offset_ = u - 0.5 * (s_.u - 1);
    fill<1>(columns_, column_offset_, s_.w, 0);
  }

  R counts(int64_t x) const { return rows_.counts[x] * columns_.counts[x]; }

  // The adjoint of RowSampler::read: plane[...] += weight of the tap * values[x]. plane is contiguous.
  void scatter(const R* values, R* plane) const {
    for (int i = 0; i < N; ++i)
      for (int j = 0; j < N; ++j)
        for (int64_t x = 0; x < s_.w; ++x)
          plane[rows_.index[i][x] * s_.w + columns_.index[j][x]] +=
              rows_.weight[i][x] * columns_.weight[j][x] * values[x];
  }

 private:
  // Pixel x of the row is at `start + Step * x` on the axis.
  template <int Step>
  void fill(AxisRow<R>& axis, double offset, int64_t size, int64_t start) {
    using Int = typename Simd<R>::Mask;
    using Lane = std::decay_t<decltype(Int{}[0])>;
    const AxisShift<double> exact = s_.map ? AxisShift<double>{} : axis_shift<double>(disparity_[0], offset, size);
    const Int zero{}, last = zero + static_cast<Lane>(size - 1);
    Int lane{};
    for (int l = 0; l < L; ++l) lane[l] = l;
    for (int64_t block = 0; block < blocks_; ++block) {
      const int64_t x = block * L;
      Int first = zero + static_cast<Lane>(exact.first);
      Vec<R> f = splat(static_cast<R>(exact.f));
      if (s_.map) axis_shifts(load(disparity_.data() + x), static_cast<R>(offset), size, first, f);
      const Int at = first + Step * lane + static_cast<Lane>(start + Step * x);
      const bool clamped = at[0] + Taps<I>::begin < 0 || at[L - 1] + Taps<I>::begin + N - 1 > last[0];
      axis.regular[block] = all_zero<R>(first - first[0]) && !(Step == 1 && clamped);
      R w[N][L], k[N][L];
      for (int l = 0; l < L; ++l) {
        R weights[N], slopes[N];
        Taps<I>::weights(f[l], static_cast<R>(s_.cubic), weights);
        Taps<I>::slopes(f[l], static_cast<R>(s_.cubic), slopes);
        for (int i = 0; i < N; ++i) w[i][l] = weights[i], k[i][l] = slopes[i];
      }
      for (int i = 0; i < N; ++i) {
        Int index = at + (Taps<I>::begin + i);
        const Int out = s_.zeros ? (index < zero) | (index > last) : zero;
        index = index < zero ? zero : index;
        index = index > last ? last : index;
        for (int l = 0; l < L; ++l) {
          axis.index[i][x + l] = static_cast<int32_t>(index[l]);
          if (out[l]) w[i][l] = k[i][l] = R(0);
        }
        memcpy(axis.weight[i].data() + x, w[i], sizeof(w[i]));
        if (slopes_) memcpy(axis.slope[i].data() + x, k[i], sizeof(k[i]));
      }
      const Int outside = (at < zero) | (at > last) | ((at == last) & (f != splat(R(0))));
      store(axis.counts.data() + x, s_.valid ? (outside ? splat(R(0)) : splat(R(1))) : splat(R(1)));
    }
  }

 protected:
  const RefocusShape& s_;
  const bool slopes_;
  const int64_t blocks_;
  std::vector<R> disparity_;
  int64_t y_ = 0;
  double row_offset_ = 0, column_offset_ = 0;
  AxisRow<R> rows_, columns_;
};

// The samples there.
template <class T, Interpolation I>
class RowSampler : public RowPositions<acc_t<T>, I> {
 public:
  using R = acc_t<T>;
  using RowPositions<R, I>::N;
  using RowPositions<R, I>::L;

  explicit RowSampler(const RefocusShape& s, bool slopes = false) : RowPositions<R, I>(s, slopes) {
    sample.resize(blocks_ * L);
    slope.resize(s.w);
  }

  // sample[x], in stored units, from a view's plane.
  void read(const T* plane) {
    for (int64_t block = 0; block < blocks_; ++block) {
      const int64_t x = block * L;
      if (rows_.regular[block] && columns_.regular[block])
        read_block(plane, x);
      else
        for (int64_t p = x; p < x + L; ++p) read_pixel(plane, p);
    }
  }

  // slope[x] = d sample / d disparity.
  void read_slope(const T* plane) {
    const R dy = -static_cast<R>(row_offset_), dx = -static_cast<R>(column_offset_);
    for (int64_t x = 0; x < s_.w; ++x) {
      R sum = R(0);
      for (int i = 0; i < N; ++i) {
        const T* row = plane + rows_.index[i][x] * s_.sy;
        R along_y = R(0), along_x = R(0);
        for (int j = 0; j < N; ++j) {
          const R value = to_acc(row[columns_.index[j][x]]);
          along_y += columns_.weight[j][x] * value;
          along_x += columns_.slope[j][x] * value;
        }
        sum += rows_.slope[i][x] * dy * along_y + rows_.weight[i][x] * dx * along_x;
      }
      slope[x] = sum;
    }
  }

  std::vector<R> sample, slope;

 private:
  using RowPositions<R, I>::s_;
  using RowPositions<R, I>::blocks_;
  using RowPositions<R, I>::row_offset_;
  using RowPositions<R, I>::column_offset_;
  using RowPositions<R, I>::rows_;
  using RowPositions<R, I>::columns_;

  void read_block(const T* plane, int64_t x) {
    Vec<R> sum{};
    for (int i = 0; i < N; ++i) {
      const T* row = plane + rows_.index[i][x] * s_.sy + columns_.index[0][x];
      Vec<R> line{};
      for (int j = 0; j < N; ++j) line += load(columns_.weight[j].data() + x) * load(row + j);
      sum += load(rows_.weight[i].data() + x) * line;
    }
    store(sample.data() + x, sum);
  }

  void read_pixel(const T* plane, int64_t x) {
    R sum = R(0);
    for (int i = 0; i < N; ++i) {
      const T* row = plane + rows_.index[i][x] * s_.sy;
      R line = R(0);
      for (int j = 0; j < N; ++j) line += columns_.weight[j][x] * to_acc(row[columns_.index[j][x]]);
      sum += rows_.weight[i][x] * line;
    }
    sample[x] = sum;
  }
};

template <class F>
void for_interpolation(Interpolation interpolation, const F& f) {
  if (interpolation == Interpolation::nearest) f(std::integral_constant<Interpolation, Interpolation::nearest>{});
  if (interpolation == Interpolation::bilinear) f(std::integral_constant<Interpolation, Interpolation::bilinear>{});
  if (interpolation == Interpolation::bicubic) f(std::integral_constant<Interpolation, Interpolation::bicubic>{});
}
