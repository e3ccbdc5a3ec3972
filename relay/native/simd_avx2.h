/* Eight int32 lanes: AVX2. See simd_portable.h for what each function promises. */
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define SIMD_NAME  "avx2"
#define SIMD_LANES 8

typedef __m256i vec;

static inline vec vec_load(const void *at) { return _mm256_loadu_si256(at); }

static inline vec vec_splat_pair(const int16_t *pair)
{
    int32_t both;
    memcpy(&both, pair, sizeof both);
    return _mm256_set1_epi32(both);
}

static inline vec vec_zero(void) { return _mm256_setzero_si256(); }
static inline vec vec_splat(int32_t value) { return _mm256_set1_epi32(value); }
static inline vec vec_add(vec a, vec b) { return _mm256_add_epi32(a, b); }
static inline vec vec_multiply_add(vec a, vec b) { return _mm256_madd_epi16(a, b); }
static inline vec vec_shift_right(vec a, int bits) { return _mm256_sra_epi32(a, _mm_cvtsi32_si128(bits)); }

static inline int32_t vec_sum(vec a)
{
    __m128i sums = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    sums = _mm_add_epi32(sums, _mm_unpackhi_epi64(sums, sums));
    sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 1));
    return _mm_cvtsi128_si32(sums);
}

static inline vec interleave_two(vec a, vec b)
{
    return _mm256_packs_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
}

static inline void put_two_rows(int16_t *out, size_t stride, vec a, vec b)
{
    vec pairs = interleave_two(a, b);
    if (stride == 2) {
        _mm256_storeu_si256((void *)out, pairs);
        return;
    }
    int32_t pair[SIMD_LANES];
    _mm256_storeu_si256((void *)pair, pairs);
    for (int i = 0; i < SIMD_LANES; i++)
        memcpy(out + i * stride, &pair[i], sizeof pair[i]);
}

static inline void put_four_rows(int16_t *out, size_t stride, vec a, vec b, vec c, vec d)
{
    vec ab = _mm256_packs_epi32(a, b), cd = _mm256_packs_epi32(c, d);
    vec ac = _mm256_unpacklo_epi16(ab, cd), bd = _mm256_unpackhi_epi16(ab, cd);
    vec groups_01 = _mm256_unpacklo_epi16(ac, bd), groups_23 = _mm256_unpackhi_epi16(ac, bd);
    if (stride == 4) {
        _mm256_storeu_si256((void *)out, _mm256_permute2x128_si256(groups_01, groups_23, 0x20));
        _mm256_storeu_si256((void *)(out + 16), _mm256_permute2x128_si256(groups_01, groups_23, 0x31));
        return;
    }
    for (int half = 0; half < 2; half++) {
        __m128i low = half ? _mm256_extracti128_si256(groups_01, 1) : _mm256_castsi256_si128(groups_01);
        __m128i high = half ? _mm256_extracti128_si256(groups_23, 1) : _mm256_castsi256_si128(groups_23);
        _mm_storel_epi64((void *)out, low);
        _mm_storel_epi64((void *)(out + stride), _mm_unpackhi_epi64(low, low));
        _mm_storel_epi64((void *)(out + 2 * stride), high);
        _mm_storel_epi64((void *)(out + 3 * stride), _mm_unpackhi_epi64(high, high));
        out += 4 * stride;
    }
}
