// The loops of the CPU `refocus` in which each sample is taken by itself: a weight per pixel, no sum, or moments.
#if !defined(LFD_AVX512)  // these run on AVX2 at most
#include <algorithm>
#include <type_traits>
#include <vector>

#include "cpu/buffer.h"
#include "cpu/refocus.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/refocus_each_sample.h"

template <class R>
inline Vec<R> divided(Vec<R> sum, Vec<R> counted) {
  return counted > Vec<R>{} ? sum / counted : Vec<R>{};
}

// What the samples of a strip are reduced to, for all apertures and channels. O: the output's type.
template <class O>
class Reduction {
 public:
  using R = acc_t<O>;

  Reduction(const RefocusShape& s, int64_t width, O* out)
      : s_(s),
        width_(width),
        out_(out),
        counted_(s.a * width),
        ratio_(s.a * width),
        sums_(s.reduce == Reduce::none ? 0 : s.a * s.c * width),
        squares_(s.reduce == Reduce::moments ? s.a * s.c * width : 0) {}

  void start(const Strip& strip) {
    strip_ = strip;
    std::fill(counted_.begin(), counted_.end(), Vec<R>{});
    std::fill(sums_.begin(), sums_.end(), Vec<R>{});
    std::fill(squares_.begin(), squares_.end(), Vec<R>{});
  }

  // Weights of the next view in aperture a.
  void count(int64_t a, const Vec<R>* weight) {
    if (!s_.divided()) return;
    Vec<R>*counted = counted_.data() + a * width_, *ratio = ratio_.data() + a * width_;
    for (int64_t i = 0; i < strip_.blocks; ++i) {
      counted[i] += weight[i];
      if (s_.reduce == Reduce::moments) ratio[i] = divided<R>(weight[i], counted[i]);
    }
  }

  // Its samples.
  void add(int64_t a, int64_t v, int64_t u, int64_t c, const Vec<R>* weight, const Vec<R>* sample) {
    Vec<R>* sum = sums_.data() + (a * s_.c + c) * width_;
    if (s_.reduce == Reduce::none) {
      O* to = out_ + place_in_output(s_, strip_, a, v, u, c);
      for (int64_t i = 0; i < strip_.blocks; ++i) store_block(to, i, strip_.count, weight[i] * sample[i]);
    } else if (s_.reduce == Reduce::mean) {
      for (int64_t i = 0; i < strip_.blocks; ++i) sum[i] += weight[i] * sample[i];
    } else {
      // Welford's (1962), weighted: a difference of two sums of squares would lose the variance of bright pixels.
      Vec<R>* squares = squares_.data() + (a * s_.c + c) * width_;
      const Vec<R>* ratio = ratio_.data() + a * width_;
      for (int64_t i = 0; i < strip_.blocks; ++i) {
        const Vec<R> change = sample[i] - sum[i];
        sum[i] += ratio[i] * change;
        squares[i] += weight[i] * change * (sample[i] - sum[i]);
      }
    }
  }

  void finish() {
    if (s_.reduce == Reduce::none) return;
    const bool moments = s_.reduce == Reduce::moments;
    for (int64_t a = 0; a < s_.a; ++a)
      for (int64_t c = 0; c < s_.c; ++c) {
        const Vec<R>*sum = sums_.data() + (a * s_.c + c) * width_, *counted = counted_.data() + a * width_;
        const Vec<R>* squares = squares_.data() + (a * s_.c + c) * width_;
        O* to = out_ + place_in_output(s_, strip_, a, 0, 0, c);
        for (int64_t i = 0; i < strip_.blocks; ++i) {
          const bool whole = moments || !s_.divided();
          store_block(to, i, strip_.count, whole ? sum[i] : divided<R>(sum[i], counted[i]));
          if (moments) store_block(to + mean_to_variance(s_), i, strip_.count, divided<R>(squares[i], counted[i]));
        }
      }
  }

 private:
  const RefocusShape& s_;
  const int64_t width_;
  O* out_;
  Strip strip_{};
  Buffer<Vec<R>> counted_, ratio_, sums_, squares_;
};

template <class T, int N>
void general_rows(const T* light_field, const acc_t<T>* disparity, const acc_t<T>* aperture, out_t<T>* out,
                  const RefocusShape& s, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  StripSamples<T, N> samples(s);
  const int64_t width = samples.positions.width, views = s.v * s.u;
  Reduction<out_t<T>> reduction(s, width, out);
  Buffer<Vec<R>> weights(s.a * width);
  std::vector<uint8_t> open(s.a);
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t y = unit % s.h, d = unit / s.h % s.d, b = unit / s.h / s.d;
    for_strips(samples.positions, disparity, s, b, d, y, 0, views, [&](const Strip& strip) {
      reduction.start(strip);
      for (int64_t view = 0; view < views; ++view) {
        const int64_t v = view / s.u, u = view % s.u;
        bool any_open = false;
        for (int64_t a = 0; a < s.a; ++a) {
          Vec<R>* weight = weights.data() + a * width;
          open[a] = read_weights(aperture, s, samples.positions, strip, a, v, u, weight) || s.reduce == Reduce::none;
          if (open[a]) reduction.count(a, weight);
          any_open = any_open || open[a];
        }
        if (!any_open) continue;
        samples.read(light_field + b * s.sb, v, u);
        for (int64_t a = 0; a < s.a; ++a)
          for (int64_t c = 0; open[a] && c < s.c; ++c)
            reduction.add(a, v, u, c, weights.data() + a * width, samples.channel(c));
      }
      reduction.finish();
    });
  }
}

template <class T>
void refocus_general(const T* light_field, const acc_t<T>* disparity, const acc_t<T>* aperture, out_t<T>* out,
                     const RefocusShape& s, int64_t begin, int64_t end) {
  for_taps(s.interpolation, [&](auto taps) {
    general_rows<T, decltype(taps)::value>(light_field, disparity, aperture, out, s, begin, end);
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
