/* The kernels compiled for AVX2, whatever the rest of the build is compiled for. */
#if defined(__x86_64__)

#include "base64_scalar.h"
#include "kernels.h"
#include <immintrin.h>
#include <string.h>

/* Only what is compiled below this line may use AVX2; the system's headers are already in. */
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif

#include "base64_avx2.h"
#include "simd_avx2.h"

#include "kernels_template.h"

const kernels kernels_avx2 = KERNELS(base64_decode_avx2, base64_encode_avx2);

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

#else
typedef int relay_no_avx2; /* ISO C wants something in every file */
#endif
