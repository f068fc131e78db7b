"""Content codings: each one cut everywhere, damaged, truncated, stacked, and as a bomb."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from portico.client.decoding import MOST_CODINGS, Decoder, accepted
from portico.errors import PeerError

TEXT = b"The quick brown fox jumps over the lazy dog. " * 40


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def small_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=9)
    return packer.compress(data) + packer.flush()


def zstd_stream(data: bytes) -> bytes:
    """Many blocks, a checksum, no size."""
    packer = zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compressobj()
    pieces = []
    for start in range(0, len(data), 100):
        pieces += [packer.compress(data[start : start + 100]), packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)]
    return b"".join([*pieces, packer.flush()])


def zstd_skippable(data: bytes, first: int = 0x5A) -> bytes:
    return bytes([first]) + b"\x2a\x4d\x18" + len(data).to_bytes(4, "little") + data


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "deflate with a header": ("deflate", zlib.compress),
    "deflate with a small window": ("deflate", small_deflate),
    "deflate without": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstandard.compress),
    "zstd in blocks": ("zstd", zstd_stream),
}


def decode(coding: str, *parts: bytes, limit: int = 1 << 18) -> bytes:
    decoder = Decoder(coding)
    pieces = [piece for part in parts for piece in decoder.feed(part, limit)]
    decoder.finish()
    assert all(0 < len(piece) <= limit for piece in pieces)
    return b"".join(pieces)


def every(packed: bytes) -> Iterator[bytes]:
    return (packed[at : at + 1] for at in range(len(packed)))


@pytest.mark.parametrize("name", PACKERS)
def test_whole_and_cut_everywhere(name: str) -> None:
    coding, pack = PACKERS[name]
    packed = pack(TEXT)
    assert decode(coding, packed) == TEXT
    assert decode(coding, *every(packed)) == TEXT
    assert decode(coding, packed, limit=7) == TEXT
    for cut in range(len(packed)):
        assert decode(coding, packed[:cut], packed[cut:], limit=1000) == TEXT


@pytest.mark.parametrize("name", PACKERS)
def test_an_empty_body_and_an_empty_stream(name: str) -> None:
    coding, pack = PACKERS[name]
    assert decode(coding) == b""
    assert decode(coding, b"") == b""
    assert decode(coding, pack(b"")) == b""
    assert decode(coding, *every(pack(b""))) == b""


@pytest.mark.parametrize("name", PACKERS)
def test_a_truncated_stream_is_an_error_wherever_it_is_cut(name: str) -> None:
    coding, pack = PACKERS[name]
    packed = pack(TEXT)
    for cut in range(1, len(packed)):
        decoder = Decoder(coding)
        assert TEXT.startswith(b"".join(decoder.feed(packed[:cut])))
        with pytest.raises(PeerError, match="is not complete") as caught:
            decoder.finish()
        assert caught.value.status == 502


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
@pytest.mark.parametrize("body", [b"<html>this is plain text</html>", b"\xff" * 40, b"\x28\xb5\x2f\xfd" + b"\xff" * 40])
def test_what_is_no_such_stream(coding: str, body: bytes) -> None:
    for parts in ([body], every(body)):
        with pytest.raises(PeerError, match=f"is no {coding} stream") as caught:
            decode(coding, *parts)
        assert "\n" not in str(caught.value)


def test_damage_is_noticed_by_the_checksum() -> None:
    for coding, packed in (("gzip", gzip.compress(TEXT)), ("zstd", zstd_stream(TEXT))):
        at = len(packed) - 6 if coding == "gzip" else len(packed) - 2
        broken = packed[:at] + bytes([packed[at] ^ 1]) + packed[at + 1 :]
        with pytest.raises(PeerError, match="stream"):
            decode(coding, broken)


FOLLOWED = [
    ("gzip", gzip.compress(TEXT) + gzip.compress(b"more"), TEXT + b"more"),
    ("gzip", gzip.compress(b"") * 5 + gzip.compress(TEXT), TEXT),
    ("gzip", gzip.compress(TEXT) + b"\x00" * 100, TEXT),
    ("gzip", gzip.compress(TEXT) + b"garbage" + gzip.compress(b"not seen"), TEXT),
    ("gzip", gzip.compress(TEXT) + b"\x1f", TEXT),
    ("gzip", gzip.compress(TEXT) + b"\x1fgarbage", TEXT),
    ("deflate", zlib.compress(TEXT) + b"garbage", TEXT),
    ("deflate", raw_deflate(TEXT) + b"garbage", TEXT),
    ("zstd", zstandard.compress(TEXT) + zstd_stream(b"more"), TEXT + b"more"),
    ("zstd", zstd_skippable(b"") + zstandard.compress(TEXT) + zstd_skippable(b"for others", 0x5F), TEXT),
    ("zstd", zstd_skippable(b"x" * 10), b""),
    ("zstd", zstd_stream(TEXT) + b"\x00" * 100, TEXT),
    ("zstd", zstd_stream(TEXT) + b"abc", TEXT),
    ("zstd", zstd_stream(TEXT) + zstd_skippable(b"x", 0x40) + zstandard.compress(b"not seen"), TEXT),
]


@pytest.mark.parametrize(("coding", "body", "expected"), FOLLOWED)
def test_what_may_follow_a_stream(coding: str, body: bytes, expected: bytes) -> None:
    assert decode(coding, body) == expected
    assert decode(coding, *every(body)) == expected


CUT_SHORT = [
    ("gzip", gzip.compress(TEXT) + gzip.compress(TEXT)[:-1]),
    ("gzip", gzip.compress(TEXT) + b"\x1f\x8b"),
    ("zstd", zstd_stream(TEXT) + zstandard.compress(TEXT)[:-1]),
    ("zstd", zstd_stream(TEXT) + zstandard.compress(TEXT)[:5]),
    ("zstd", zstd_skippable(b"xyz")[:-1]),
]


@pytest.mark.parametrize(("coding", "body"), CUT_SHORT)
def test_a_second_stream_that_is_cut_short(coding: str, body: bytes) -> None:
    for parts in ([body], every(body)):
        with pytest.raises(PeerError, match="is not complete"):
            decode(coding, *parts)


@pytest.mark.parametrize("parts", [[brotli.compress(TEXT) + b"garbage"], [brotli.compress(TEXT), b"garbage"]])
def test_nothing_may_follow_br(parts: list[bytes]) -> None:
    with pytest.raises(PeerError, match="is no br stream"):
        decode("br", *parts)


def test_several_codings_come_off_last_first() -> None:
    assert decode("gzip, br", brotli.compress(gzip.compress(TEXT))) == TEXT
    assert decode("deflate,identity, GZIP ,zstd", zstandard.compress(gzip.compress(zlib.compress(TEXT)))) == TEXT
    packed = brotli.compress(gzip.compress(TEXT))
    assert decode("gzip, br", *every(packed), limit=5) == TEXT
    with pytest.raises(PeerError, match="middle of its gzip stream"):
        decode("gzip, br", brotli.compress(gzip.compress(TEXT)[:-1]))


@pytest.mark.parametrize("value", ["", "identity", " identity , identity"])
def test_nothing_to_undo(value: str) -> None:
    decoder = Decoder(value)
    assert decoder.is_plain
    assert list(decoder.feed(b"abcde", 2)) == [b"ab", b"cd", b"e"]
    assert list(decoder.feed(b"")) == []
    decoder.finish()
    assert not Decoder("gzip").is_plain


def test_codings_that_nobody_asked_for() -> None:
    with pytest.raises(PeerError, match="encoded as 'compress'; gzip") as caught:
        Decoder("gzip, compress")
    assert caught.value.status == 502
    with pytest.raises(PeerError, match="encoded 6 times; 5 times is the most"):
        Decoder(", ".join(["gzip"] * (MOST_CODINGS + 1)))
    with pytest.raises(PeerError) as caught:
        Decoder("x" * 10_000)
    assert len(str(caught.value)) < 200


def test_what_is_accepted_can_be_decoded() -> None:
    assert accepted() == "gzip, br, zstd"
    for coding in accepted().split(", "):
        assert not Decoder(coding).is_plain


def test_a_window_that_nobody_has_to_accept() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=24, write_content_size=False)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    packed = packer.compress(b"x" * 100) + packer.flush()
    with pytest.raises(PeerError, match="is no zstd stream"):
        decode("zstd", packed)


class Packer(Protocol):
    def compress(self, data: bytes, /) -> bytes: ...
    def flush(self) -> bytes: ...


def zeros(megabytes: int) -> dict[str, bytes]:
    """Return bombs: many megabytes of zeros in each coding."""
    mega = bytes(1_000_000)
    packers: dict[str, Packer] = {
        "gzip": zlib.compressobj(9, wbits=31),
        "deflate": zlib.compressobj(9),
        "zstd": zstandard.ZstdCompressor(level=1).compressobj(),
    }
    bombs = {
        name: b"".join([packer.compress(mega) for _ in range(megabytes)]) + packer.flush()
        for name, packer in packers.items()
    }
    return {**bombs, "br": brotli.compress(mega * megabytes, quality=5)}


@pytest.mark.parametrize(("coding", "bomb"), zeros(64).items())
def test_a_bomb_comes_in_bounded_pieces(coding: str, bomb: bytes) -> None:
    tracemalloc.start()
    total = 0
    decoder = Decoder(coding)
    for piece in decoder.feed(bomb, 65_536):
        assert len(piece) <= 65_536
        total += len(piece)
    decoder.finish()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert total == 64_000_000
    assert peak < 4_000_000


def test_a_stacked_bomb_can_be_dropped_after_any_piece() -> None:
    bomb = gzip.compress(gzip.compress(zeros(64)["gzip"]))
    decoder = Decoder("gzip, gzip, gzip")
    pieces = decoder.feed(bomb, 1000)
    assert next(pieces) == bytes(1000)
    assert next(pieces) == bytes(1000)


def test_many_small_members_cost_no_more_than_their_bytes() -> None:
    assert decode("gzip", gzip.compress(b"x") * 20_000) == b"x" * 20_000
    assert decode("zstd", zstandard.compress(b"x") * 20_000) == b"x" * 20_000


@pytest.mark.parametrize("name", PACKERS)
@given(st.binary(max_size=2000), st.lists(st.integers(1, 400), max_size=8), st.integers(1, 3000))
def test_any_bytes_in_any_pieces(name: str, data: bytes, sizes: list[int], limit: int) -> None:
    coding, pack = PACKERS[name]
    packed = pack(data)
    parts = []
    for size in sizes:
        parts.append(packed[:size])
        packed = packed[size:]
    assert decode(coding, *parts, packed, limit=limit) == data


@pytest.mark.parametrize("name", PACKERS)
@given(st.data())
def test_damage_anywhere_is_data_or_a_peer_error(name: str, data: st.DataObject) -> None:
    coding, pack = PACKERS[name]
    packed = bytearray(pack(TEXT))
    for _ in range(data.draw(st.integers(1, 4))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode(coding, bytes(packed), limit=500)
    except PeerError:
        return
