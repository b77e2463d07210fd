// Run-time dtype to the kernels' element type.
#pragma once
#include "common/checks.h"
#include "lfdeblur/dtypes.h"

namespace lfdeblur {

template <class T>
struct TypeTag {
  using type = T;
};

template <class F>
void dispatch_float(ScalarType type, const char* name, const F& f) {
  switch (type) {
    case ScalarType::Double:
      return f(TypeTag<double>{});
    case ScalarType::Float:
      return f(TypeTag<float>{});
    case ScalarType::Half:
      return f(TypeTag<f16>{});
    case ScalarType::BFloat16:
      return f(TypeTag<bf16>{});
    default:
      STD_TORCH_CHECK(false, name, ": want float64, float32, float16 or bfloat16");
  }
}

template <class F>
void dispatch_view(ScalarType type, const char* name, const F& f) {
  switch (type) {
    case ScalarType::Byte:
      return f(TypeTag<uint8_t>{});
    case ScalarType::UInt16:
      return f(TypeTag<uint16_t>{});
    default:
      return dispatch_float(type, name, f);
  }
}

template <class T>
const T* const_data(const Tensor& t) {
  return static_cast<const T*>(t.const_data_ptr());
}
template <class T>
T* mutable_data(const Tensor& t) {
  return static_cast<T*>(t.mutable_data_ptr());
}

template <class R>
constexpr ScalarType scalar_type_of() {
  return sizeof(R) == sizeof(double) ? ScalarType::Double : ScalarType::Float;
}

}  // namespace lfdeblur
