// The instruction set that the CPU kernels use, chosen once at run time.
#pragma once
#include <string>

namespace lfdeblur::cpu {

// The Python module asks the library; all else in it is hidden.
#define LFD_EXPORT __attribute__((visibility("default")))

enum class Isa { baseline, avx2, avx512 };

// The best this processor has; the environment variable LFDEBLUR_CPU_ISA lowers it (tests, bug reports).
LFD_EXPORT Isa isa();
LFD_EXPORT const char* isa_name(Isa isa);

// What is wrong with LFDEBLUR_CPU_ISA; empty if nothing is.
LFD_EXPORT std::string isa_error();

}  // namespace lfdeblur::cpu
