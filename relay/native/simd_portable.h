/*
 * Four int32 lanes in the vector extension of GCC and Clang: any processor.
 *
 * The promise of each simd_*.h: the same functions, the same integers. A vec is SIMD_LANES int32, or as many pairs of
 * int16; one lane of the kernel's accumulators is one group.
 */
#include <stdint.h>
#include <string.h>

#define SIMD_NAME  "portable"
#define SIMD_LANES 4

typedef int32_t vec __attribute__((vector_size(4 * SIMD_LANES)));

static inline vec vec_load(const void *at)
{
    vec a;
    memcpy(&a, at, sizeof a);
    return a;
}

static inline vec vec_splat(int32_t value) { return (vec){value, value, value, value}; }
static inline vec vec_zero(void) { return vec_splat(0); }

/* The pair (older, newer) in every lane. */
static inline vec vec_splat_pair(const int16_t *pair)
{
    int32_t both;
    memcpy(&both, pair, sizeof both);
    return vec_splat(both);
}

static inline vec vec_add(vec a, vec b) { return a + b; }

/* In each lane: the product of the low int16 plus the product of the high int16. */
static inline vec vec_multiply_add(vec a, vec b)
{
    vec a_low = (vec)((vec)(a << 16) >> 16), b_low = (vec)((vec)(b << 16) >> 16);
    return a_low * b_low + (a >> 16) * (b >> 16);
}

/* Arithmetic: rounds towards minus infinity. */
static inline vec vec_shift_right(vec a, int bits) { return a >> bits; }

/* The sum of the lanes. */
static inline int32_t vec_sum(vec a)
{
    int32_t sum = 0;
    for (int i = 0; i < SIMD_LANES; i++)
        sum += a[i];
    return sum;
}

static inline int16_t saturate(int32_t a) { return (int16_t)(a > 32767 ? 32767 : a < -32768 ? -32768 : a); }

/* Two rows of SIMD_LANES groups, each group's two samples at out + group * stride. */
static inline void put_two_rows(int16_t *out, size_t stride, vec a, vec b)
{
    for (int i = 0; i < SIMD_LANES; i++) {
        out[i * stride] = saturate(a[i]);
        out[i * stride + 1] = saturate(b[i]);
    }
}

/* Four rows. With a stride of 3 the fourth is overwritten by the next group, and spills one sample after the last. */
static inline void put_four_rows(int16_t *out, size_t stride, vec a, vec b, vec c, vec d)
{
    for (int i = 0; i < SIMD_LANES; i++) {
        out[i * stride] = saturate(a[i]);
        out[i * stride + 1] = saturate(b[i]);
        out[i * stride + 2] = saturate(c[i]);
        out[i * stride + 3] = saturate(d[i]);
    }
}
