# The frames of a WebSocket: what a client's messages are, and how a server's are written. Included by _codec.pyx.


cdef class FrameScanner:
    """
    Follows what the client of one WebSocket sends, from its upgrade request on, and takes plain messages out of it.

    Plain is a text or binary message in one whole frame, masked, without reserved bits, its length written as short as
    can be. Where one begins is known because everything in between is followed too: every byte is given to ``deliver``,
    ``take`` or ``follow``, and to ``follow`` if the others did not take it.

    Args:
        max_bytes: longer messages are not plain; none is above 65535.
    """

    cdef frame_scanner frames
    cdef readonly bint text
    """Whether the last message that ``take`` returned was text."""
    cdef readonly Py_ssize_t end
    """Where in its data it ended."""

    def __cinit__(self, uint32_t max_bytes):
        self.frames.max_size = max_bytes

    def deliver(self, bytes data not None, receiver, received_ns):
        """
        Give every message of ``data`` to ``receiver``, if all of it is whole plain messages.

        Args:
            data: what was read at once.
            receiver: has ``text_received`` and ``binary_received``, which get a message and ``received_ns``.
            received_ns: when.

        Returns:
            Whether it was. If not, nothing is done.
        """
        cdef const uint8_t *begin = <const uint8_t *>PyBytes_AS_STRING(data)
        cdef const uint8_t *end = begin + len(data)
        cdef plain_message found
        if not frame_scan_all_plain(&self.frames, begin, len(data)):
            return False
        found.end = begin
        while found.end < end:
            frame_scan_plain(&self.frames, found.end, end - found.end, &found)
            if found.text:
                receiver.text_received(_unmasked(&found), received_ns)
            else:
                receiver.binary_received(_unmasked(&found), received_ns)
        return True

    def take(self, bytes data not None, Py_ssize_t begin=0):
        """Return the plain message that begins there, with its ``text`` and ``end``; None if there is no whole one."""
        cdef const uint8_t *at = <const uint8_t *>PyBytes_AS_STRING(data)
        cdef plain_message found
        if not 0 <= begin <= len(data) or not frame_scan_plain(&self.frames, at + begin, len(data) - begin, &found):
            return None
        self.text = found.text
        self.end = found.end - at
        return _unmasked(&found)

    def follow(self, bytes data not None, Py_ssize_t begin=0):
        """Go past what begins or goes on there, the request or one frame; return where it, or ``data``, ends."""
        if not 0 <= begin <= len(data):
            raise ValueError(f"FrameScanner: expected a place in {len(data)} bytes, got {begin}")
        return begin + <Py_ssize_t>frame_follow(
            &self.frames, <const uint8_t *>PyBytes_AS_STRING(data) + begin, len(data) - begin
        )


cdef bytes _unmasked(const plain_message *found):
    cdef bytes message = PyBytes_FromStringAndSize(NULL, found.end - found.payload)
    frame_unmask(found, <uint8_t *>PyBytes_AS_STRING(message))
    return message


def message_frame(bytes message not None, *, bint text):
    """Return the frame by which a server sends ``message`` whole: unmasked, text or binary."""
    cdef uint8_t header[FRAME_SERVER_HEADER_MAX]
    cdef size_t header_size = frame_write_header(text, len(message), header)
    cdef bytes frame = PyBytes_FromStringAndSize(NULL, header_size + len(message))
    memcpy(PyBytes_AS_STRING(frame), header, header_size)
    memcpy(PyBytes_AS_STRING(frame) + header_size, PyBytes_AS_STRING(message), len(message))
    return frame
