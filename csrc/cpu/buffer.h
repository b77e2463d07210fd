// Scratch memory of the CPU kernels.
#pragma once
#include <cstddef>
#include <new>
#include <vector>

namespace lfdeblur::cpu {

// On cache lines: a vector of AVX-512 that lies across two takes twice as long to load.
template <class R>
struct LineAllocator {
  using value_type = R;
  static constexpr std::align_val_t kLine{64};

  LineAllocator() = default;
  template <class S>
  LineAllocator(const LineAllocator<S>&) {}
  R* allocate(std::size_t count) { return static_cast<R*>(::operator new(count * sizeof(R), kLine)); }
  void deallocate(R* p, std::size_t) { ::operator delete(p, kLine); }
  template <class S>
  bool operator==(const LineAllocator<S>&) const {
    return true;
  }
  template <class S>
  bool operator!=(const LineAllocator<S>&) const {
    return false;
  }
};

template <class R>
using Buffer = std::vector<R, LineAllocator<R>>;

}  // namespace lfdeblur::cpu
