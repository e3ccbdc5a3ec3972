/* Four int32 lanes: SSE2, which every x86-64 has. See simd_portable.h for what each function promises. */
#include <emmintrin.h>
#include <stdint.h>
#include <string.h>

#define SIMD_NAME  "sse2"
#define SIMD_LANES 4

typedef __m128i vec;

static inline vec vec_load(const void *at) { return _mm_loadu_si128(at); }

static inline vec vec_splat_pair(const int16_t *pair)
{
    int32_t both;
    memcpy(&both, pair, sizeof both);
    return _mm_set1_epi32(both);
}

static inline vec vec_zero(void) { return _mm_setzero_si128(); }
static inline vec vec_splat(int32_t value) { return _mm_set1_epi32(value); }
static inline vec vec_add(vec a, vec b) { return _mm_add_epi32(a, b); }
static inline vec vec_multiply_add(vec a, vec b) { return _mm_madd_epi16(a, b); }
static inline vec vec_shift_right(vec a, int bits) { return _mm_sra_epi32(a, _mm_cvtsi32_si128(bits)); }

static inline int32_t vec_sum(vec sums)
{
    sums = _mm_add_epi32(sums, _mm_unpackhi_epi64(sums, sums));
    sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 1));
    return _mm_cvtsi128_si32(sums);
}

static inline void put_two_rows(int16_t *out, size_t stride, vec a, vec b)
{
    vec pairs = _mm_packs_epi32(_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b));
    if (stride == 2) {
        _mm_storeu_si128((void *)out, pairs);
        return;
    }
    int32_t pair[SIMD_LANES];
    _mm_storeu_si128((void *)pair, pairs);
    for (int i = 0; i < SIMD_LANES; i++)
        memcpy(out + i * stride, &pair[i], sizeof pair[i]);
}

static inline void put_four_rows(int16_t *out, size_t stride, vec a, vec b, vec c, vec d)
{
    vec ab = _mm_packs_epi32(a, b), cd = _mm_packs_epi32(c, d);
    vec ac = _mm_unpacklo_epi16(ab, cd), bd = _mm_unpackhi_epi16(ab, cd);
    vec groups_01 = _mm_unpacklo_epi16(ac, bd), groups_23 = _mm_unpackhi_epi16(ac, bd);
    _mm_storel_epi64((void *)out, groups_01);
    _mm_storel_epi64((void *)(out + stride), _mm_unpackhi_epi64(groups_01, groups_01));
    _mm_storel_epi64((void *)(out + 2 * stride), groups_23);
    _mm_storel_epi64((void *)(out + 3 * stride), _mm_unpackhi_epi64(groups_23, groups_23));
}
