// The instruction set that the CPU kernels use, chosen once at run time.
#pragma once
#include <string>

namespace lfdeblur::cpu {

enum class Isa { baseline, avx2, avx512 };

// The best this processor has; the environment variable LFDEBLUR_CPU_ISA lowers it (tests, bug reports).
Isa isa();
const char* isa_name(Isa isa);

// What is wrong with LFDEBLUR_CPU_ISA; empty if nothing is.
std::string isa_error();

}  // namespace lfdeblur::cpu
