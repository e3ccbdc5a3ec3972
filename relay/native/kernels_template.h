/*
 * The kernels in terms of simd_*.h and base64_*.h, which the including file has chosen. Included once per instruction
 * set; everything here is static but the table of functions.
 */
#include "kernels.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "relay's kernels read pairs of samples as int32 and need a little-endian processor"
#endif

#define INLINE static inline __attribute__((always_inline))

/* A tile: a few vectors of groups for every row of a chunk; eight sums fill half of AVX2's registers. */
enum { TILE_SUMS = 8 };

INLINE void accumulate(vec *sums, const fir_chunk *chunk, const int32_t *pairs, int from, int to, int rows, int vectors)
{
    for (int slot = from; slot < to; slot++) {
        const int32_t *at = pairs + chunk->at[slot];
        const int16_t *coefficients = chunk->pairs + 2 * rows * slot;
        for (int row = 0; row < rows; row++) {
            vec coefficient = vec_splat_pair(coefficients + 2 * row);
            for (int v = 0; v < vectors; v++) {
                vec product = vec_multiply_add(vec_load(at + v * SIMD_LANES), coefficient);
                sums[row * vectors + v] = vec_add(sums[row * vectors + v], product);
            }
        }
    }
}

/* The outer slots at the fine scale, brought to the coarse one; then the inner slots; then one rounding. */
INLINE void filter_chunk(const fir_table *table, const fir_chunk *chunk, const int32_t *pairs, int16_t *out, int rows,
                         int vectors)
{
    vec sums[TILE_SUMS];
    for (int i = 0; i < rows * vectors; i++)
        sums[i] = vec_zero();
    accumulate(sums, chunk, pairs, 0, chunk->inner_begin, rows, vectors);
    accumulate(sums, chunk, pairs, chunk->inner_end, chunk->slots, rows, vectors);
    vec half = vec_splat(1 << (table->shift - 1));
    for (int i = 0; i < rows * vectors; i++)
        sums[i] = vec_add(vec_shift_right(sums[i], table->fine_shift), half);
    accumulate(sums, chunk, pairs, chunk->inner_begin, chunk->inner_end, rows, vectors);
    for (int i = 0; i < rows * vectors; i++)
        sums[i] = vec_shift_right(sums[i], table->shift);

    size_t stride = table->group_out;
    for (int v = 0; v < vectors; v++, out += SIMD_LANES * stride) {
        const vec *row = sums + v;
        if (rows == 2)
            put_two_rows(out, stride, row[0], row[vectors]);
        else
            put_four_rows(out, stride, row[0], row[vectors], row[2 * vectors], row[rows == 4 ? 3 * vectors : 0]);
    }
}

/* Every chunk over a tile. Rows and vectors are constants in each call, so that each becomes its own loop. */
INLINE void filter_tile(const fir_table *table, const int32_t *pairs, int16_t *out)
{
    for (int c = 0; c < table->chunks; c++) {
        const fir_chunk *chunk = &table->chunk[c];
        if (chunk->rows == 4)
            filter_chunk(table, chunk, pairs, out + c * FIR_ROWS, 4, 2);
        else if (chunk->rows == 3)
            filter_chunk(table, chunk, pairs, out + c * FIR_ROWS, 3, 2);
        else
            filter_chunk(table, chunk, pairs, out + c * FIR_ROWS, 2, 2);
    }
}

static void filter_all(const fir_table *table, const int32_t *pairs, size_t groups, int16_t *out)
{
    size_t stride = table->group_out, tile = 2 * SIMD_LANES;
    if (stride == 2) { /* two rows are few: they take twice the vectors while there are enough groups */
        for (; groups >= 2 * tile; groups -= 2 * tile, pairs += 2 * tile, out += 2 * tile * stride)
            filter_chunk(table, &table->chunk[0], pairs, out, 2, 4);
    }
    /* Three rows are written as four: the last tile would spill a sample past the end (put_four_rows). */
    for (; groups >= tile + (stride == 3); groups -= tile, pairs += tile, out += tile * stride)
        filter_tile(table, pairs, out);
    if (groups) {
        int16_t last[2 * SIMD_LANES * FIR_ROWS * FIR_CHUNKS + 1];
        filter_tile(table, pairs, last);
        memcpy(out, last, groups * stride * sizeof *out);
    }
}

/* Deal count pairs of int16 out to `ways` lanes in turn; `ways` is a constant in each call. */
INLINE void deal(const void *from, size_t count, size_t ways, int32_t *restrict to, size_t stride)
{
    const char *restrict pairs = from;
    for (size_t i = 0; i < count / ways; i++)
        for (size_t way = 0; way < ways; way++)
            memcpy(to + way * stride + i, pairs + (ways * i + way) * sizeof *to, sizeof *to);
}

/* Deal the pairs of whole groups out to the lanes of FIR_AT. */
static void deal_pairs(const int16_t *pairs, size_t count, int lanes, int32_t *to)
{
    if (lanes == 2) {
        deal(pairs, count, 2, to, FIR_LANE_STRIDE);
    } else if (lanes == 3) {
        deal(pairs, count, 3, to, FIR_LANE_STRIDE);
    } else { /* six: by three, then each third by two; compilers have good shuffles for these and none for six */
        int32_t thirds[3 * 2 * FIR_LANE_STRIDE];
        deal(pairs, count, 3, thirds, 2 * FIR_LANE_STRIDE);
        for (int third = 0; third < 3; third++)
            deal(thirds + third * 2 * FIR_LANE_STRIDE, count / 3, 2, to + third * FIR_LANE_STRIDE, 3 * FIR_LANE_STRIDE);
    }
}

static void fir_run(const fir_table *table, const int16_t *x, size_t groups, int16_t *out)
{
    int lanes = table->group_in / 2;
    if (lanes == 1) {
        filter_all(table, (const int32_t *)x, groups, out);
        return;
    }
    int32_t lane[FIR_LANES * FIR_LANE_STRIDE];
    size_t before = table->history / table->group_in, all = before + groups;
    deal_pairs(x - table->history, all * (size_t)lanes, lanes, lane);
    for (int q = 0; q < lanes; q++) /* what the last tile reads past the end; its results are dropped */
        memset(lane + q * FIR_LANE_STRIDE + all, 0, 2 * SIMD_LANES * sizeof *lane);
    filter_all(table, lane + before, groups, out);
}

/*
 * G.711 without tables. A mu-law code is the exponent and the top four mantissa bits of (magnitude + 132) as a float,
 * counted from 2^7; an A-law code of at least 32 is the same of the magnitude, counted from 2^3. Decoding puts the code
 * back into a float, with the bit below the mantissa set: the middle of the interval.
 */
enum { MU_BIAS = 132, MU_EXPONENT = 127 + 7, A_EXPONENT = 127 + 3, MANTISSA_SHIFT = 23 - 4 };

INLINE int32_t float_bits(float value)
{
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

INLINE float bits_float(int32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINE int32_t load_sample(const uint8_t *from)
{
    int16_t sample;
    memcpy(&sample, from, sizeof sample);
    return sample;
}

INLINE void store_sample(uint8_t *to, int32_t value)
{
    int16_t sample = (int16_t)value;
    memcpy(to, &sample, sizeof sample);
}

static void pcmu_decode(const uint8_t *restrict from, size_t samples, uint8_t *restrict to)
{
    for (size_t i = 0; i < samples; i++) {
        int32_t code = ~from[i];
        int32_t bits = (MU_EXPONENT << 23) + ((code & 0x7F) << MANTISSA_SHIFT | 1 << (MANTISSA_SHIFT - 1));
        int32_t magnitude = (int32_t)bits_float(bits) - MU_BIAS;
        int32_t sign = -(code >> 7 & 1);
        store_sample(to + 2 * i, (magnitude ^ sign) - sign);
    }
}

static void pcma_decode(const uint8_t *restrict from, size_t samples, uint8_t *restrict to)
{
    for (size_t i = 0; i < samples; i++) {
        int32_t code = from[i] ^ 0x55;
        int32_t level = code & 0x7F;
        int32_t bits = (A_EXPONENT << 23) + (level << MANTISSA_SHIFT | 1 << (MANTISSA_SHIFT - 1));
        int32_t curved = (int32_t)(bits_float(bits) * 16.0f), straight = level << 4 | 8;
        int32_t magnitude = level < 32 ? straight : curved;
        int32_t sign = (code >> 7 & 1) - 1;
        store_sample(to + 2 * i, (magnitude ^ sign) - sign);
    }
}

static void pcmu_encode(const uint8_t *restrict from, size_t samples, uint8_t *restrict to)
{
    for (size_t i = 0; i < samples; i++) {
        int32_t sample = load_sample(from + 2 * i), sign = sample >> 15;
        int32_t biased = (sample ^ sign) + MU_BIAS;
        float magnitude = (float)(biased < 32767 ? biased : 32767);
        int32_t level = (float_bits(magnitude) >> MANTISSA_SHIFT) - (MU_EXPONENT << 4);
        to[i] = (uint8_t)(~level ^ (sign & 0x80));
    }
}

static void pcma_encode(const uint8_t *restrict from, size_t samples, uint8_t *restrict to)
{
    for (size_t i = 0; i < samples; i++) {
        int32_t sample = load_sample(from + 2 * i), sign = sample >> 15;
        int32_t magnitude = (sample ^ sign) >> 4;
        int32_t curved = (float_bits((float)magnitude) >> MANTISSA_SHIFT) - (A_EXPONENT << 4);
        int32_t level = magnitude < 32 ? magnitude : curved;
        to[i] = (uint8_t)(level ^ 0xD5 ^ (sign & 0x80));
    }
}

static void swap_bytes(const uint8_t *restrict from, size_t samples, uint8_t *restrict to)
{
    for (size_t i = 0; i < samples; i++) {
        uint16_t sample = (uint16_t)load_sample(from + 2 * i);
        store_sample(to + 2 * i, (uint16_t)(sample << 8 | sample >> 8));
    }
}

#include "retime_kernel.h"

#define KERNELS(decode_base64, encode_base64)                                                                          \
    {                                                                                                                  \
        SIMD_NAME,   fir_run,    pcmu_decode, pcma_decode,   pcmu_encode,                                              \
        pcma_encode, swap_bytes, retime,      decode_base64, encode_base64,                                            \
    }
