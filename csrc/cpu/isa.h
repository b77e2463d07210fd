// The instruction set that the CPU kernels use, chosen once at run time.
#pragma once

namespace lfdeblur::cpu {

enum class Isa { baseline, avx2 };

// The best this processor has; the environment variable LFDEBLUR_CPU_ISA=baseline lowers it (tests, bug reports).
Isa isa();
const char* isa_name(Isa isa);

}  // namespace lfdeblur::cpu
