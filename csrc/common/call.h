// Calls of operators through torch's dispatcher: profilers see them.
#pragma once
#include <torch/csrc/stable/library.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "common/checks.h"

namespace lfdeblur {

// What the operator returns: a value of type R, or a tuple of several.
template <class R>
struct Returned {
  static R take(StableIValue* stack) { return torch::stable::detail::to<R>(stack[0]); }
};
template <class... Rs>
struct Returned<std::tuple<Rs...>> {
  static std::tuple<Rs...> take(StableIValue* stack) { return torch::stable::detail::unbox_to_tuple<Rs...>(stack); }
};

template <class R, class... Args>
R call(const char* op, const Args&... args) {
  constexpr size_t most_results = 3;
  std::array<StableIValue, std::max(sizeof...(Args), most_results)> stack{torch::stable::detail::from(args)...};
  const AOTITorchError error = torch_call_dispatcher(op, "", stack.data(), TORCH_ABI_VERSION);
  STD_TORCH_CHECK(error == AOTI_TORCH_SUCCESS, op, ": failed");
  return Returned<R>::take(stack.data());
}

}  // namespace lfdeblur
