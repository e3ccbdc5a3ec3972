/* The kernels for every x86-64. */
#if defined(__x86_64__)

#include "base64_scalar.h"
#include "simd_sse2.h"

#include "kernels_template.h"

const kernels kernels_sse2 = KERNELS(base64_decode_scalar, base64_encode_scalar);

#else
typedef int relay_no_sse2; /* ISO C wants something in every file */
#endif
