// Closes what begin.h opened.
}  // namespace lfdeblur::cpu::LFD_ISA

#if (defined(LFD_AVX2) || defined(LFD_AVX512)) && defined(__clang__)
#pragma clang attribute pop
#elif defined(LFD_AVX2) || defined(LFD_AVX512)
#pragma GCC pop_options
#endif
