// The CPU `dynamic_filter` in 16 bits.
#include <cmath>
#include <vector>

#include "cpu/buffer.h"
#include "cpu/dynamic_filter.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/dynamic_filter_loops.h"

LFD_INSTANTIATE_DYNAMIC_FILTER(f16)
LFD_INSTANTIATE_DYNAMIC_FILTER(bf16)

#include "cpu/kernels/end.h"
