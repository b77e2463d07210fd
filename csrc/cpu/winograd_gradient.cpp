#include "cpu/winograd_gradient.h"

namespace lfdeblur::cpu {

void winograd_weight(const WinogradWeights& call, int64_t begin, int64_t end) {
  LFD_RUN_BEST(winograd_weight(call, begin, end));
}

void winograd_weight_gradient(const WinogradGradientCall& call, int64_t begin, int64_t end) {
  LFD_RUN_BEST(winograd_weight_gradient(call, begin, end));
}

}  // namespace lfdeblur::cpu
