"""Frames of a WebSocket: their heads and masks, both ways (RFC 6455 section 5).

In: bytes; out: a `FrameHead`, strictly checked, or nothing yet. The other way: opcode and payload to bytes.
What is wrong with a peer's frame is a PeerError whose status is a close code (7.4.1).
"""

from typing import Final, NamedTuple

from portico.errors import PeerError


class Opcode:
    """RFC 6455 5.2; from CLOSE on they are control frames."""

    CONTINUATION: Final = 0
    TEXT: Final = 1
    BINARY: Final = 2
    CLOSE: Final = 8
    PING: Final = 9
    PONG: Final = 10


class FrameHead(NamedTuple):
    """The head of one frame.

    opcode: one of Opcode. is_final: the last, or only, frame of its message. is_compressed: RSV1 is set.
    length: bytes of the payload. mask: four bytes, b"" without one. end: where the payload begins.
    """

    opcode: int
    is_final: bool
    is_compressed: bool
    length: int
    mask: bytes
    end: int


MAX_CONTROL = 125  # bytes of a control frame's payload (5.5), and the longest that needs no extended length
_FINAL = 0x80
_COMPRESSED = 0x40  # RSV1 (RFC 7692 6)
_MASKED = 0x80
_OPCODES = (0, 1, 2, 8, 9, 10)
# The first byte of each valid frame: control frames are neither fragmented nor compressed, and a message says that it
# is compressed in its first frame only (RFC 7692 6.1).
_KINDS: dict[int, tuple[int, bool, bool]] = {
    **{opcode | _FINAL: (opcode, True, False) for opcode in _OPCODES},
    **{opcode: (opcode, False, False) for opcode in (0, 1, 2)},
    **{opcode | _FINAL | _COMPRESSED: (opcode, True, True) for opcode in (1, 2)},
    **{opcode | _COMPRESSED: (opcode, False, True) for opcode in (1, 2)},
}
_MAX_LENGTH = (1 << 63) - 1


def read_head(data: bytes, start: int) -> FrameHead | None:
    """Read the head of the frame that begins at `start`.

    Returns None where it is incomplete. Raises PeerError(1002) for one that no peer may send.
    """
    if len(data) < start + 2:
        return None
    second = data[start + 1]
    kind = _KINDS.get(data[start])
    length = second & 0x7F
    if kind is None or (kind[0] >= Opcode.CLOSE and length > MAX_CONTROL):
        raise PeerError(1002, f"a frame cannot begin with 0x{data[start]:02x} 0x{second:02x}")
    end = start + 2
    if length > MAX_CONTROL:
        width = 2 if length == 126 else 8
        end += width
        length = int.from_bytes(data[start + 2 : end], "big")
        if len(data) >= end and not (MAX_CONTROL if width == 2 else 0xFFFF) < length <= _MAX_LENGTH:
            raise PeerError(1002, f"a frame's length of {length} does not belong into {width} bytes")
    mask = b""
    if second & _MASKED:
        mask = data[end : end + 4]
        end += 4
    return FrameHead(*kind, length, mask, end) if len(data) >= end else None


def write_head(opcode: int, length: int, *, is_compressed: bool = False, is_masked: bool = False) -> bytes:
    """Write the head of a frame that is a whole message, up to where the mask goes. length: of the payload."""
    first = opcode | _FINAL | (_COMPRESSED if is_compressed else 0)
    mask_bit = _MASKED if is_masked else 0
    if length <= MAX_CONTROL:
        return bytes((first, mask_bit | length))
    if length <= 0xFFFF:
        return bytes((first, mask_bit | 126)) + length.to_bytes(2, "big")
    return bytes((first, mask_bit | 127)) + length.to_bytes(8, "big")


# Python xors bytes through integers. Up to 16 KiB bytes.translate on every fourth byte is as fast; at 64 KiB it took
# 0.13 ms, one integer 0.22, integers of 16 KiB 0.105.
_PIECE = 16 * 1024
_WORDS = _PIECE // 4
_ONES = int.from_bytes(b"\x01\x00\x00\x00" * _WORDS, "little")  # times a mask, this is the mask all along a piece
_SHORT = 128


def apply_mask(data: bytes, mask: bytes) -> bytes:
    """Mask or unmask a payload, which is the same (5.3).

    data: from the payload's beginning, or from where the mask was rotated to (`rotate_mask`).
    """
    size = len(data)
    if size <= _SHORT:
        key = int.from_bytes((mask * 32)[:size], "little")
        return (int.from_bytes(data, "little") ^ key).to_bytes(size, "little")
    if size <= _PIECE:
        words = (size + 3) // 4
        key = int.from_bytes(mask, "little") * (_ONES >> 32 * (_WORDS - words))
        return (int.from_bytes(data, "little") ^ key).to_bytes(words * 4, "little")[:size]
    key = int.from_bytes(mask, "little") * _ONES
    whole = size - size % _PIECE
    pieces = [
        (int.from_bytes(data[at : at + _PIECE], "little") ^ key).to_bytes(_PIECE, "little")
        for at in range(0, whole, _PIECE)
    ]
    pieces.append(apply_mask(data[whole:], mask))
    return b"".join(pieces)


def rotate_mask(mask: bytes, count: int) -> bytes:
    """Return the mask for what follows the first `count` bytes of a payload."""
    turn = count & 3
    return mask[turn:] + mask[:turn]
