// The CPU `dynamic_filter` in float32 and float64.
#include "cpu/dynamic_filter.h"

#include <cmath>
#include <vector>

#include "cpu/buffer.h"

#include "cpu/kernels/begin.h"
#include "cpu/kernels/dynamic_filter_loops.h"

LFD_INSTANTIATE_DYNAMIC_FILTER(double)
LFD_INSTANTIATE_DYNAMIC_FILTER(float)

#include "cpu/kernels/end.h"
