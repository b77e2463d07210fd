// oneDNN's fused convolutions, from the C interface of torch's compiled programs: PyTorch has no public name for a
// convolution with its activation or addition fused. Weak symbols: a torch that was built without oneDNN lacks them.
#pragma once
#include <torch/csrc/inductor/aoti_torch/c/shim.h>

extern "C" {

__attribute__((weak)) AOTITorchError aoti_torch_cpu_mkldnn__convolution_pointwise(
    AtenTensorHandle x, AtenTensorHandle weight, AtenTensorHandle* bias, const int64_t* padding, int64_t padding_len,
    const int64_t* stride, int64_t stride_len, const int64_t* dilation, int64_t dilation_len, int64_t groups,
    const char* activation, const double** scalars, int64_t scalars_len, const char** algorithm, AtenTensorHandle* out);

__attribute__((weak)) AOTITorchError aoti_torch_cpu_mkldnn__convolution_pointwise_binary(
    AtenTensorHandle x, AtenTensorHandle other, AtenTensorHandle weight, AtenTensorHandle* bias, const int64_t* padding,
    int64_t padding_len, const int64_t* stride, int64_t stride_len, const int64_t* dilation, int64_t dilation_len,
    int64_t groups, const char* operation, double* alpha, const char** activation, const double** scalars,
    int64_t scalars_len, const char** algorithm, AtenTensorHandle* out);

__attribute__((weak)) AOTITorchError aoti_torch_cpu_mkldnn__convolution_transpose_pointwise(
    AtenTensorHandle x, AtenTensorHandle weight, AtenTensorHandle* bias, const int64_t* padding, int64_t padding_len,
    const int64_t* output_padding, int64_t output_padding_len, const int64_t* stride, int64_t stride_len,
    const int64_t* dilation, int64_t dilation_len, int64_t groups, const char* activation, const double** scalars,
    int64_t scalars_len, const char** algorithm, AtenTensorHandle* out);
}
