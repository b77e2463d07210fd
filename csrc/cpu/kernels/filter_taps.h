// Taps of a block of positions side by side, whatever strides and normalisation they have.
#pragma once

// e**x, to a unit in the last place, for x <= 0 and not below the smallest normal number.
inline Vec<float> exponential(Vec<float> x) {
  const Vec<float> magic = splat(12582912.0f);  // 1.5 * 2**23: its sum is rounded to an integer
#if defined(LFD_AVX512)
  const Vec<float> kept = (Vec<float>)_mm512_max_ps(_mm512_set1_ps(-104.0f), (__m512)x);  // e**-104 is 0
#else
  const Vec<float> low = splat(-87.0f), kept = x < low ? low : x;
#endif
  const Vec<float> shifted = kept * splat(1.44269504f) + magic, n = shifted - magic;
  const Vec<float> r = (kept - n * splat(0.693359375f)) + n * splat(2.12194440e-4f);
  // (e**r - 1 - r) / r**2 for |r| <= log(2) / 2, the largest relative error of e**r made small.
  Vec<float> p = splat(1.3814599e-3f);
  p = p * r + splat(8.368717e-3f);
  p = p * r + splat(4.166839e-2f);
  p = p * r + splat(1.6666521e-1f);
  p = p * r + splat(4.9999994e-1f);
  p = p * (r * r) + r + splat(1.0f);
#if defined(LFD_AVX512)
  return (Vec<float>)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
  using I = typename Simd<float>::Mask;
  const Vec<float> power = (Vec<float>)((((I)shifted - (I)magic) + 127) << 23);
  return x < low ? Vec<float>{} : p * power;
#endif
}
inline Vec<double> exponential(Vec<double> x) {
  for (int i = 0; i < kLanes<double>; ++i) x[i] = std::exp(x[i]);
  return x;
}

// Of one row of filters, those of the block [first, first + width), as taps [taps, block].
template <class T>
struct Taps {
  using R = acc_t<T>;
  const FilterGeometry& s;
  int64_t block;
  Buffer<R> data, shift, factor;  // a tap's weight is exp(tap - shift) * factor, or tap * factor

  // All taps of a block stay in `bytes` of cache, or nearly: by default in the first level.
  Taps(const FilterGeometry& shape, int64_t taps, int64_t width, int64_t bytes = 32 << 10) : s(shape) {
    constexpr int64_t L = 16;
    const int64_t most = bytes / 128;
    block = bytes / static_cast<int64_t>(sizeof(R)) / taps / L * L;
    block = block < L ? L : block > most ? most : block;
    const int64_t whole = (width + L - 1) / L * L;
    block = block < whole ? block : whole;
    data.resize(taps * block);
    shift.resize(block);
    factor.resize(block);
  }

  // `count` taps from `f` on, as they are.
  void gather(const T* f, int64_t count, int64_t width) {
    const FilterStrides& by = s.filters;
    if (by.x != 1 && by.t == 1) {
      for (int64_t x = 0; x < width; ++x)
        for (int64_t t = 0; t < count; ++t) data[t * block + x] = to_acc(f[x * by.x + t]);
      return;
    }
    for (int64_t t = 0; t < count; ++t) {
      const T* from = f + t * by.t;
      R* to = data.data() + t * block;
      int64_t x = 0;
      if (by.x == 1)
        for (; x + kLanes<R> <= width; x += kLanes<R>) store(to + x, load(from + x));
      for (; x < width; ++x) to[x] = to_acc(from[x * by.x]);
    }
  }

  // What the gathered taps, all there are, are normalised by. `keep`: an exponential is left in the place of its tap.
  void measure(int64_t count, int64_t width, bool keep = false) {
    for (int64_t x = 0; x < width; x += kLanes<R>) {
      Vec<R> highest = load(data.data() + x), sum = {};
      if (s.normalize == Normalize::softmax) {
        for (int64_t t = 1; t < count; ++t) {
          const Vec<R> tap = load(data.data() + t * block + x);
          highest = tap > highest ? tap : highest;  // what is no number comes back by its exponential
        }
        for (int64_t t = 0; t < count; ++t) {
          R* tap = data.data() + t * block + x;
          const Vec<R> power = exponential(load(tap) - highest);
          if (keep) store(tap, power);
          sum += power;
        }
      } else {
        for (int64_t t = 0; t < count; ++t) sum += load(data.data() + t * block + x);
        sum += splat<R>(kNormalizeEpsilon);
      }
      store(shift.data() + x, highest);
      store(factor.data() + x, splat<R>(1) / sum);
    }
  }

  // The gathered taps become exponentials, by what was measured of all.
  void raise(int64_t count, int64_t width, const R* shifts) {
    for (int64_t x = 0; x < width; x += kLanes<R>) {
      const Vec<R> lower = some(shifts + x, width - x);
      for (int64_t t = 0; t < count; ++t) {
        R* tap = data.data() + t * block + x;
        store(tap, exponential(load(tap) - lower));
      }
    }
  }

  // The weights of all taps.
  const R* get(const T* f, int64_t width) {
    const int64_t count = s.taps();
    gather(f, count, width);
    if (s.normalize == Normalize::none) return data.data();
    measure(count, width, true);
    for (int64_t t = 0; t < count; ++t) {
      R* tap = data.data() + t * block;
      for (int64_t x = 0; x < width; x += kLanes<R>) store(tap + x, load(tap + x) * load(factor.data() + x));
    }
    return data.data();
  }

 private:
  static Vec<R> some(const R* p, int64_t count) {
    if (count >= kLanes<R>) return load(p);
    Vec<R> v = {};
    for (int64_t i = 0; i < count; ++i) v[i] = p[i];
    return v;
  }
};
