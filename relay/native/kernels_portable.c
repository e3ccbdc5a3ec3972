/* The kernels for any processor. */
#include "base64_scalar.h"
#include "simd_portable.h"

#include "kernels_template.h"

const kernels kernels_portable = KERNELS(base64_decode_scalar, base64_encode_scalar);
