/*
 * RFC 4648 base64, 32 characters at a time, in the manner of W. Mula and D. Lemire, "Faster Base64 Encoding and
 * Decoding using AVX2 Instructions" (ACM TWEB 12, 2018).
 */
#include <immintrin.h>

#include "base64_scalar.h"

#define TWICE(...) _mm256_setr_epi8(__VA_ARGS__, __VA_ARGS__)

/*
 * Decode 32 characters to 24 bytes (32 are written). What is added to a character to get its value depends on its high
 * nibble alone, but for '/', which shares its nibble with '+'. A character is bad when the bit sets of its two nibbles
 * meet.
 */
static inline __m256i base64_decode_32(const uint8_t *text, uint8_t *out)
{
    const __m256i nibble = _mm256_set1_epi8(0x0F);
    const __m256i bad_low =
        TWICE(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1A, 0x1B, 0x1B, 0x1B, 0x1A);
    const __m256i bad_high =
        TWICE(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10);
    const __m256i shift = TWICE(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
    __m256i characters = _mm256_loadu_si256((const void *)text);
    __m256i high = _mm256_and_si256(_mm256_srli_epi32(characters, 4), nibble);
    __m256i low = _mm256_and_si256(characters, nibble);
    __m256i bad = _mm256_and_si256(_mm256_shuffle_epi8(bad_low, low), _mm256_shuffle_epi8(bad_high, high));
    __m256i slash = _mm256_cmpeq_epi8(characters, _mm256_set1_epi8('/'));
    __m256i values = _mm256_add_epi8(characters, _mm256_shuffle_epi8(shift, _mm256_add_epi8(slash, high)));

    /* 4 x 6 bits -> 24 bits in each int32, then the three bytes of each together. */
    __m256i twelve = _mm256_maddubs_epi16(values, _mm256_set1_epi32(0x01400140));
    __m256i twenty_four = _mm256_madd_epi16(twelve, _mm256_set1_epi32(0x00011000));
    __m256i bytes = _mm256_shuffle_epi8(twenty_four, TWICE(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1));
    bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7));
    _mm256_storeu_si256((void *)out, bytes);
    return bad;
}

static bool base64_decode_avx2(const uint8_t *text, size_t length, uint8_t *out)
{
    __m256i bad = _mm256_setzero_si256();
    for (; length > 32; length -= 32, text += 32, out += 24)
        bad = _mm256_or_si256(bad, base64_decode_32(text, out));
    return _mm256_testz_si256(bad, bad) & base64_decode_scalar(text, length, out);
}

/* Encode 24 bytes to 32 characters; 28 bytes are read. */
static inline void base64_encode_24(const uint8_t *data, uint8_t *text)
{
    __m256i bytes = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *)data)),
                                            _mm_loadu_si128((const void *)(data + 12)), 1);
    bytes = _mm256_shuffle_epi8(bytes, TWICE(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10));
    /* Each int32 holds bytes 1 0 2 1 of a triple: two products move each six bits to the low end of a byte. */
    __m256i outer =
        _mm256_mulhi_epu16(_mm256_and_si256(bytes, _mm256_set1_epi32(0x0FC0FC00)), _mm256_set1_epi32(0x04000040));
    __m256i inner =
        _mm256_mullo_epi16(_mm256_and_si256(bytes, _mm256_set1_epi32(0x003F03F0)), _mm256_set1_epi32(0x01000010));
    __m256i values = _mm256_or_si256(outer, inner);
    /* What is added to a value: index 0 for a..z, 1 to 10 for digits, 11 for '+', 12 for '/', 13 for A..Z. */
    const __m256i shift = TWICE(71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0);
    __m256i index = _mm256_subs_epu8(values, _mm256_set1_epi8(51));
    __m256i upper = _mm256_cmpgt_epi8(_mm256_set1_epi8(26), values);
    index = _mm256_or_si256(index, _mm256_and_si256(upper, _mm256_set1_epi8(13)));
    _mm256_storeu_si256((void *)text, _mm256_add_epi8(values, _mm256_shuffle_epi8(shift, index)));
}

static void base64_encode_avx2(const uint8_t *data, size_t size, uint8_t *text)
{
    for (; size >= 24; size -= 24, data += 24, text += 32)
        base64_encode_24(data, text);
    base64_encode_scalar(data, size, text);
}
