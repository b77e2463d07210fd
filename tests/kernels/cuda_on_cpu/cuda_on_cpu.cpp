#include "cuda_on_cpu.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

thread_local dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace cuda_on_cpu {
namespace {

constexpr size_t kGuard = size_t{1} << 20, kStack = size_t{256} << 10, kSharedLimit = 48 << 10, kMaxThreads = 1024;
constexpr size_t kPoisoned = size_t{1} << 28;

struct Buffer {
  unsigned char *pages, *data;
  size_t page_bytes, bytes;
};
std::vector<Buffer> buffers;
std::string error;

struct Fiber {
  jmp_buf here;
  ucontext_t start;
  bool started = false, alive = false;
  bool in_shuffle = false;  // what it waits at: a shuffle of its warp, else a barrier
  int line = 0;             // of that
  uint64_t given[2];        // to the last two shuffles: a lane is at most one ahead of the others
  unsigned shuffles = 0;
  dim3 index;
};
Fiber fibers[kMaxThreads];
unsigned char* stacks = nullptr;
Fiber* current = nullptr;
jmp_buf scheduler;
sigjmp_buf recovery;
void (*kernel)(const void*);
const void* kernel_closure;
unsigned char* shared_base = nullptr;
std::map<const void*, size_t> shared_allowed;  // by the kernels that asked for more
struct Launch {
  const void* kernel;
  size_t threads, shared_bytes;
};
std::vector<Launch> launches;

void fiber_main() {
  for (;;) {
    kernel(kernel_closure);
    current->alive = false;
    if (!_setjmp(current->here)) _longjmp(scheduler, 1);
  }
}

void resume(Fiber& fiber, size_t number) {
  current = &fiber;
  threadIdx = fiber.index;
  if (_setjmp(scheduler)) return;
  if (fiber.started) _longjmp(fiber.here, 1);
  fiber.started = true;
  getcontext(&fiber.start);
  fiber.start.uc_stack.ss_sp = stacks + number * kStack;
  fiber.start.uc_stack.ss_size = kStack;
  fiber.start.uc_link = nullptr;
  makecontext(&fiber.start, fiber_main, 0);
  setcontext(&fiber.start);
}

std::string place() {
  char text[160];
  snprintf(text, sizeof(text), " (block %u, thread %u, %u)", blockIdx.x, threadIdx.x, threadIdx.y);
  return text;
}

void on_fault(int signal, siginfo_t* info, void*) {
  if (signal == SIGILL) {  // the compiler's check of alignment
    error = "misaligned access" + place();
    siglongjmp(recovery, 1);
  }
  const auto* address = static_cast<unsigned char*>(info->si_addr);
  error = "access outside of every buffer";
  for (const Buffer& b : buffers) {
    if (address < b.pages - kGuard || address >= b.pages + b.page_bytes + kGuard) continue;
    const bool outside = address < b.pages || address >= b.pages + b.page_bytes;
    error = !outside ? "write to an input" : b.data == shared_base ? "out of bounds of shared memory" : "out of bounds";
  }
  error += place();
  siglongjmp(recovery, 1);
}

// Runs each warp from shuffle to shuffle until none of its threads waits at one.
bool finish_shuffles(size_t threads) {
  for (size_t first = 0; first < threads; first += 32) {
    const size_t end = std::min(first + 32, threads);
    for (;;) {
      size_t waiting = 0;
      bool same = true;
      for (size_t i = first; i < end; ++i) {
        waiting += fibers[i].alive && fibers[i].in_shuffle;
        same = same && fibers[i].line == fibers[first].line;
      }
      if (!waiting) break;
      if (waiting != end - first || !same) {
        error = "a shuffle that some threads of the warp never reach" + place();
        return false;
      }
      for (size_t i = first; i < end; ++i) resume(fibers[i], i);
    }
  }
  return true;
}

bool run_block(size_t threads, unsigned block) {
  for (size_t i = 0; i < threads; ++i) {
    fibers[i].alive = true;
    fibers[i].in_shuffle = false;
    fibers[i].shuffles = 0;
    fibers[i].index = dim3(i % blockDim.x, i / blockDim.x);
  }
  for (unsigned phase = block;; ++phase) {
    for (size_t i = 0; i < threads; ++i) {
      const size_t number = phase % 2 ? i : threads - 1 - i;
      if (fibers[number].alive) resume(fibers[number], number);
    }
    if (!finish_shuffles(threads)) return false;
    bool any = false, all = true, same = true;
    for (size_t i = 0; i < threads; ++i) {
      any = any || fibers[i].alive;
      all = all && fibers[i].alive;
      same = same && fibers[i].line == fibers[0].line;
    }
    if (!any) return true;
    if (!all || !same) {
      error = all ? "threads wait at different barriers" : "a barrier that some threads never reach";
      error += place();
      return false;
    }
  }
}

}  // namespace

unsigned char* shared_memory() { return shared_base; }

void barrier(int line) {
  current->line = line;
  current->in_shuffle = false;
  if (!_setjmp(current->here)) _longjmp(scheduler, 1);
}

uint64_t shuffle(uint64_t bits, unsigned lane, int line) {
  const unsigned slot = current->shuffles++ % 2;
  current->given[slot] = bits;
  current->line = line;
  current->in_shuffle = true;
  if (!_setjmp(current->here)) _longjmp(scheduler, 1);
  return fibers[(current - fibers) / 32 * 32 + lane % 32].given[slot];
}

void allow_shared(const void* kernel, size_t bytes) { shared_allowed[kernel] = bytes; }

// Takes the first of the launches not yet taken; false: there is none.
extern "C" int take_launch(const void** kernel, int64_t* threads, int64_t* shared_bytes) {
  if (launches.empty()) return false;
  *kernel = launches.front().kernel;
  *threads = static_cast<int64_t>(launches.front().threads);
  *shared_bytes = static_cast<int64_t>(launches.front().shared_bytes);
  launches.erase(launches.begin());
  return true;
}

extern "C" const char* last_error() { return error.c_str(); }

// `bytes` of poisoned memory between guard pages, flush with the second if at_end, else with the first. More than
// kPoisoned of them are zero instead: pages that nobody touches take no memory.
extern "C" void* guarded_alloc(size_t bytes, int at_end) {
  const size_t page = sysconf(_SC_PAGESIZE), page_bytes = (bytes + page - 1) / page * page;
  void* all = mmap(nullptr, page_bytes + 2 * kGuard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (all == MAP_FAILED) return nullptr;
  Buffer b{static_cast<unsigned char*>(all) + kGuard, nullptr, page_bytes, bytes};
  mprotect(b.pages, page_bytes, PROT_READ | PROT_WRITE);
  if (page_bytes <= kPoisoned) memset(b.pages, 0xff, page_bytes);
  b.data = at_end ? b.pages + page_bytes - bytes : b.pages;
  buffers.push_back(b);
  return b.data;
}
extern "C" void guarded_read_only(void* data) {
  for (const Buffer& b : buffers)
    if (b.data == data) mprotect(b.pages, b.page_bytes, PROT_READ);
}
extern "C" void guarded_free(void* data) {
  for (size_t i = 0; i < buffers.size(); ++i) {
    if (buffers[i].data != data) continue;
    munmap(buffers[i].pages - kGuard, buffers[i].page_bytes + 2 * kGuard);
    buffers.erase(buffers.begin() + i);
    return;
  }
}

cudaError_t run(const void* function, dim3 grid, dim3 block, size_t shared_bytes, void (*body)(const void*),
                const void* closure) {
  error.clear();
  const auto asked = shared_allowed.find(function);
  const size_t allowed = asked == shared_allowed.end() ? kSharedLimit : std::max(kSharedLimit, asked->second);
  const size_t threads = size_t{block.x} * block.y;
  if (!grid.x || grid.y != 1 || grid.z != 1 || !threads || threads > kMaxThreads || block.z != 1 ||
      shared_bytes > allowed) {
    error = "bad launch";
    return cudaErrorInvalidConfiguration;
  }
  launches.push_back({function, threads, shared_bytes});
  if (!stacks) {
    stacks = static_cast<unsigned char*>(mmap(nullptr, kMaxThreads * kStack, PROT_READ | PROT_WRITE,
                                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  }
  shared_bytes = (shared_bytes + 15) / 16 * 16;
  shared_base = static_cast<unsigned char*>(guarded_alloc(shared_bytes, 1));
  kernel = body;
  kernel_closure = closure;
  gridDim = grid;
  blockDim = block;

  static unsigned char signal_stack[1 << 16];
  stack_t own_stack{}, old_stack{};
  own_stack.ss_sp = signal_stack;
  own_stack.ss_size = sizeof(signal_stack);
  sigaltstack(&own_stack, &old_stack);
  struct sigaction action{}, old_segv{}, old_bus{}, old_ill{};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, &old_segv);
  sigaction(SIGBUS, &action, &old_bus);
  sigaction(SIGILL, &action, &old_ill);

  bool ok = false;
  if (!sigsetjmp(recovery, 1)) {
    ok = true;
    for (unsigned i = 0; ok && i < grid.x; ++i) {
      blockIdx = dim3(i % 2 ? grid.x - 1 - i / 2 : i / 2, 0, 0);
      memset(shared_base, 0xff, shared_bytes);
      ok = run_block(threads, i);
    }
  }
  if (!ok)
    for (Fiber& fiber : fibers) fiber.started = false;
  sigaction(SIGSEGV, &old_segv, nullptr);
  sigaction(SIGBUS, &old_bus, nullptr);
  sigaction(SIGILL, &old_ill, nullptr);
  sigaltstack(&old_stack, nullptr);
  guarded_free(shared_base);
  return error.empty() ? cudaSuccess : cudaErrorLaunchFailure;
}

}  // namespace cuda_on_cpu
