#include "cpu/isa.h"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace lfdeblur::cpu {
namespace {

constexpr const char* kNames[] = {"baseline", "avx2", "avx512"};

std::string wanted() {
  const char* value = std::getenv("LFDEBLUR_CPU_ISA");
  return value ? value : "";
}

Isa best() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx2) return avx512 ? Isa::avx512 : Isa::avx2;
#endif
  return Isa::baseline;
}

Isa choose() {
  const auto* named = std::find(std::begin(kNames), std::end(kNames), wanted());
  return named == std::end(kNames) ? best() : std::min(best(), static_cast<Isa>(named - kNames));
}

}  // namespace

Isa isa() {
  static const Isa chosen = choose();
  return chosen;
}

const char* isa_name(Isa isa) { return kNames[static_cast<int>(isa)]; }

std::string isa_error() {
  const std::string value = wanted();
  if (value.empty() || std::find(std::begin(kNames), std::end(kNames), value) != std::end(kNames)) return "";
  return "LFDEBLUR_CPU_ISA: got '" + value + "', want 'baseline', 'avx2' or 'avx512'";
}

}  // namespace lfdeblur::cpu
