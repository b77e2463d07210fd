#include "cpu/epilogue.h"

namespace lfdeblur::cpu {

template <class T>
void epilogue(T* out, const T* added, double slope, int64_t begin, int64_t end) {
  LFD_RUN_BEST(epilogue(out, added, slope, begin, end));
}

template void epilogue(double*, const double*, double, int64_t, int64_t);
template void epilogue(float*, const float*, double, int64_t, int64_t);
template void epilogue(f16*, const f16*, double, int64_t, int64_t);
template void epilogue(bf16*, const bf16*, double, int64_t, int64_t);

}  // namespace lfdeblur::cpu
