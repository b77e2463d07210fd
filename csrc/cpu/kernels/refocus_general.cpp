// The loops of the CPU `refocus` in which each sample is taken by itself: a weight per pixel, no sum, or moments.
#if !defined(LFD_AVX512)  // these run on AVX2 at most
#include <algorithm>
#include <type_traits>
#include <vector>

#include "cpu/refocus.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/refocus_each_sample.h"
#include "cpu/kernels/refocus_samples.h"

// What the samples of a row of output pixels are reduced to, for all apertures and channels.
template <class T>
class Reduction {
 public:
  using R = acc_t<T>;

  Reduction(const RefocusShape& s, out_t<T>* out)
      : s_(s),
        out_(out),
        counted_(s.a * s.w),
        ratio_(s.a * s.w),
        sums_(s.reduce == Reduce::none ? 0 : s.a * s.c * s.w),
        squares_(s.reduce == Reduce::moments ? s.a * s.c * s.w : 0) {}

  void set_row(int64_t b, int64_t d, int64_t y) {
    b_ = b, d_ = d, y_ = y;
    std::fill(counted_.begin(), counted_.end(), R(0));
    std::fill(sums_.begin(), sums_.end(), R(0));
    std::fill(squares_.begin(), squares_.end(), R(0));
  }

  // Weights of the next view in aperture a.
  void count(int64_t a, const R* weight) {
    R *counted = counted_.data() + a * s_.w, *ratio = ratio_.data() + a * s_.w;
    if (!s_.divided()) return;
    for (int64_t x = 0; x < s_.w; ++x) {
      counted[x] += weight[x];
      ratio[x] = counted[x] > R(0) ? weight[x] / counted[x] : R(0);
    }
  }

  // Its samples, in stored units.
  void add(int64_t a, int64_t v, int64_t u, int64_t c, const R* weight, const R* sample) {
    if (s_.reduce == Reduce::none) {
      out_t<T>* to =
          out_ + (((((b_ * s_.a + a) * s_.d + d_) * s_.v + v) * s_.u + u) * s_.c + c) * s_.h * s_.w + y_ * s_.w;
      for (int64_t x = 0; x < s_.w; ++x) to[x] = from_acc<out_t<T>>(weight[x] * sample[x] * R(Element<T>::scale));
      return;
    }
    R* sum = sums_.data() + (a * s_.c + c) * s_.w;
    if (s_.reduce == Reduce::mean) {
      for (int64_t x = 0; x < s_.w; ++x) sum[x] += weight[x] * sample[x];
      return;
    }
    // Welford's (1962), weighted: a difference of two sums of squares would lose the variance of bright pixels.
    R* squares = squares_.data() + (a * s_.c + c) * s_.w;
    const R* ratio = ratio_.data() + a * s_.w;
    for (int64_t x = 0; x < s_.w; ++x) {
      const R change = sample[x] - sum[x];
      sum[x] += ratio[x] * change;
      squares[x] += weight[x] * change * (sample[x] - sum[x]);
    }
  }

  void finish() {
    if (s_.reduce == Reduce::none) return;
    const bool moments = s_.reduce == Reduce::moments;
    const R scale = R(Element<T>::scale);
    for (int64_t a = 0; a < s_.a; ++a)
      for (int64_t c = 0; c < s_.c; ++c) {
        const int64_t plane = ((((moments ? 2 * b_ : b_) * s_.a + a) * s_.d + d_) * s_.c + c);
        const R *sum = sums_.data() + (a * s_.c + c) * s_.w, *counted = counted_.data() + a * s_.w;
        out_t<T>* to = out_ + (plane * s_.h + y_) * s_.w;
        if (!moments) {
          for (int64_t x = 0; x < s_.w; ++x) to[x] = from_acc<out_t<T>>(divided(sum[x], counted[x]) * scale);
          continue;
        }
        const R* squares = squares_.data() + (a * s_.c + c) * s_.w;
        out_t<T>* variance = to + s_.a * s_.d * s_.c * s_.h * s_.w;
        for (int64_t x = 0; x < s_.w; ++x) {
          to[x] = from_acc<out_t<T>>(sum[x] * scale);
          variance[x] = from_acc<out_t<T>>(divided(squares[x], counted[x]) * (scale * scale));
        }
      }
  }

 private:
  R divided(R sum, R counted) const { return !s_.divided() ? sum : counted > R(0) ? sum / counted : R(0); }

  const RefocusShape& s_;
  out_t<T>* out_;
  int64_t b_ = 0, d_ = 0, y_ = 0;
  std::vector<R> counted_, ratio_, sums_, squares_;
};

template <class T, Interpolation I>
void general_rows(const T* light_field, const acc_t<T>* disparity, const acc_t<T>* aperture, out_t<T>* out,
                  const RefocusShape& s, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  RowSampler<T, I> sampler(s);
  const WeightRows<R> rows(aperture, s);
  Reduction<T> reduction(s, out);
  std::vector<R> weights(s.a * s.w);
  std::vector<uint8_t> open(s.a);
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t y = unit % s.h, d = unit / s.h % s.d, b = unit / s.h / s.d;
    reduction.set_row(b, d, y);
    sampler.set_row(disparity + b * s.sdb, d, y);
    for (int64_t v = 0; v < s.v; ++v) {
      sampler.set_view_row(v);
      for (int64_t u = 0; u < s.u; ++u) {
        sampler.set_view_column(u);
        bool any = s.reduce == Reduce::none;  // which writes zeros too
        for (int64_t a = 0; a < s.a; ++a) {
          R* weight = weights.data() + a * s.w;
          open[a] = rows.read(sampler, b, a, v, u, y, weight);
          if (open[a]) reduction.count(a, weight);
          if (!open[a] && s.reduce == Reduce::none) std::fill(weight, weight + s.w, R(0));
          any = any || open[a];
        }
        if (!any) continue;
        for (int64_t c = 0; c < s.c; ++c) {
          sampler.read(light_field + b * s.sb + v * s.sv + u * s.su + c * s.sc);
          for (int64_t a = 0; a < s.a; ++a)
            if (open[a] || s.reduce == Reduce::none)
              reduction.add(a, v, u, c, weights.data() + a * s.w, sampler.sample.data());
        }
      }
    }
    reduction.finish();
  }
}

template <class T>
void refocus_general(const T* light_field, const acc_t<T>* disparity, const acc_t<T>* aperture, out_t<T>* out,
                     const RefocusShape& s, int64_t begin, int64_t end) {
  for_interpolation(s.interpolation, [&](auto i) {
    general_rows<T, decltype(i)::value>(light_field, disparity, aperture, out, s, begin, end);
  });
}

#define INSTANTIATE(T)                                                                                               \
  template void refocus_general(const T*, const acc_t<T>*, const acc_t<T>*, out_t<T>*, const RefocusShape&, int64_t, \
                                int64_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)
INSTANTIATE(uint8_t)
INSTANTIATE(uint16_t)

#include "cpu/kernels/end.h"
#endif
