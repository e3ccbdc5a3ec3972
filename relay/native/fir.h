/*
 * The rate-conversion filters as the kernels read them.
 *
 * A conversion by up/down is a set of `group_out` rows applied to every `group_in` input samples. Input is read in
 * pairs of samples (one pmaddwd each). Slot s of a row is multiplied with the pair that lies s pairs before the newest
 * pair of the group. scripts/design_filters.py designs the coefficients, scripts/write_tables.py writes fir_tables.h.
 */
#ifndef RELAY_FIR_H
#define RELAY_FIR_H

#include <stddef.h>
#include <stdint.h>

enum {
    FIR_ROWS = 4,      /* rows of a chunk, at most */
    FIR_CHUNKS = 3,    /* chunks of a table, at most: up6 has 12 rows */
    FIR_HISTORY = 216, /* samples before a group that any table reaches back to, at most */
    FIR_GROUP_IN = 12, /* input samples of a group, at most */
    FIR_BLOCK = 960,   /* input samples of one run, at most: 20 ms at 48 kHz, and whole groups of every table */
    FIR_SLACK = 192,   /* samples after a block that the last tile may read and whose results it drops */
    FIR_OUT_BLOCK = 6 * FIR_BLOCK,                               /* output samples of one run, at most */
    FIR_LANES = FIR_GROUP_IN / 2,                                /* pairs of a group, at most */
    FIR_LANE_STRIDE = (FIR_HISTORY + FIR_BLOCK + FIR_SLACK) / 4, /* pairs of a lane, when there are two of them */
};

/*
 * With several pairs in a group, each has a lane to itself, so that the same pair of neighbouring groups are
 * neighbours. A slot's pair lies in a lane, some groups back: this is how far from the group's place in lane 0.
 */
#define FIR_AT(lane, groups_back) ((lane) * FIR_LANE_STRIDE - (groups_back))

/* Up to four rows. The slots [inner_begin, inner_end) are held at the coarse scale, the others fine_shift bits finer.
 */
typedef struct {
    uint8_t rows;
    uint8_t slots;
    uint8_t inner_begin;
    uint8_t inner_end;
    const int16_t *pairs; /* [slots][rows][2], each pair (older, newer) */
    const int16_t *at;    /* [slots], FIR_AT */
} fir_chunk;

typedef struct {
    uint8_t up;
    uint8_t down;
    uint8_t group_in;
    uint8_t group_out;
    uint8_t shift;      /* bits of the coarse scale: the final right shift */
    uint8_t fine_shift; /* bits by which the fine scale is finer */
    uint8_t chunks;
    uint16_t history; /* samples before a group that it reaches back to, in whole groups */
    double delay;     /* group delay in samples of the up * in_rate_hz grid (at an eighth of the lower rate) */
    fir_chunk chunk[FIR_CHUNKS];
} fir_table;

typedef enum { FIR_BALANCED, FIR_LOW_DELAY, FIR_HIGH_QUALITY } fir_profile;

/* The table for a pair of different rates; NULL if there is none. */
const fir_table *fir_find(uint32_t in_rate_hz, uint32_t out_rate_hz, fir_profile profile);

#endif
