"""permessage-deflate: what is agreed on, and messages there and back within bounds."""

import zlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.errors import PeerError
from portico.wire.deflate import Compression, Inflater, deflate, negotiate

FORGETFUL = Compression(15, 15, True)
MINDFUL = Compression(15, 12, False)
BASE = "permessage-deflate; server_no_context_takeover"
ROOM = 1 << 20

# Offers, what is agreed, the answer.
AGREED = [
    ("permessage-deflate", Compression(15, 15, True), "; client_no_context_takeover"),
    ("Permessage-Deflate ; server_no_context_takeover", Compression(15, 15, True), "; client_no_context_takeover"),
    ("permessage-deflate; client_max_window_bits", Compression(15, 12, False), "; client_max_window_bits=12"),
    ("permessage-deflate; client_max_window_bits=15", Compression(15, 12, False), "; client_max_window_bits=12"),
    ("permessage-deflate; client_max_window_bits=8", Compression(15, 8, False), "; client_max_window_bits=8"),
    ('permessage-deflate; client_max_window_bits="10"', Compression(15, 10, False), "; client_max_window_bits=10"),
    (
        "permessage-deflate; client_no_context_takeover; client_max_window_bits",
        Compression(15, 12, True),
        "; client_max_window_bits=12; client_no_context_takeover",
    ),
    (
        "permessage-deflate; server_max_window_bits=9",
        Compression(9, 15, True),
        "; server_max_window_bits=9; client_no_context_takeover",
    ),
    (
        "x-other, permessage-deflate; server_max_window_bits=8, permessage-deflate; server_max_window_bits=10",
        Compression(10, 15, True),
        "; server_max_window_bits=10; client_no_context_takeover",
    ),
]

DECLINED = [
    "",
    "x-webkit-deflate-frame",
    "permessage-deflate; server_max_window_bits=8",  # zlib cannot make it
    "permessage-deflate; server_max_window_bits=16",
    "permessage-deflate; server_max_window_bits=7",
    "permessage-deflate; server_max_window_bits=010",
    "permessage-deflate; server_max_window_bits",
    "permessage-deflate; client_max_window_bits=",
    "permessage-deflate; client_no_context_takeover=1",
    "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    "permessage-deflate; unheard_of",
    "permessage-deflate;",
]


@pytest.mark.parametrize(("offers", "compression", "answer"), AGREED)
def test_an_offer_is_agreed_on(offers: str, compression: Compression, answer: str) -> None:
    assert negotiate(offers) == (compression, BASE + answer)


@pytest.mark.parametrize("offers", DECLINED)
def test_an_offer_that_cannot_be_kept_is_declined(offers: str) -> None:
    assert negotiate(offers) is None


@given(st.text(alphabet='permessage-deflate;=", _client_max_window_bits0123', max_size=80))
def test_no_offer_raises(offers: str) -> None:
    found = negotiate("permessage-deflate;" + offers)
    assert found is None or found[1].startswith(BASE)


@given(st.binary(max_size=2000).map(lambda data: data * 3), st.integers(9, 15), st.booleans())
def test_what_was_deflated_inflates(data: bytes, bits: int, forgets: bool) -> None:
    inflater = Inflater(Compression(15, bits, forgets))
    for _ in range(2):
        packed = deflate(data, bits)
        if packed is not None:
            assert len(packed) < len(data)
            assert inflater.inflate(packed, len(data), is_end=True) == data


def test_a_message_goes_as_it_is_where_compressing_does_not_pay() -> None:
    assert deflate(b"a" * 95, 15) is None
    assert deflate(Random(1).randbytes(5000), 15) is None
    assert deflate(b"a" * 96, 15) is not None


def test_a_window_may_be_larger_than_a_message_needs() -> None:
    packed = deflate(b"abcd" * 100, 15)
    assert packed is not None
    assert Inflater(Compression(15, 9, True)).inflate(packed, 400, is_end=True) == b"abcd" * 100


def test_a_peer_that_remembers_is_understood() -> None:
    packer = zlib.compressobj(6, zlib.DEFLATED, -12)
    inflater = Inflater(MINDFUL)
    sizes = []
    for _ in range(3):
        packed = packer.compress(b"the same words") + packer.flush(zlib.Z_SYNC_FLUSH)
        sizes.append(len(packed))
        assert inflater.inflate(packed[:-4], ROOM, is_end=True) == b"the same words"
    assert sizes[1] < sizes[0]


def test_a_peer_that_promised_to_forget_and_does_not_is_refused() -> None:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    inflater = Inflater(FORGETFUL)
    text = bytes(range(256))
    first, second = (packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH) for _ in range(2))
    assert inflater.inflate(first[:-4], ROOM, is_end=True) == text
    with pytest.raises(PeerError, match="no deflate stream"):
        inflater.inflate(second[:-4], ROOM, is_end=True)


# RFC 7692 7.2.3: "Hello" as it may be sent.
@pytest.mark.parametrize(
    "encoded",
    [
        "f248cdc9c90700",  # one block (7.2.3.1)
        "f24805000000ffffcac9c90700",  # two blocks (7.2.3.5)
        "000500faff48656c6c6f00",  # without compression (7.2.3.3)
        "f348cdc9c9070000",  # a block that says that it is the last (7.2.3.4)
    ],
)
@pytest.mark.parametrize("compression", [FORGETFUL, MINDFUL])
def test_the_examples_of_the_rfc(encoded: str, compression: Compression) -> None:
    data = bytes.fromhex(encoded)
    inflater = Inflater(compression)
    assert inflater.inflate(data, 5, is_end=True) == b"Hello"
    pieces = [inflater.inflate(data[at : at + 1], 5, is_end=at == len(data) - 1) for at in range(len(data))]
    assert b"".join(pieces) == b"Hello"


def test_a_bomb_stops_at_the_limit() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(64)) + packer.flush()
    assert len(bomb) < 70_000
    with pytest.raises(PeerError) as caught:
        Inflater(FORGETFUL).inflate(bomb, 1000, is_end=False)
    assert caught.value.status == 1009


@pytest.mark.parametrize("data", [b"\xff" * 10, b"\x07"])
def test_what_is_no_deflate_stream_is_refused(data: bytes) -> None:
    with pytest.raises(PeerError) as caught:
        Inflater(FORGETFUL).inflate(data, ROOM, is_end=True)
    assert caught.value.status == 1007


@pytest.mark.parametrize("compression", [FORGETFUL, MINDFUL])
def test_a_message_of_very_many_streams_is_refused(compression: Compression) -> None:
    inflater = Inflater(compression)
    empty = b"\x03\x00"  # a whole deflate stream of nothing
    assert inflater.inflate(empty * 15 + b"\x00", ROOM, is_end=True) == b""
    with pytest.raises(PeerError, match="over 16 deflate streams"):
        inflater.inflate(empty * 17, ROOM, is_end=True)
