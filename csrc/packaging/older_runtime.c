// What GCC 12's headers call that the C and C++ libraries of manylinux_2_28 (glibc 2.28, GCC 8) lack, so that a wheel
// compiled by it runs there; linked into its two libraries, hidden. In C, by the mangled names: C++ would not let these
// be defined. wheels.py sees to it that none is missing here.
#define HIDDEN __attribute__((visibility("hidden")))

HIDDEN char __libc_single_threaded = 0;  // glibc 2.32: true spares std::shared_ptr its atomics

// A stub has no libc_nonshared.a, which has this. NVIDIA's runtime calls it.
extern void* __dso_handle HIDDEN;
int __cxa_atexit(void (*)(void*), void*, void*);
HIDDEN int atexit(void (*call)(void)) { return __cxa_atexit((void (*)(void*))call, 0, &__dso_handle); }

// std::__throw_bad_array_new_length(), of GCC 11
__attribute__((noreturn)) void throw_bad_alloc(void) __asm__("_ZSt17__throw_bad_allocv");
HIDDEN __attribute__((noreturn)) void throw_bad_array_new_length(void) __asm__("_ZSt28__throw_bad_array_new_lengthv");
void throw_bad_array_new_length(void) { throw_bad_alloc(); }

// The constructors of std::ostringstream and std::stringstream without a mode, of GCC 9, by those with one: out, in and
// out. torch exports them, from its compiler; that it goes on doing so nobody promises.
void ostringstream_of(void* stream, int mode) __asm__(
    "_ZNSt7__cxx1119basic_ostringstreamIcSt11char_traitsIcESaIcEEC1ESt13_Ios_Openmode");
void stringstream_of(void* stream, int mode) __asm__(
    "_ZNSt7__cxx1118basic_stringstreamIcSt11char_traitsIcESaIcEEC1ESt13_Ios_Openmode");
HIDDEN void ostringstream(void* stream) __asm__("_ZNSt7__cxx1119basic_ostringstreamIcSt11char_traitsIcESaIcEEC1Ev");
HIDDEN void stringstream(void* stream) __asm__("_ZNSt7__cxx1118basic_stringstreamIcSt11char_traitsIcESaIcEEC1Ev");
void ostringstream(void* stream) { ostringstream_of(stream, 16); }
void stringstream(void* stream) { stringstream_of(stream, 16 | 8); }

// std::exception_ptr's two private methods, visible from GCC 11 on, by its copy and its end, which always were.
void copy_exception(void** to, void* const* from) __asm__("_ZNSt15__exception_ptr13exception_ptrC1ERKS0_");
void end_exception(void** of) __asm__("_ZNSt15__exception_ptr13exception_ptrD1Ev");
HIDDEN void add_reference(void** of) __asm__("_ZNSt15__exception_ptr13exception_ptr9_M_addrefEv");
HIDDEN void release_exception(void** of) __asm__("_ZNSt15__exception_ptr13exception_ptr10_M_releaseEv");
void add_reference(void** of) {
  void* copy;
  copy_exception(&copy, of);
}
void release_exception(void** of) {
  end_exception(of);
  *of = 0;
}
