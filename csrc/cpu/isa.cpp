#include "cpu/isa.h"

#include <cstdlib>
#include <cstring>

namespace lfdeblur::cpu {

static Isa detect() {
  const char* wanted = std::getenv("LFDEBLUR_CPU_ISA");
  if (wanted && std::strcmp(wanted, "baseline") == 0) return Isa::baseline;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")) {
    return Isa::avx2;
  }
#endif
  return Isa::baseline;
}

Isa isa() {
  static const Isa chosen = detect();
  return chosen;
}

const char* isa_name(Isa isa) { return isa == Isa::avx2 ? "avx2" : "baseline"; }

}  // namespace lfdeblur::cpu
