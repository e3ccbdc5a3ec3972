# What relay/native offers to _codec.pyx, which includes this file by its name; nothing else cimports it.
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint32_t, uint64_t


cdef extern from "native/fir.h" nogil:
    ctypedef enum fir_profile:
        FIR_BALANCED
        FIR_LOW_DELAY
        FIR_HIGH_QUALITY

    ctypedef struct fir_table:
        uint8_t up
        double delay


cdef extern from "native/kernels.h" nogil:
    enum:
        BASE64_SLACK

    ctypedef struct kernels:
        const char *name
        bint (*base64_decode)(const uint8_t *text, size_t length, uint8_t *out) noexcept
        void (*base64_encode)(const uint8_t *data, size_t size, uint8_t *text) noexcept
        void (*retime)(const int16_t *pcm, size_t samples, int change, int16_t *out) noexcept

    const kernels *kernels_find(const char *name)
    const kernels *kernels_at(size_t index)
    const kernels *kernels_chosen()
    void kernels_choose(const kernels *chosen)


cdef extern from "native/stream.h" nogil:
    ctypedef enum _encoding "encoding":
        ENCODING_PCMU
        ENCODING_PCMA
        ENCODING_L16LE
        ENCODING_L16BE

    ctypedef struct stream:
        const kernels *kernels
        const fir_table *table
        uint8_t in_sample_bytes
        uint8_t out_sample_bytes

    void stream_unpack_as(stream *self, _encoding source)
    void stream_pack_as(stream *self, _encoding target)
    bint stream_open(stream *self, uint32_t in_rate_hz, uint32_t out_rate_hz, fir_profile profile)
    void stream_close(stream *self)
    void stream_reset(stream *self)
    size_t stream_state_bytes(const stream *self)
    size_t stream_out_samples(const stream *self, size_t samples)
    void stream_run(stream *self, const uint8_t *data, size_t samples, uint8_t *out)


cdef extern from "native/template.h" nogil:
    enum:
        TEMPLATE_FIELDS
        NUMBER_DIGITS

    ctypedef enum field:
        FIELD_PAYLOAD
        FIELD_SEQUENCE
        FIELD_TIMESTAMP
        FIELD_NUMBER
        FIELD_KINDS

    ctypedef struct message_template:
        uint32_t fields

    ctypedef struct message_match:
        const uint8_t *payload
        size_t payload_size
        int64_t number[1]

    bint template_compile(message_template *self, const uint8_t *text, size_t size)
    bint template_match(const message_template *self, const uint8_t *message, size_t size, message_match *match)


cdef extern from "native/retime.h" nogil:
    enum:
        RETIME_MIN_SAMPLES
        RETIME_MAX_SAMPLES


cdef extern from "native/conceal.h" nogil:
    ctypedef struct concealer:
        pass

    bint conceal_open(concealer *self, uint32_t rate_hz)
    void conceal_close(concealer *self)
    void conceal_reset(concealer *self)
    bint conceal_in_gap(const concealer *self)
    void conceal_fill(concealer *self, size_t samples, int16_t *out)
    void conceal_resume(concealer *self, int16_t *pcm, size_t samples)
    void conceal_remember(concealer *self, const int16_t *pcm, size_t samples)
    size_t conceal_state_bytes(const concealer *self)


cdef extern from "native/shorten.h" nogil:
    enum:
        SHORTEN_MIN_MS
        SHORTEN_MAX_MS
        SHORTEN_MAX_SAMPLES

    size_t shorten_run "shorten"(int16_t *pcm, size_t samples, size_t at_most, uint32_t rate_hz, double least_match)


cdef extern from "native/mixing.h" nogil:
    enum:
        MIX_BLOCK
        MIX_MAX_RUNS
        CROSSFADE_MAX_SAMPLES

    void mix_add(int32_t *sums, const int16_t *pcm, size_t samples)
    void mix_pack(const int32_t *sums, size_t samples, int16_t *out)
    void crossfade_run "crossfade"(const void *before, size_t samples, int16_t *pcm)
    uint64_t sum_of_squares(const void *pcm, size_t samples)


cdef extern from "native/websocket.h" nogil:
    enum:
        FRAME_SERVER_HEADER_MAX

    ctypedef struct frame_scanner:
        uint32_t max_size

    ctypedef struct plain_message:
        const uint8_t *payload
        const uint8_t *end
        bint text

    bint frame_scan_plain(const frame_scanner *self, const uint8_t *data, size_t size, plain_message *found)
    bint frame_scan_all_plain(const frame_scanner *self, const uint8_t *data, size_t size)
    size_t frame_follow(frame_scanner *self, const uint8_t *data, size_t size)
    void frame_unmask(const plain_message *found, uint8_t *out)
    size_t frame_write_header(bint text, uint64_t size, uint8_t *out)
