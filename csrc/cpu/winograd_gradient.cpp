#include "cpu/winograd_gradient.h"

#include <algorithm>

#include "cpu/buffer.h"

#define LFD_KERNELS "cpu/winograd_gradient_kernels.h"
#include "cpu/each_isa.h"

namespace lfdeblur::cpu {

void winograd_weight(const WinogradWeights& call, int64_t begin, int64_t end) {
  LFD_RUN_BEST(winograd_weight(call, begin, end));
}

void winograd_weight_gradient(const WinogradGradientCall& call, int64_t begin, int64_t end) {
  LFD_RUN_BEST(winograd_weight_gradient(call, begin, end));
}

}  // namespace lfdeblur::cpu
