// The geometry of `refocus`, shared by the CPU and CUDA kernels: where a view is sampled, and with which taps.
#pragma once
#include <cstdint>

#include "lfdeblur/dtypes.h"

namespace lfdeblur {

enum class Interpolation : int { nearest = 0, bilinear = 1, bicubic = 2 };

// What becomes of the samples of the views: their weighted sum, the samples times their weights, or mean and variance.
enum class Reduce : int { mean = 0, none = 1, moments = 2 };

// light_field: [B, V, U, C, H, W] with a unit stride along W; disparity: [D] or, if map, [D, H, W] or [B, D, H, W];
// aperture: [A, V, U] or, if per_pixel, [A, V, U, H, W] or [B, A, V, U, H, W]. All but light_field contiguous. out:
// [B, A, D, C, H, W]; `none`: [B, A, D, V, U, C, H, W]; `moments`: [B, 2, A, D, C, H, W], mean and variance.
struct RefocusViews {
  int64_t b, v, u, c, h, w, a, d;
  int64_t sb, sv, su, sc, sy;  // strides of light_field in elements
  Interpolation interpolation;
  bool map;
  bool valid;  // border: samples outside a view do not count, the others are weighed anew
};

// And what more can be asked for. Apart: kernels that know nothing of it would be compiled to more registers.
struct RefocusShape : RefocusViews {
  bool zeros;                // border: what lies outside a view is 0; neither: its edge goes on
  int64_t sdb = 0, sab = 0;  // of the maps and the apertures from one light field to the next; 0: all share them
  bool per_pixel = false;    // a weight per output pixel
  bool normalize = false;    // the sum is divided by that of the weights
  Reduce reduce = Reduce::mean;
  float cubic = -0.5f;  // of Keys' kernel; both that there are are exact

  // Is the sum divided by the weight that counted at the pixel?
  LFD_HD bool divided() const { return valid || normalize || reduce == Reduce::moments; }
  // Is it more than a sum of views of one weight each?
  LFD_HD bool general() const { return per_pixel || normalize || reduce != Reduce::mean; }
};

// One axis of one sample: the pixel at p is read at p + first + f, 0 <= f < 1.
template <class R>
struct AxisShift {
  int first;
  R f;
};

// A view `offset` steps from the centre is read `disparity * offset` pixels before p.
template <class R>
LFD_HD AxisShift<R> axis_shift(R disparity, R offset, int64_t size) {
  // From size + 4 on, every tap of every pixel lies beyond the border; the bound keeps the integer part small.
  const R bound = static_cast<R>(size + 4);
  R t = -(disparity * offset);
  t = t > -bound ? t : -bound;  // NaN too: any value is memory-safe
  t = t < bound ? t : bound;
  int first = static_cast<int>(t);
  if (static_cast<R>(first) > t) first -= 1;
  R f = t - static_cast<R>(first);
  if (f >= R(1)) {  // a tiny negative t rounds to f = 1
    first += 1;
    f = R(0);
  }
  return {first, f};
}

template <Interpolation I>
struct Taps;  // tap i, 0 <= i < count, of a sample reads p + first + begin + i; a: of Keys' kernel
template <>
struct Taps<Interpolation::nearest> {
  static constexpr int count = 2, begin = 0;
  template <class R>
  static LFD_HD void weights(R f, R, R* w) {
    w[0] = f < R(0.5) ? R(1) : R(0);
    w[1] = R(1) - w[0];
  }
  template <class R>
  static LFD_HD void slopes(R, R, R* s) {  // d weight / d t
    s[0] = s[1] = R(0);
  }
};
template <>
struct Taps<Interpolation::bilinear> {
  static constexpr int count = 2, begin = 0;
  template <class R>
  static LFD_HD void weights(R f, R, R* w) {
    w[0] = R(1) - f;
    w[1] = f;
  }
  template <class R>
  static LFD_HD void slopes(R, R, R* s) {
    s[0] = R(-1);
    s[1] = R(1);
  }
};
template <>
struct Taps<Interpolation::bicubic> {  // Keys (1981); a: -0.5 or -0.75
  static constexpr int count = 4, begin = -1;
  template <class R>
  static LFD_HD void weights(R f, R a, R* w) {
    w[0] = a * f * (f * (f - R(2)) + R(1));
    w[1] = f * f * ((a + R(2)) * f - (a + R(3))) + R(1);
    w[2] = f * (f * ((a + a + R(3)) - (a + R(2)) * f) - a);
    w[3] = a * f * f * (R(1) - f);
  }
  template <class R>
  static LFD_HD void slopes(R f, R a, R* s) {
    s[0] = a * (f * (R(3) * f - R(4)) + R(1));
    s[1] = f * (R(3) * (a + R(2)) * f - R(2) * (a + R(3)));
    s[2] = f * (R(2) * (a + a + R(3)) - R(3) * (a + R(2)) * f) - a;
    s[3] = a * f * (R(2) - R(3) * f);
  }
};

LFD_HD int64_t clamp_index(int64_t p, int64_t size) { return p < 0 ? 0 : (p < size ? p : size - 1); }

// Does the position p + first + f lie inside [0, size - 1]?
template <class R>
LFD_HD bool inside(int64_t p, AxisShift<R> s, int64_t size) {
  const int64_t q = p + s.first;
  return q >= 0 && (q < size - 1 || (q == size - 1 && s.f == R(0)));
}

}  // namespace lfdeblur
