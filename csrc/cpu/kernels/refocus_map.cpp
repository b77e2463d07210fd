// The loops of the CPU `refocus` in which every output pixel has its own disparity.
#if !defined(LFD_AVX512)  // these run on AVX2 at most
#include <algorithm>
#include <type_traits>
#include <vector>

#include "cpu/refocus.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/refocus_samples.h"

template <class T, Interpolation I>
void map_rows(const T* light_field, const acc_t<T>* disparity, const acc_t<T>* aperture, out_t<T>* out,
              const RefocusShape& s, int64_t begin, int64_t end) {
  using R = acc_t<T>;
  RowSampler<T, I> sampler(s);
  std::vector<R> sums(s.a * s.c * s.w), counted(s.a * s.w);
  for (int64_t unit = begin; unit < end; ++unit) {
    const int64_t y = unit % s.h, d = unit / s.h % s.d, b = unit / s.h / s.d;
    std::fill(sums.begin(), sums.end(), R(0));
    std::fill(counted.begin(), counted.end(), R(0));
    sampler.set_row(disparity + b * s.sdb, d, y);
    for (int64_t v = 0; v < s.v; ++v) {
      sampler.set_view_row(v);
      for (int64_t u = 0; u < s.u; ++u) {
        bool open = false;
        for (int64_t a = 0; a < s.a; ++a) open = open || aperture[(a * s.v + v) * s.u + u] != R(0);
        if (!open) continue;
        sampler.set_view_column(u);
        for (int64_t c = 0; c < s.c; ++c) {
          sampler.read(light_field + b * s.sb + v * s.sv + u * s.su + c * s.sc);
          for (int64_t a = 0; a < s.a; ++a) {
            const R weight = aperture[(a * s.v + v) * s.u + u];
            R* sum = sums.data() + (a * s.c + c) * s.w;
            for (int64_t x = 0; x < s.w; ++x) sum[x] += weight * sampler.counts(x) * sampler.sample[x];
            if (c == 0)
              for (int64_t x = 0; x < s.w; ++x) counted[a * s.w + x] += weight * sampler.counts(x);
          }
        }
      }
    }
    for (int64_t a = 0; a < s.a; ++a)
      for (int64_t c = 0; c < s.c; ++c) {
        out_t<T>* to = out + ((((b * s.a + a) * s.d + d) * s.c + c) * s.h + y) * s.w;
        for (int64_t x = 0; x < s.w; ++x) {
          const R total = sums[(a * s.c + c) * s.w + x] * R(Element<T>::scale), n = counted[a * s.w + x];
          to[x] = from_acc<out_t<T>>(!s.valid ? total : n > R(0) ? total / n : R(0));
        }
      }
  }
}

template <class T>
void refocus_map(const T* light_field, const acc_t<T>* disparity, const acc_t<T>* aperture, out_t<T>* out,
                 const RefocusShape& s, int64_t begin, int64_t end) {
  for_interpolation(s.interpolation, [&](auto i) {
    map_rows<T, decltype(i)::value>(light_field, disparity, aperture, out, s, begin, end);
  });
}

#define INSTANTIATE(T)                                                                                           \
  template void refocus_map(const T*, const acc_t<T>*, const acc_t<T>*, out_t<T>*, const RefocusShape&, int64_t, \
                            int64_t);
INSTANTIATE(double)
INSTANTIATE(float)
INSTANTIATE(f16)
INSTANTIATE(bf16)
INSTANTIATE(uint8_t)
INSTANTIATE(uint16_t)

#include "cpu/kernels/end.h"
#endif
