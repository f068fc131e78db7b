"""Frame heads and masks: what may be sent and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import PeerError
from portico.wire.frames import FrameHead, Opcode, apply_mask, read_head, rotate_mask, write_head

MASK = bytes.fromhex("37fa213d")

# Name, bytes, what they mean. The first four are RFC 6455 5.7's own examples.
HEADS = [
    ("unmasked text", "8105", FrameHead(Opcode.TEXT, True, False, 5, b"", 2)),
    ("masked text", "818537fa213d", FrameHead(Opcode.TEXT, True, False, 5, MASK, 6)),
    ("256 bytes", "827e0100", FrameHead(Opcode.BINARY, True, False, 256, b"", 4)),
    ("64 KiB", "827f0000000000010000", FrameHead(Opcode.BINARY, True, False, 65536, b"", 10)),
    ("first fragment", "0103", FrameHead(Opcode.TEXT, False, False, 3, b"", 2)),
    ("last fragment", "8002", FrameHead(Opcode.CONTINUATION, True, False, 2, b"", 2)),
    ("compressed", "c107", FrameHead(Opcode.TEXT, True, True, 7, b"", 2)),
    ("compressed fragment", "4203", FrameHead(Opcode.BINARY, False, True, 3, b"", 2)),
    ("ping of 125", "89fd37fa213d", FrameHead(Opcode.PING, True, False, 125, MASK, 6)),
    ("pong", "8a00", FrameHead(Opcode.PONG, True, False, 0, b"", 2)),
    ("close", "8802", FrameHead(Opcode.CLOSE, True, False, 2, b"", 2)),
    ("126 bytes", "817e007e", FrameHead(Opcode.TEXT, True, False, 126, b"", 4)),
    ("65535 masked", "81feffff37fa213d", FrameHead(Opcode.TEXT, True, False, 65535, MASK, 8)),
    ("the longest", "827f7fffffffffffffff", FrameHead(Opcode.BINARY, True, False, (1 << 63) - 1, b"", 10)),
]

REFUSED = [
    ("reserved opcode", "8300"),
    ("reserved control opcode", "8b00"),
    ("second reserved bit", "a100"),
    ("third reserved bit", "9100"),
    ("compressed control frame", "c900"),
    ("compressed continuation", "c000"),
    ("fragmented control frame", "0900"),
    ("long control frame", "897e"),
    ("length not minimal in 2 bytes", "817e007d"),
    ("length not minimal in 8 bytes", "817f000000000000ffff"),
    ("length beyond 63 bits", "817f8000000000000000"),
]


@pytest.mark.parametrize(("encoded", "head"), [row[1:] for row in HEADS], ids=[row[0] for row in HEADS])
def test_a_head_is_read_once_it_is_complete(encoded: str, head: FrameHead) -> None:
    data = bytes.fromhex(encoded)
    assert [read_head(data[:cut], 0) for cut in range(len(data))] == [None] * len(data)
    assert read_head(data, 0) == head
    assert read_head(b"xyz" + data + b"payload", 3) == head._replace(end=head.end + 3)


@pytest.mark.parametrize("encoded", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_head_that_nobody_may_send_is_refused(encoded: str) -> None:
    with pytest.raises(PeerError) as caught:
        read_head(bytes.fromhex(encoded), 0)
    assert caught.value.status == 1002


@given(st.sampled_from([1, 2, 8, 9, 10]), st.integers(0, 1 << 62), st.booleans(), st.booleans())
def test_a_head_that_was_written_reads_the_same(opcode: int, length: int, packs: bool, masks: bool) -> None:
    if opcode >= Opcode.CLOSE:
        length, packs = length % 126, False
    data = write_head(opcode, length, is_compressed=packs, is_masked=masks)
    mask = MASK if masks else b""
    assert read_head(data + mask, 0) == FrameHead(opcode, True, packs, length, mask, len(data) + len(mask))


@pytest.mark.parametrize("length", [0, 125, 126, 65535, 65536])
def test_a_length_takes_as_few_bytes_as_it_can(length: int) -> None:
    assert len(write_head(Opcode.BINARY, length)) == 2 + 2 * (length > 125) + 6 * (length > 65535)


def test_the_example_of_the_rfc_is_unmasked() -> None:
    assert apply_mask(bytes.fromhex("7f9f4d5158"), MASK) == b"Hello"


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 127, 128, 129, 130, 131, 4096, 16383, 16384, 16385, 40001])
def test_masks_apply_byte_by_byte_at_every_size(size: int) -> None:
    data = bytes(i * 7 & 0xFF for i in range(size))
    assert apply_mask(data, MASK) == bytes(byte ^ MASK[i % 4] for i, byte in enumerate(data))


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4), st.integers(0, 300))
def test_a_rotated_mask_goes_on_where_the_payload_was_cut(data: bytes, mask: bytes, cut: int) -> None:
    masked = apply_mask(data, mask)
    front, back = masked[:cut], masked[cut:]
    assert apply_mask(front, mask) + apply_mask(back, rotate_mask(mask, len(front))) == data
