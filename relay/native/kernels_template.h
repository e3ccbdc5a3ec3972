/*
 * The kernels in terms of simd_*.h and base64_*.h, which the including file has chosen. Included once per instruction
 * set; everything here is static but the table of functions.
 */
#include "kernels.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "relay's kernels read pairs of samples as int32 and need a little-endian processor"
#endif

#define INLINE static inline __attribute__((always_inline))

/* A tile: VECTORS vectors of groups for every row of a chunk, held in registers. */
enum { TILE_VECTORS_MAX = 4, TILE_GROUPS_MAX = TILE_VECTORS_MAX * SIMD_LANES };

/*
 * Where the pair of a slot lies, in int32 from the group's own. With one lane that is x itself. With three, each pair of a
 * group has a lane to itself (see fir_run), and slots walk the lanes from the last to the first.
 */
enum { LANE_STRIDE = (FIR_HISTORY + FIR_BLOCK + FIR_SLACK) / FIR_GROUP_IN };

INLINE void accumulate(vec *sums, const fir_chunk *chunk, const int32_t *pairs, int from, int to, int rows, int vectors,
                       int lanes)
{
    int slot = chunk->first_slot + from;
    const int16_t *coefficients = chunk->pairs + 2 * rows * from;
    int lane = lanes - 1 - slot % lanes;
    const int32_t *at = pairs + lane * LANE_STRIDE - slot / lanes;
#pragma GCC unroll 2 /* 5 to 20 % faster than GCC's own choice; 4 gains nothing more */
    for (int left = to - from; left > 0; left--) {
        for (int row = 0; row < rows; row++, coefficients += 2) {
            vec coefficient = vec_splat_pair(coefficients);
            for (int v = 0; v < vectors; v++) {
                vec product = vec_multiply_add(vec_load(at + v * SIMD_LANES), coefficient);
                sums[row * vectors + v] = vec_add(sums[row * vectors + v], product);
            }
        }
        if (lanes == 1) {
            at--;
        } else if (lane-- > 0) {
            at -= LANE_STRIDE;
        } else {
            lane = lanes - 1;
            at += (lanes - 1) * LANE_STRIDE - 1;
        }
    }
}

/* The outer slots at the fine scale, brought to the coarse one; then the inner slots; then one rounding. */
INLINE void filter_tile(const fir_table *table, const fir_chunk *chunk, const int32_t *pairs, int16_t *out, int rows,
                        int vectors, int lanes)
{
    vec sums[FIR_ROWS * TILE_VECTORS_MAX];
    for (int i = 0; i < rows * vectors; i++)
        sums[i] = vec_zero();
    accumulate(sums, chunk, pairs, 0, chunk->inner_begin, rows, vectors, lanes);
    accumulate(sums, chunk, pairs, chunk->inner_end, chunk->slots, rows, vectors, lanes);
    vec half = vec_splat(1 << (table->shift - 1));
    for (int i = 0; i < rows * vectors; i++)
        sums[i] = vec_add(vec_shift_right(sums[i], table->fine_shift), half);
    accumulate(sums, chunk, pairs, chunk->inner_begin, chunk->inner_end, rows, vectors, lanes);
    for (int i = 0; i < rows * vectors; i++)
        sums[i] = vec_shift_right(sums[i], table->shift);

    size_t stride = table->group_out;
    for (int v = 0; v < vectors; v++) {
        int16_t *at = out + (size_t)v * SIMD_LANES * stride;
        if (rows == 1) {
            if (v % 2 == 0)
                put_one_row(at, sums[v], sums[v + 1]);
        } else if (rows == 2) {
            put_two_rows(at, stride, sums[v], sums[vectors + v]);
        } else {
            put_four_rows(at, stride, sums[v], sums[vectors + v], sums[2 * vectors + v],
                          rows == 4 ? sums[3 * vectors + v] : sums[v]);
        }
    }
}

/* One tile of every chunk. Rows and vectors are constants in each call, so that each becomes its own loop. */
INLINE void filter_groups(const fir_table *table, const int32_t *pairs, int16_t *out, int lanes)
{
    for (int c = 0; c < table->chunks; c++) {
        const fir_chunk *chunk = &table->chunk[c];
        int16_t *at = out + c * FIR_ROWS;
        switch (chunk->rows) {
        case 1: filter_tile(table, chunk, pairs, at, 1, 4, lanes); break;
        case 2:
            if (table->group_out == 2)
                filter_tile(table, chunk, pairs, at, 2, 4, lanes);
            else
                filter_tile(table, chunk, pairs, at, 2, 2, lanes);
            break;
        case 3: filter_tile(table, chunk, pairs, at, 3, 2, lanes); break;
        default: filter_tile(table, chunk, pairs, at, 4, 2, lanes); break;
        }
    }
}

INLINE void filter_all(const fir_table *table, const int32_t *pairs, size_t groups, int16_t *out, int lanes)
{
    size_t tile = (table->group_out <= 2 ? 4 : 2) * SIMD_LANES;
    /* Three rows are written as four: the last tile would spill a sample past the end (put_four_rows). */
    size_t whole = table->group_out == 3 && groups ? (groups - 1) / tile : groups / tile;
    for (size_t t = 0; t < whole; t++)
        filter_groups(table, pairs + t * tile, out + t * tile * table->group_out, lanes);
    size_t left = groups - whole * tile;
    if (left) {
        int16_t last[TILE_GROUPS_MAX * FIR_ROWS * FIR_CHUNKS + 1];
        filter_groups(table, pairs + whole * tile, last, lanes);
        memcpy(out + whole * tile * table->group_out, last, left * table->group_out * sizeof *out);
    }
}

static void fir_run(const fir_table *table, const int16_t *x, size_t groups, int16_t *out)
{
    if (table->group_in == 2) {
        filter_all(table, (const int32_t *)x, groups, out, 1);
        return;
    }
    /* Six samples a group are three pairs; each goes to a lane of its own, so that neighbouring groups are neighbours. */
    int32_t lane[FIR_LANES][LANE_STRIDE];
    size_t before = table->history / FIR_GROUP_IN, all = before + groups;
    const int16_t *from = x - table->history;
    for (size_t i = 0; i < all; i++)
        for (int q = 0; q < FIR_LANES; q++)
            memcpy(&lane[q][i], from + FIR_GROUP_IN * i + 2 * q, sizeof lane[q][i]);
    for (int q = 0; q < FIR_LANES; q++) /* what the last tile reads past the end; its results are dropped */
        memset(&lane[q][all], 0, TILE_GROUPS_MAX * sizeof lane[q][all]);
    filter_all(table, &lane[0][before], groups, out, FIR_LANES);
}

/*
 * G.711 without tables. A mu-law code is the exponent and the top four mantissa bits of (magnitude + 132) as a float,
 * counted from 2^7; an A-law code of at least 32 is the same of the magnitude, counted from 2^3. Decoding puts the code back
 * into a float, with the bit below the mantissa set: the middle of the interval.
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

#define KERNELS(decode_base64, encode_base64)                                                                          \
    {                                                                                                                  \
        SIMD_NAME, fir_run, pcmu_decode, pcma_decode, pcmu_encode, pcma_encode, swap_bytes, decode_base64,             \
            encode_base64,                                                                                             \
    }
