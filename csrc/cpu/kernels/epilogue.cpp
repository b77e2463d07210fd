#include "cpu/epilogue.h"

#include "cpu/kernels/begin.h"

template <class T>
void epilogue(T* __restrict out, const T* __restrict added, double slope, int64_t begin, int64_t end) {
  const auto factor = static_cast<acc_t<T>>(slope);
  if (slope != 1)
    for (int64_t i = begin; i < end; ++i) {
      const acc_t<T> value = to_acc(out[i]), scaled = value * factor;
      out[i] = from_acc<T>(value > 0 ? value : scaled);
    }
  if (!added) return;
  for (int64_t i = begin; i < end; ++i) out[i] = from_acc<T>(to_acc(out[i]) + to_acc(added[i]));
}

template void epilogue(double*, const double*, double, int64_t, int64_t);
template void epilogue(float*, const float*, double, int64_t, int64_t);
template void epilogue(f16*, const f16*, double, int64_t, int64_t);
template void epilogue(bf16*, const bf16*, double, int64_t, int64_t);

#include "cpu/kernels/end.h"
