"""Compression of WebSocket messages: permessage-deflate (RFC 7692).

In: the offers of a client; out: what is agreed (`Compression`) and the field that says so. Then payloads, both ways.

Each message we send is compressed by itself, without what came before it. That costs some of the ratio for small
messages that resemble each other, and buys three things: a connection that is silent holds no compressor, a message
to a thousand peers is compressed once, and nobody can probe one message's secrets with the next one's text. What we
receive is bounded too: a peer that can be told so keeps to a window of 4 KiB, and any other forgets between messages.
"""

import zlib
from typing import NamedTuple

from portico.errors import PeerError
from portico.http.fields import split_list

EXTENSION = "permessage-deflate"
_TAIL = b"\x00\x00\xff\xff"  # what a sender leaves off the end of each message (RFC 7692 7.2.1)
_MIN_BITS = 8
_MAX_BITS = 15
_ZLIB_MIN_BITS = 9  # zlib makes no raw stream with less
_RECEIVE_BITS = 12
_MIN_SIZE = 96  # a shorter message hardly shrinks; it goes as it is, which RFC 7692 6 allows for each message
_MAX_STREAMS = 16  # complete deflate streams in one message, where one is usual (7.2.3.4)
_LEVEL = 6
# A value is a token or the same in quotes (RFC 6455 9.1).
_WINDOWS = {text: bits for bits in range(_MIN_BITS, _MAX_BITS + 1) for text in (str(bits), f'"{bits}"')}


class Compression(NamedTuple):
    """What both sides agreed on, seen from ours.

    send_bits, receive_bits: base-2 logarithm of the window, 9 to 15 and 8 to 15.
    peer_forgets: the peer, too, compresses each message by itself.
    """

    send_bits: int
    receive_bits: int
    peer_forgets: bool


def negotiate(offers: str) -> tuple[Compression, str] | None:
    """Choose from what a client offers.

    offers: the value of Sec-WebSocket-Extensions, "" without one; several offers stand in order of preference.
    Returns what is agreed and the value to answer with, or None where no offer is acceptable.
    """
    for offer in split_list(offers):
        parameters = _parse_offer(offer)
        if parameters is not None:
            send_bits = parameters.get("server_max_window_bits", _MAX_BITS)
            if send_bits >= _ZLIB_MIN_BITS:
                return _agree(parameters, send_bits)
    return None


def _agree(parameters: dict[str, int], send_bits: int) -> tuple[Compression, str]:
    answer = [EXTENSION, "server_no_context_takeover"]
    if "server_max_window_bits" in parameters:
        answer.append(f"server_max_window_bits={send_bits}")
    receive_bits = _MAX_BITS
    # Only a client that mentions it can be asked for a smaller window (7.1.2.2).
    can_shrink = "client_max_window_bits" in parameters
    if can_shrink:
        receive_bits = min(parameters["client_max_window_bits"], _RECEIVE_BITS)
        answer.append(f"client_max_window_bits={receive_bits}")
    forgets = not can_shrink or "client_no_context_takeover" in parameters
    if forgets:
        answer.append("client_no_context_takeover")
    return Compression(send_bits, receive_bits, forgets), "; ".join(answer)


def _parse_offer(offer: str) -> dict[str, int] | None:
    """Read one offer (7.1); None for another extension, and for parameters that are unknown, double or malformed."""
    name, *rest = (part.strip(" \t") for part in offer.split(";"))
    if name.lower() != EXTENSION:
        return None
    parameters: dict[str, int] = {}
    for part in rest:
        key, equals, value = (text.strip(" \t") for text in part.partition("="))
        bits = _parse_parameter(key.lower(), value if equals else None)
        if bits is None or key.lower() in parameters:
            return None
        parameters[key.lower()] = bits
    return parameters


def _parse_parameter(key: str, value: str | None) -> int | None:
    """Return the number of a window's bits, 1 for a flag, None for what may not stand there."""
    if key in ("server_no_context_takeover", "client_no_context_takeover"):
        return 1 if value is None else None
    if key == "client_max_window_bits" and value is None:
        return _MAX_BITS
    if key in ("server_max_window_bits", "client_max_window_bits"):
        return _WINDOWS.get(value or "")
    return None


def deflate(data: bytes, bits: int) -> bytes | None:
    """Compress one message by itself.

    bits: of the largest window allowed; less is used, and allocated, where the message is shorter.
    Returns None where compressing it does not pay.
    """
    if len(data) < _MIN_SIZE:
        return None
    bits = max(_ZLIB_MIN_BITS, min(bits, len(data).bit_length()))
    # The memory level goes with the window as in zlib's own default: 15 and 8.
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -bits, bits - 7)
    packed = packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
    return packed[:-4] if len(packed) - 4 < len(data) else None


class Inflater:
    """Decompress the messages of one peer, no further than asked. Holds nothing between messages of one who forgets."""

    __slots__ = ("_forgets", "_stream", "_streams", "_window")

    def __init__(self, compression: Compression) -> None:
        self._window = -max(compression.receive_bits, _ZLIB_MIN_BITS)
        self._forgets = compression.peer_forgets
        self._stream: zlib._Decompress | None = None
        self._streams = 0

    def inflate(self, data: bytes, room: int, *, is_end: bool) -> bytes:
        """Decompress a piece of a message.

        room: the most bytes it may become. is_end: the message ends with this piece.
        Raises PeerError(1009) for more, PeerError(1007) for what is no deflate stream.
        """
        if is_end:
            data += _TAIL
        result = b""
        while data:
            if self._stream is None:
                self._stream = self._begin()
            try:
                result += self._stream.decompress(data, room + 1 - len(result))
            except zlib.error as exc:
                raise PeerError(1007, "a compressed message is no deflate stream") from exc
            if len(result) > room:
                raise PeerError(1009, "a compressed message is too big when unpacked")
            data = self._stream.unused_data
            if self._stream.eof:  # a final block, behind which another stream may begin (RFC 7692 7.2.3.4)
                self._stream = None
        if is_end:
            self._streams = 0
            if self._forgets:
                self._stream = None
        return result

    def _begin(self) -> "zlib._Decompress":
        self._streams += 1
        if self._streams > _MAX_STREAMS:
            raise PeerError(1007, f"a compressed message of over {_MAX_STREAMS} deflate streams")
        return zlib.decompressobj(self._window)
