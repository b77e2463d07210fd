#include "cpu/winograd.h"

#include <algorithm>

namespace lfdeblur::cpu {

WinogradRuns winograd_runs(int64_t n, int64_t height, int64_t width, int64_t channels) {
  // The transformed inputs of a run stay in the second-level cache, and there are enough tiles for each reading of the
  // weights to pay.
  const int64_t most = std::max<int64_t>(24, 2304 / channels / 6 * 6), tiles = (width + 3) / 4;
  const int64_t count = (tiles + most - 1) / most;
  return {n * ((height + 3) / 4), count, (tiles + count - 1) / count};
}

template <class T>
void winograd_conv3x3(const WinogradCall<T>& call, int64_t begin, int64_t end) {
  // The wider vectors take 16 channels of either input at once.
  const bool sixteens = call.inputs[0].channels % 16 == 0 && call.inputs[1].channels % 16 == 0;
  LFD_RUN_ON(sixteens ? isa() : std::min(isa(), Isa::avx2), winograd_conv3x3(call, begin, end));
}

template void winograd_conv3x3(const WinogradCall<float>&, int64_t, int64_t);
template void winograd_conv3x3(const WinogradCall<f16>&, int64_t, int64_t);
template void winograd_conv3x3(const WinogradCall<bf16>&, int64_t, int64_t);

}  // namespace lfdeblur::cpu
