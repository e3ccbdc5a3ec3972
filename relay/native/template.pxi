# The JSON messages that a decoder takes and an encoder writes. Included by _codec.pyx.


_INFINITY = float("inf")


class Field(enum.IntEnum):
    """Stands in a ``MediaTemplate`` for what differs from message to message. A number may come as a JSON string."""

    PAYLOAD = FIELD_PAYLOAD
    SEQUENCE = FIELD_SEQUENCE
    TIMESTAMP = FIELD_TIMESTAMP
    NUMBER = FIELD_NUMBER


cdef class MediaTemplate:
    """
    The JSON message by which one carrier moves audio on one stream: a mapping with ``Field`` members where it varies.

    Keys come in the order in which the carrier writes them.

        MediaTemplate({"event": "media", "streamSid": sid, "media": {"track": "inbound", "payload": Field.PAYLOAD}})

    Raises:
        ValueError: not exactly one payload, a field twice (``Field.NUMBER`` excepted), or more than 15 fields.
        TypeError: a value that is not exactly of a type that JSON has: dict, list, str, int, finite float, bool, None.
    """

    cdef message_template compiled
    cdef dict content
    cdef bytes text
    cdef bytes before_payload
    cdef bytes after_payload

    def __cinit__(self, dict content not None):
        self.content = copy.deepcopy(content)
        self.text = orjson.dumps(_with_marks(content))
        fields = [Field(byte) for byte in self.text if 0 < byte < <int>FIELD_KINDS]
        unique = [field for field in fields if field is not Field.NUMBER]
        compiled = template_compile(&self.compiled, <const uint8_t *>PyBytes_AS_STRING(self.text), len(self.text))
        if not compiled or fields.count(Field.PAYLOAD) != 1 or len(set(unique)) != len(unique):
            raise ValueError(
                f"MediaTemplate: expected Field.PAYLOAD once, no other twice and at most {TEMPLATE_FIELDS} fields,"
                f" got {[field.name for field in fields]}"
            )
        before, _, after = self.text.partition(bytes([Field.PAYLOAD]))
        self.before_payload = before + b'"'
        self.after_payload = b'"' + after


def _with_marks(value):
    """The content with each field as its control byte, unescaped, which no other value can have in JSON."""
    kind = type(value)
    if kind is Field:
        return orjson.Fragment(bytes([value]))
    if kind is dict and all(type(key) is str for key in value):
        return {key: _with_marks(item) for key, item in value.items()}
    if kind is list:
        return [_with_marks(item) for item in value]
    # orjson writes more types than JSON has (enums, tuples, dates, NaN as null); what is read back is none of them.
    if kind not in (str, int, float, bool, type(None)) or value in (_INFINITY, -_INFINITY) or value != value:
        raise TypeError(f"MediaTemplate: expected what JSON has, or a Field, got {value!r}, a {kind.__name__}")
    return value


def _read_fields(expected, value, found):
    """Say whether ``value`` has the literals of ``expected``, and put its fields into ``found``."""
    if isinstance(expected, dict):
        return isinstance(value, dict) and all(
            key in value and _read_fields(item, value[key], found) for key, item in expected.items()
        )
    if isinstance(expected, list):
        return isinstance(value, list) and len(value) == len(expected) and all(
            _read_fields(*pair, found) for pair in zip(expected, value)
        )
    if not isinstance(expected, Field):
        return type(value) is type(expected) and value == expected
    if expected is Field.PAYLOAD:
        found[expected] = value
        return isinstance(value, str)
    if isinstance(value, str) and value.isascii() and value.isdigit():
        digits = value.lstrip("0") or "0"
        value = int(digits) if len(digits) <= NUMBER_DIGITS else -1
    found[expected] = value
    return type(value) is int and 0 <= value < 10**NUMBER_DIGITS
