// Weights of a plane's bicubic taps. Compiled for no instruction set, and not inlined: the multiply-adds of the newer
// ones round otherwise, and all sets are to take the same weights.
#pragma once
#include "lfdeblur/refocus.h"

namespace lfdeblur::cpu {

template <class R>
__attribute__((noinline)) void bicubic_weights(R f, R a, R* w) {
  Taps<Interpolation::bicubic>::weights(f, a, w);
}

}  // namespace lfdeblur::cpu
