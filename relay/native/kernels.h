/*
 * The inner loops, once per instruction set. Every set computes the same integers, bit for bit: vectorising goes across
 * outputs, so no sum depends on the number of lanes.
 */
#ifndef RELAY_KERNELS_H
#define RELAY_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "fir.h"
#include "retime.h"

enum {
    BASE64_SLACK = 32, /* bytes that base64_decode may write, and base64_encode may read, beyond the exact size */
};

/* `samples` samples from one form to another. L16 is in native order and may lie at any address. */
typedef void (*convert)(const uint8_t *from, size_t samples, uint8_t *to);

typedef struct {
    const char *name;

    /*
     * Filter `groups` groups from x, which is preceded by table->history samples and followed by FIR_SLACK readable
     * ones; groups * group_in <= FIR_BLOCK. Writes exactly groups * group_out samples.
     */
    void (*fir_run)(const fir_table *table, const int16_t *x, size_t groups, int16_t *out);

    /* ITU-T G.711, bit-exact with the reference code of ITU-T G.191; one byte a sample. */
    convert pcmu_decode;
    convert pcma_decode;
    convert pcmu_encode;
    convert pcma_encode;

    /* Exchange the two bytes of every sample. */
    convert swap_bytes;

    /*
     * Write samples + change samples (change is -1 or 1). The read position runs ahead of, or falls behind, the write
     * position by a cubic ramp from 0 to one sample, so that speed is continuous at both ends of the run.
     */
    void (*retime)(const int16_t *pcm, size_t samples, int change, int16_t *out);

    /* RFC 4648, padded. decode returns false when a character is not of the alphabet; `length` is a multiple of 4. */
    bool (*base64_decode)(const uint8_t *text, size_t length, uint8_t *out);
    void (*base64_encode)(const uint8_t *data, size_t size, uint8_t *text);
} kernels;

extern const kernels kernels_portable;
#if defined(__x86_64__)
extern const kernels kernels_sse2;
extern const kernels kernels_avx2;
#endif

/* The sets that this build and this processor have, best first; NULL: there is none of that index or name. */
const kernels *kernels_at(size_t index);
const kernels *kernels_find(const char *name);

/* What new objects use: the best, until another is chosen. Process-wide, as the processor is. */
const kernels *kernels_chosen(void);
void kernels_choose(const kernels *chosen);

#endif
