// Strips of weights, samples and gradients, for whatever `refocus` does with each sample by itself. What depends on the
// element type is the reading of samples alone: they go through a buffer, so that what is done with them is compiled
// once for all types.
#pragma once
#include "cpu/kernels/refocus_samples.h"

// Block `block` of a row that has `count` pixels from `row` on; zeros beyond.
template <class R>
inline Vec<R> load_block(const R* row, int64_t block, int64_t count) {
  constexpr int L = kLanes<R>;
  if ((block + 1) * L <= count) return load(row + block * L);
  R some[L] = {};
  for (int64_t l = 0; block * L + l < count; ++l) some[l] = row[block * L + l];
  return load(some);
}

template <class T>
inline void store_block(T* row, int64_t block, int64_t count, Vec<acc_t<T>> value) {
  constexpr int L = kLanes<acc_t<T>>;
  if ((block + 1) * L <= count) return store(row + block * L, value);
  for (int64_t l = 0; block * L + l < count; ++l) row[block * L + l] = from_acc<T>(value[l]);
}

// A strip of output pixels.
struct Strip {
  int64_t b, d, y, x;
  int64_t blocks, count;  // of kLanes pixels; pixels
};

// The strips of a row, one after another: f(strip), once `positions` are set there for the views [begin, end) of V * U.
template <class R, class Positions, class F>
void for_strips(Positions& positions, const R* disparity, const RefocusShape& s, int64_t b, int64_t d, int64_t y,
                int64_t begin, int64_t end, const F& f) {
  const int64_t most = positions.width * kLanes<R>;
  for (int64_t x = 0; x < s.w; x += most) {
    positions.set(disparity + b * s.sdb, d, y, x, begin, end);
    f(Strip{b, d, y, x, positions.blocks(), std::min(most, s.w - x)});
  }
}

// Samples (K = 2: their derivatives along the disparity) of a view, in units of the output.
template <class T, int N, int K = 1>
class StripSamples {
 public:
  using R = acc_t<T>;

  explicit StripSamples(const RefocusShape& s) : positions(s), samples_(s.c * positions.width) {}

  __attribute__((noinline)) void read(const T* light_field, int64_t v, int64_t u) {
    const Vec<R> scale = splat(R(Element<T>::scale));
    positions.read(light_field, v, u, [&](int64_t block) {
      Vec<R>* to = samples_.data() + block;
      const int64_t width = positions.width;
      return [=](int64_t c, Vec<R> sample) { to[c * width] = sample * scale; };
    });
  }
  const Vec<R>* channel(int64_t c) const { return samples_.data() + c * positions.width; }

  Sampler<T, N, K> positions;

 private:
  Buffer<Vec<R>> samples_;
};

// Weights of one view in aperture a along a strip; 0 where the sample does not count. False: all are 0.
template <class R, class Positions>
inline bool read_weights(const R* aperture, const RefocusShape& s, const Positions& positions, const Strip& strip,
                         int64_t a, int64_t v, int64_t u, Vec<R>* to) {
  const int64_t view = (a * s.v + v) * s.u + u;
  if (s.per_pixel) {
    const R* row = aperture + strip.b * s.sab + (view * s.h + strip.y) * s.w + strip.x;
    for (int64_t block = 0; block < strip.blocks; ++block) to[block] = load_block(row, block, strip.count);
  } else {
    std::fill(to, to + strip.blocks, splat(aperture[view]));
    if (aperture[view] == R(0)) return false;
  }
  if (s.valid)
    for (int64_t block = 0; block < strip.blocks; ++block) to[block] *= positions.inside(v, u, block);
  return true;
}

// Where strips lie in a tensor of the output's shape.
inline int64_t place_in_output(const RefocusShape& s, const Strip& strip, int64_t a, int64_t v, int64_t u, int64_t c) {
  int64_t plane = ((s.reduce == Reduce::moments ? 2 * strip.b : strip.b) * s.a + a) * s.d + strip.d;
  if (s.reduce == Reduce::none) plane = (plane * s.v + v) * s.u + u;
  return ((plane * s.c + c) * s.h + strip.y) * s.w + strip.x;
}
inline int64_t mean_to_variance(const RefocusShape& s) { return s.a * s.d * s.c * s.h * s.w; }

// Gradients of a strip of samples and of their weights, from those of the output, which are divided as it is.
template <class R>
class StripGradients {
 public:
  StripGradients(const R* grad, const R* out, const RefocusShape& s) : grad_(grad), out_(out), s_(s) {}

  // Channel c of view (v, u), seen through aperture a.
  void set(const Strip& strip, int64_t a, int64_t v, int64_t u, int64_t c) {
    const int64_t at = place_in_output(s_, strip, a, v, u, c), next = mean_to_variance(s_);
    g_ = grad_ + at;
    mean_ = out_ + at;
    g_variance_ = g_ + next;
    variance_ = mean_ + next;
    strip_ = &strip;
  }

  bool needs_samples() const { return s_.reduce == Reduce::moments; }

  // to += weight * d loss / d (weight * sample)
  void add_of_samples(const Vec<R>* weight, const Vec<R>* sample, Vec<R>* to) const {
    for (int64_t i = 0; i < strip_->blocks; ++i) {
      Vec<R> of_sample = at(g_, i);
      if (needs_samples()) of_sample += splat(R(2)) * at(g_variance_, i) * (sample[i] - at(mean_, i));
      to[i] += weight[i] * of_sample;
    }
  }

  // d loss / d weight, of a block
  Vec<R> of_weight(const Vec<R>* sample, int64_t i) const {
    if (!s_.divided()) return at(g_, i) * sample[i];
    const Vec<R> from_mean = sample[i] - at(mean_, i);
    Vec<R> value = at(g_, i) * from_mean;
    if (needs_samples()) value += at(g_variance_, i) * (from_mean * from_mean - at(variance_, i));
    return value;
  }

 private:
  Vec<R> at(const R* row, int64_t block) const { return load_block(row, block, strip_->count); }

  const R *grad_, *out_;
  const RefocusShape& s_;
  const Strip* strip_ = nullptr;
  const R *g_ = nullptr, *g_variance_ = nullptr, *mean_ = nullptr, *variance_ = nullptr;
};
