// Rows of weights and gradients for whatever `refocus` does with each sample by itself.
#pragma once

// Weights of one view at a row of output pixels; 0 where the sample does not count.
template <class R>
class WeightRows {
 public:
  WeightRows(const R* aperture, const RefocusShape& s) : aperture_(aperture), s_(s) {}

  // Of aperture a. False: all are 0.
  template <class Positions>
  bool read(const Positions& positions, int64_t b, int64_t a, int64_t v, int64_t u, int64_t y, R* to) const {
    const int64_t view = (a * s_.v + v) * s_.u + u;
    if (s_.per_pixel) {
      const R* from = aperture_ + b * s_.sab + (view * s_.h + y) * s_.w;
      std::copy(from, from + s_.w, to);
    } else {
      if (aperture_[view] == R(0)) return false;
      std::fill(to, to + s_.w, aperture_[view]);
    }
    if (s_.valid)
      for (int64_t x = 0; x < s_.w; ++x) to[x] *= positions.counts(x);
    return true;
  }

 private:
  const R* aperture_;
  const RefocusShape& s_;
};

// Gradients of a row of samples and of their weights, from those of the output, which are divided as it is.
template <class R>
class GradientRows {
 public:
  GradientRows(const R* grad, const R* out, const RefocusShape& s) : grad_(grad), out_(out), s_(s) {}

  // Row y of channel c of view (v, u), seen through aperture a on plane d.
  void set(int64_t b, int64_t a, int64_t d, int64_t v, int64_t u, int64_t c, int64_t y) {
    const bool moments = s_.reduce == Reduce::moments;
    int64_t plane = ((moments ? 2 * b : b) * s_.a + a) * s_.d + d;
    if (s_.reduce == Reduce::none) plane = (plane * s_.v + v) * s_.u + u;
    const int64_t at = ((plane * s_.c + c) * s_.h + y) * s_.w, next = s_.a * s_.d * s_.c * s_.h * s_.w;
    g_ = grad_ + at;
    mean_ = out_ + at;
    g_variance_ = g_ + next;
    variance_ = mean_ + next;
  }

  bool needs_samples() const { return s_.reduce == Reduce::moments; }

  // to[x] += weight[x] * d loss / d (weight[x] * sample[x])
  void add_of_samples(const R* weight, const R* sample, R* to) const {
    if (!needs_samples())
      for (int64_t x = 0; x < s_.w; ++x) to[x] += weight[x] * g_[x];
    else
      for (int64_t x = 0; x < s_.w; ++x) to[x] += weight[x] * (g_[x] + R(2) * g_variance_[x] * (sample[x] - mean_[x]));
  }

  // to[x] = d loss / d weight[x]
  void of_weights(const R* sample, R* to) const {
    if (needs_samples()) {
      for (int64_t x = 0; x < s_.w; ++x) {
        const R from_mean = sample[x] - mean_[x];
        to[x] = g_[x] * from_mean + g_variance_[x] * (from_mean * from_mean - variance_[x]);
      }
    } else if (s_.divided()) {
      for (int64_t x = 0; x < s_.w; ++x) to[x] = g_[x] * (sample[x] - mean_[x]);
    } else {
      for (int64_t x = 0; x < s_.w; ++x) to[x] = g_[x] * sample[x];
    }
  }

 private:
  const R *grad_, *out_;
  const RefocusShape& s_;
  const R *g_ = nullptr, *g_variance_ = nullptr, *mean_ = nullptr, *variance_ = nullptr;
};
