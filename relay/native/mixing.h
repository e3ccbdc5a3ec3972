/* Sums, cross-fades and levels of runs of PCM. Plain C: compilers vectorise these loops by themselves. */
#ifndef RELAY_MIXING_H
#define RELAY_MIXING_H

#include <stddef.h>
#include <stdint.h>

enum {
    MIX_BLOCK = 512,              /* samples summed at a time, on the stack */
    MIX_MAX_RUNS = 4096,          /* far from where a sum could leave int32, 65,536 */
    CROSSFADE_MAX_SAMPLES = 4800, /* 100 ms at 48 kHz; a weight's steps would be too coarse for many more */
};

/* Add samples to sums. */
void mix_add(int32_t *sums, const int16_t *pcm, size_t samples);

/* Write sums as samples, saturated. */
void mix_pack(const int32_t *sums, size_t samples, int16_t *out);

/* Fade from samples at any address to those in `pcm`, in place. */
void crossfade(const void *before, size_t samples, int16_t *pcm);

/* The sum of the squares of samples at any address. */
uint64_t sum_of_squares(const void *pcm, size_t samples);

#endif
