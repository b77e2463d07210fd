// The extension module lfdeblur_ops._C: importing it loads the library, which registers the ops; it tells the facts of
// the build.
// The pybind11 that torch 2.11 and 2.12 bundle refuses the stable ABI's target; this file includes no header of torch.
#undef TORCH_TARGET_VERSION
#include <pybind11/pybind11.h>

#include "common/stream_symbol.h"
#include "cpu/isa.h"

namespace py = pybind11;

#if defined(LFD_CUDA)
constexpr bool kCuda = true;
#else
constexpr bool kCuda = false;
#define LFD_CUDA_VERSION nullptr
#define LFD_CUDA_ARCHS nullptr
#endif

static py::object text_or_none(const char* text) { return text ? py::object(py::str(text)) : py::object(py::none()); }

PYBIND11_MODULE(_C, m) {
  m.def("isa_error", &lfdeblur::cpu::isa_error);
  m.def("build_facts", [] {
    py::dict facts;
    facts["cuda"] = kCuda;
    facts["cuda_stream"] = aoti_torch_get_current_cuda_stream != nullptr;
    facts["cuda_version"] = text_or_none(LFD_CUDA_VERSION);
    facts["cuda_architectures"] = text_or_none(LFD_CUDA_ARCHS);
    facts["cpu_capability"] = lfdeblur::cpu::isa_name(lfdeblur::cpu::isa());
    facts["torch_version"] = LFD_TORCH_VERSION;
    return facts;
  });
}
