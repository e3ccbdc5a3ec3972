/* Streaming around the kernels: history, blocks, and groups cut by a push. */
#include "stream.h"

#include <stdlib.h>
#include <string.h>

void stream_unpack_as(stream *self, encoding from)
{
    const convert by_encoding[] = {self->kernels->pcmu_decode, self->kernels->pcma_decode, NULL,
                                   self->kernels->swap_bytes};
    self->unpack = by_encoding[from];
    self->in_sample_bytes = from == ENCODING_PCMU || from == ENCODING_PCMA ? 1 : 2;
}

void stream_pack_as(stream *self, encoding to)
{
    const convert by_encoding[] = {self->kernels->pcmu_encode, self->kernels->pcma_encode, NULL,
                                   self->kernels->swap_bytes};
    self->pack = by_encoding[to];
    self->out_sample_bytes = to == ENCODING_PCMU || to == ENCODING_PCMA ? 1 : 2;
}

bool stream_open(stream *self, uint32_t in_rate_hz, uint32_t out_rate_hz, fir_profile profile)
{
    self->table = fir_find(in_rate_hz, out_rate_hz, profile);
    if (self->table == NULL)
        return true;
    self->history = calloc(1, stream_state_bytes(self));
    return self->history != NULL;
}

void stream_close(stream *self)
{
    free(self->history);
    self->history = NULL;
}

size_t stream_state_bytes(const stream *self)
{
    return self->table == NULL ? 0 : (self->table->history + (size_t)self->table->group_in) * sizeof *self->history;
}

void stream_reset(stream *self)
{
    self->carry = 0;
    if (self->table != NULL)
        memset(self->history, 0, self->table->history * sizeof *self->history);
}

/* In 32 bits and without a division where none is needed: divisions were a tenth of a frame's time. */
static uint32_t converted(const fir_table *table, uint32_t samples)
{
    return table->down == 1 ? samples * table->up : samples * table->up / table->down;
}

size_t stream_out_samples(const stream *self, size_t samples)
{
    const fir_table *table = self->table;
    if (table == NULL)
        return samples;
    uint32_t total = converted(table, self->carry + (uint32_t)samples);
    return self->carry == 0 ? total : total - converted(table, self->carry);
}

/* Not inlined: where GCC knows a bound of the size it copies with rep movs, at 10 ns a frame. */
__attribute__((noinline)) static void copy(void *to, const void *from, size_t samples)
{
    memcpy(to, from, samples * sizeof(int16_t));
}

/* One block, at most FIR_BLOCK samples with the carry. Returns the samples written. */
static size_t run_block(stream *self, const uint8_t *in, size_t samples, uint8_t *out)
{
    const fir_table *table = self->table;
    uint32_t kept = table->history + self->carry, total = self->carry + (uint32_t)samples;
    uint32_t groups = total / table->group_in, rest = total - groups * table->group_in;
    uint32_t skip = self->carry == 0 ? 0 : converted(table, self->carry), yield = converted(table, total) - skip;

    _Alignas(int32_t) int16_t pcm[FIR_HISTORY + FIR_BLOCK + FIR_SLACK]; /* the filter reads it in pairs */
    copy(pcm, self->history, kept);
    if (self->unpack != NULL)
        self->unpack(in, samples, (uint8_t *)(pcm + kept));
    else
        copy(pcm + kept, in, samples);

    if (skip == 0 && rest == 0 && self->pack == NULL) {
        self->kernels->fir_run(table, pcm + table->history, groups, (int16_t *)out);
    } else {
        /* A cut group is filtered with zeros for what has not come. Only outputs that need none of it are taken now;
           the group is filtered again, whole, when the rest is here. */
        int16_t filtered[FIR_OUT_BLOCK];
        if (rest > 0)
            memset(pcm + table->history + total, 0, (table->group_in - rest) * sizeof *pcm);
        self->kernels->fir_run(table, pcm + table->history, groups + (rest > 0), filtered);
        if (self->pack != NULL)
            self->pack((const uint8_t *)(filtered + skip), yield, out);
        else
            copy(out, filtered + skip, yield);
    }

    copy(self->history, pcm + total - rest, table->history + rest);
    self->carry = (uint8_t)rest;
    return yield;
}

void stream_run(stream *self, const uint8_t *in, size_t samples, uint8_t *out)
{
    if (self->table == NULL) {
        convert conversion = self->unpack != NULL ? self->unpack : self->pack;
        if (conversion != NULL)
            conversion(in, samples, out);
        else
            copy(out, in, samples);
        return;
    }
    while (samples > 0) {
        size_t room = (size_t)(FIR_BLOCK - self->carry), now = samples < room ? samples : room;
        out += run_block(self, in, now, out) * self->out_sample_bytes;
        in += now * self->in_sample_bytes;
        samples -= now;
    }
}
