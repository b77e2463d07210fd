// What follows a convolution on the CPU, in place, over a range of elements. T: double, float, f16, bf16.
#pragma once
#include "cpu/each_isa.h"
#include "lfdeblur/dtypes.h"

namespace lfdeblur::cpu {

// out = leaky_relu(out) + added; a slope of 1 is no activation, null adds nothing.
LFD_EACH_ISA(template <class T> void epilogue(T* out, const T* added, double slope, int64_t begin, int64_t end);)

}  // namespace lfdeblur::cpu
