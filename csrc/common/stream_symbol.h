// Torch's function that gives the current CUDA stream, as a weak symbol: a CPU build of torch lacks it, and the
// extension still loads there. It is found through libtorch.so, which the extension is linked to for its sake.
#pragma once
#include <cstdint>

extern "C" __attribute__((weak)) int32_t aoti_torch_get_current_cuda_stream(int32_t device_index, void** stream);
