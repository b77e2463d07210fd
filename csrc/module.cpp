// The extension module lfdeblur_ops._C: importing it registers the ops; it tells the facts of the build. Python's own C
// interface serves for two functions without arguments: pybind11's headers take longer to compile than an op's glue.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "common/stream_symbol.h"
#include "cpu/isa.h"

#if defined(LFD_CUDA)
constexpr bool kCuda = true;
#else
constexpr bool kCuda = false;
#define LFD_CUDA_VERSION nullptr
#define LFD_CUDA_ARCHS nullptr
#endif

static PyObject* truth(bool value) { return value ? Py_True : Py_False; }

static PyObject* isa_error(PyObject*, PyObject*) { return PyUnicode_FromString(lfdeblur::cpu::isa_error().c_str()); }

static PyObject* build_facts(PyObject*, PyObject*) {
  const char* cuda_version = LFD_CUDA_VERSION;  // null: None
  const char* cuda_architectures = LFD_CUDA_ARCHS;
  return Py_BuildValue("{s:O, s:O, s:z, s:z, s:s, s:s}", "cuda", truth(kCuda), "cuda_stream",
                       truth(aoti_torch_get_current_cuda_stream != nullptr), "cuda_version", cuda_version,
                       "cuda_architectures", cuda_architectures, "cpu_capability",
                       lfdeblur::cpu::isa_name(lfdeblur::cpu::isa()), "torch_version", LFD_TORCH_VERSION);
}

static PyMethodDef kFunctions[] = {
    {"isa_error", isa_error, METH_NOARGS, nullptr},
    {"build_facts", build_facts, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
static PyModuleDef kModule = {PyModuleDef_HEAD_INIT, "_C", nullptr, -1, kFunctions, nullptr, nullptr, nullptr, nullptr};

PyMODINIT_FUNC PyInit__C() { return PyModule_Create(&kModule); }
