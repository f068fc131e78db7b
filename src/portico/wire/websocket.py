"""WebSocket on the wire, sans-IO, both roles (RFC 6455, with the compression of RFC 7692).

    feed -> _feed -> read_head -> _take_control | _begin_frame, _take_piece -> events

In: bytes from the peer (`feed`, `feed_eof`), messages to send (`send_*`). Out: events, and bytes (`outgoing`).

A message is handed over whole, and refused as soon as it is known to be too big or not to be UTF-8. Nothing is answered
here by itself: whoever drives the codec knows how many pongs the peer will read, and what is still to be said to the
messages that came before a close frame, or before the frame that was refused. `answer_close` ends it then.
Invariant: after CloseReceived, FrameRefused or InputEnded there is no further event; once `closing` is set, no message
may be sent.
"""

import codecs
from collections.abc import Callable, Sequence

from portico.errors import PeerError, UsageError, excerpt
from portico.wire.deflate import Compression, Inflater, deflate
from portico.wire.events import InputEnded
from portico.wire.frames import MAX_CONTROL, FrameHead, Opcode, apply_mask, read_head, rotate_mask, write_head
from portico.wire.messages import (
    MAX_REASON,
    FrameRefused,
    MessageReceived,
    PingReceived,
    PongReceived,
    SocketEvent,
    is_close_code,
    read_close,
    write_close,
)

_JOINED = 16 * 1024  # a longer payload is not copied behind its head
_REMEMBERED = 1024 * 1024  # a longer message is not worth keeping for the next peer
_KEPT_APART = 4096  # shorter pieces of a message are gathered, or single bytes would cost fifty each


class FrameMemo:
    """The last message sent and its frames, so that one sent to many is framed, and compressed, once.

    Shared by the codecs of a server. message: compared by identity, which is safe because it is kept.
    frames: by the size of the window, 0 for uncompressed.
    """

    __slots__ = ("frames", "message")

    def __init__(self) -> None:
        self.message: str | bytes | None = None
        self.frames: dict[int, tuple[bytes, ...]] = {}


class WebSocketCodec:
    """One side of one WebSocket, after the handshake.

    max_message: bytes of the largest message accepted, as UTF-8 for text.
    compression: what was negotiated, None for nothing. memo: shared by the server's codecs.
    new_mask: returns four unpredictable bytes; given to a client, which masks what it sends (5.3).
    mask: does what `frames.apply_mask` does, as fast as it can be done here.
    frames: received so far. is_deaf: no further event will come. is_ending: a close frame was sent, so no message may
    follow. closing: the connection must be closed once `outgoing` is written; a client lets the server do so
    first (7.1.1).
    """

    __slots__ = (
        "_answer",
        "_apply_mask",
        "_compression",
        "_inflater",
        "_is_at_rest",
        "_is_compressed",
        "_is_final",
        "_is_inside",
        "_left",
        "_mask",
        "_max_message",
        "_memo",
        "_new_mask",
        "_opcode",
        "_out",
        "_pieces",
        "_size",
        "_tail",
        "_utf8",
        "closing",
        "frames",
        "is_deaf",
        "is_ending",
    )

    def __init__(
        self,
        max_message: int,
        compression: Compression | None = None,
        *,
        memo: FrameMemo | None = None,
        new_mask: Callable[[], bytes] | None = None,
        mask: Callable[[bytes, bytes], bytes] = apply_mask,
    ) -> None:
        self._max_message = max_message
        self._compression = compression
        self._memo = memo or FrameMemo()
        self._new_mask = new_mask
        self._apply_mask = mask
        self._inflater: Inflater | None = None
        self._out: list[bytes] = []
        self._tail = b""  # the beginning of a frame whose head, or control payload, is not complete
        self._is_inside = False  # a data frame's head has come, its payload not wholly
        self._left = 0  # bytes of it to come
        self._mask = b""  # for the next of them
        self._is_final = False  # that frame is its message's last
        self._opcode = 0  # of the message under way; 0 without one
        self._is_compressed = False
        self._pieces: list[bytes | bytearray] = []
        self._size = 0  # bytes of them
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        self._is_at_rest = new_mask is None  # of a server, between two messages: the short way may be tried
        self.frames = 0
        self._answer = b""  # payload of the close frame that answers the peer's
        self.closing = False
        self.is_deaf = False
        self.is_ending = False
        self._end_message()

    # receiving

    def feed(self, data: bytes) -> Sequence[SocketEvent]:
        """Take bytes from the peer and return what they mean, in order.

        data: any number of bytes.
        """
        if self._is_at_rest:
            message = self._read_whole(data, len(data))
            if message is not None:
                self.frames += 1
                return (MessageReceived(message),)
        if self.is_deaf:
            return ()
        events: list[SocketEvent] = []
        self._is_at_rest = False
        try:
            self._feed(self._tail + data if self._tail else data, events)
        except PeerError as fault:
            events.append(FrameRefused(fault.status, str(fault)))
            self.refuse(fault.status, str(fault))
        return events

    def _read_whole(self, data: bytes, size: int) -> str | bytes | None:
        """Read what is exactly one message in one frame of a client, as nearly all are: the general way, unrolled.

        Returns None for anything else, and for what is wrong: the general way says why.
        """
        if size < 6 or (data[0] != 0x81 and data[0] != 0x82):
            return None
        if data[1] == size + 122 and size < 132:
            start = 6
        elif data[1] == 0xFE and size >= 134 and data[2] << 8 | data[3] == size - 8:
            start = 8
        else:
            return None
        if size - start > self._max_message:
            return None
        payload = self._apply_mask(data[start:], data[start - 4 : start])
        if data[0] == 0x82:
            return payload
        try:
            return payload.decode()
        except UnicodeDecodeError:
            return None

    def feed_eof(self) -> Sequence[SocketEvent]:
        """Say that the peer has closed its side; that is an event unless another ended the input before."""
        if self.is_deaf:
            return ()
        self._end_input(b"")
        self.is_ending = self.closing = True
        return (InputEnded(),)

    def _feed(self, data: bytes, events: list[SocketEvent]) -> None:
        size = len(data)
        at = 0
        while not self.is_deaf:
            if not self._is_inside:
                head = read_head(data, at)
                if head is None or (head.opcode >= Opcode.CLOSE and size < head.end + head.length):
                    break
                self._check_head(head)
                self.frames += 1
                at = head.end
                if head.opcode >= Opcode.CLOSE:
                    payload = data[at : at + head.length]
                    if head.mask:
                        payload = self._apply_mask(payload, head.mask)
                    at += head.length
                    self._take_control(head.opcode, payload, events)
                    continue
                self._begin_frame(head)
            elif at == size:
                break
            piece = data[at : at + self._left] if at or self._left < size else data
            at += len(piece)
            self._take_piece(piece, events)
        self._tail = data[at:] if not self.is_deaf else b""
        if not (self._tail or self._opcode or self.is_deaf):
            self._is_at_rest = self._new_mask is None

    def _check_head(self, head: FrameHead) -> None:
        """Refuse a frame that may not come here, before its payload does."""
        if bool(head.mask) is bool(self._new_mask):
            raise PeerError(1002, "a frame of a server is masked" if head.mask else "a frame of a client is not masked")
        if head.opcode >= Opcode.CLOSE:
            return
        if bool(head.opcode) is bool(self._opcode):
            raise PeerError(1002, "a message begins within another" if head.opcode else "a continuation of nothing")
        if head.is_compressed and self._compression is None:
            raise PeerError(1002, "a compressed message, but compression was not agreed on")
        # What cannot be compressed becomes a little longer: 5 bytes for each stored block.
        slack = 64 + (self._max_message >> 10) if head.is_compressed or self._is_compressed else 0
        if self._size + head.length > self._max_message + slack:
            raise PeerError(1009, f"a message of over {self._max_message} bytes")

    def _begin_frame(self, head: FrameHead) -> None:
        self._is_inside = True
        self._left = head.length
        self._mask = head.mask
        self._is_final = head.is_final
        if head.opcode:
            self._opcode = head.opcode
            self._is_compressed = head.is_compressed

    def _take_piece(self, piece: bytes, events: list[SocketEvent]) -> None:
        """Take a piece of the payload under way, all of it as a rule."""
        self._left -= len(piece)
        if self._mask:
            masked = piece
            piece = self._apply_mask(masked, self._mask)
            if self._left:
                self._mask = rotate_mask(self._mask, len(masked))
        self._is_inside = self._left > 0
        is_end = self._is_final and not self._is_inside
        if self._is_compressed:
            piece = self._inflate(piece, is_end)
        self._size += len(piece)
        if is_end and not self._pieces:
            message: str | bytes = self._decode(piece) if self._opcode == Opcode.TEXT else piece
        else:
            if self._opcode == Opcode.TEXT:
                self._check_text(piece, is_end)
            self._keep(piece)
            if not is_end:
                return
            whole = b"".join(self._pieces)
            message = whole.decode() if self._opcode == Opcode.TEXT else whole
        self._end_message()
        events.append(MessageReceived(message))

    def _inflate(self, piece: bytes, is_end: bool) -> bytes:
        assert self._compression is not None
        if self._inflater is None:
            self._inflater = Inflater(self._compression)
        return self._inflater.inflate(piece, self._max_message - self._size, is_end=is_end)

    def _decode(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError as exc:
            raise PeerError(1007, "a text message is not UTF-8") from exc

    def _check_text(self, piece: bytes, is_end: bool) -> None:
        """Refuse what cannot become UTF-8 any more, however it goes on (8.1)."""
        try:
            self._utf8.decode(piece, is_end)
        except UnicodeDecodeError as exc:
            raise PeerError(1007, "a text message is not UTF-8") from exc

    def _keep(self, piece: bytes) -> None:
        pieces = self._pieces
        if len(piece) >= _KEPT_APART:
            pieces.append(piece)
        elif pieces and isinstance(pieces[-1], bytearray):
            pieces[-1] += piece
        else:
            pieces.append(bytearray(piece))

    def _end_message(self) -> None:
        """Make ready for the next message."""
        self._opcode = 0
        self._is_compressed = False
        self._size = 0
        if self._pieces:
            self._pieces = []
            self._utf8.reset()

    def _take_control(self, opcode: int, payload: bytes, events: list[SocketEvent]) -> None:
        if opcode == Opcode.PING:
            events.append(PingReceived(payload))
        elif opcode == Opcode.PONG:
            events.append(PongReceived(payload))
        else:
            events.append(read_close(payload))
            self._end_input(payload[:2])

    def refuse(self, code: int, reason: str) -> None:
        """Read nothing more, for a reason that is not the codec's; `answer_close` will say it."""
        if not self.is_deaf:
            self._end_input(write_close(code, reason))

    def _end_input(self, answer: bytes) -> None:
        """Read nothing from here on. answer: payload of the close frame that is due."""
        self._answer = answer
        self._is_at_rest = False
        self._tail = b""
        self._pieces = []
        self.is_deaf = True
        self.closing = self.is_ending

    # sending

    def send_message(self, data: str | bytes) -> None:
        """Send text or bytes as one message in one frame.

        Raises UsageError for anything else, for text with lone surrogates, and after a close frame.
        """
        if self.is_ending:
            raise UsageError("a message cannot follow a close frame")
        if self._new_mask is not None:
            self._out += self._frame(data, self._compression.send_bits if self._compression else 0)
            return
        memo = self._memo
        if memo.message is not data:
            memo.message = None
            memo.frames = {}
        bits = self._compression.send_bits if self._compression else 0
        frame = memo.frames.get(bits)
        if frame is None:
            frame = self._frame(data, bits)
            if len(data) <= _REMEMBERED:
                memo.message = data
                memo.frames[bits] = frame
        self._out += frame

    def _frame(self, data: str | bytes, bits: int) -> tuple[bytes, ...]:
        """Frame a message: in one piece, or head and payload where joining them costs more than a second write."""
        if isinstance(data, str):
            try:
                payload = data.encode()
            except UnicodeEncodeError as exc:
                raise UsageError(f"{excerpt(data)} has lone surrogates, which UTF-8 cannot carry") from exc
            opcode: int = Opcode.TEXT
        elif type(data) is bytes:
            payload = data
            opcode = Opcode.BINARY
        else:
            raise UsageError(f"a message is str or bytes, not {type(data).__name__}")
        packed = deflate(payload, bits) if bits else None
        if packed is not None:
            payload = packed
        return self._pack(opcode, payload, packed is not None)

    def _pack(self, opcode: int, payload: bytes, is_compressed: bool = False) -> tuple[bytes, ...]:
        new_mask = self._new_mask
        head = write_head(opcode, len(payload), is_compressed=is_compressed, is_masked=new_mask is not None)
        if new_mask is not None:
            mask = new_mask()
            head += mask
            payload = self._apply_mask(payload, mask)
        return (head + payload,) if len(payload) <= _JOINED else (head, payload)

    def _send(self, opcode: int, payload: bytes) -> None:
        self._out += self._pack(opcode, payload)

    def send_ping(self, data: bytes = b"") -> None:
        """Send a ping. data: at most 125 bytes, which the pong will repeat; UsageError for more."""
        self._send_control(Opcode.PING, data)

    def send_pong(self, data: bytes = b"") -> None:
        """Send a pong. data: of the ping that it answers; at most 125 bytes, UsageError for more."""
        self._send_control(Opcode.PONG, data)

    def _send_control(self, opcode: int, data: bytes) -> None:
        if len(data) > MAX_CONTROL:
            raise UsageError(f"a ping or pong carries at most {MAX_CONTROL} bytes, not {len(data)}")
        if not self.is_ending:
            self._send(opcode, data)

    def send_close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake, or complete the peer's in our own words; nothing happens if we did so before.

        Raises UsageError for a code that may not be sent, and for a reason of over 123 bytes in UTF-8.
        """
        if not is_close_code(code):
            raise UsageError(f"{code} is not a close code (1000 to 1003, 1007 to 1014, 3000 to 4999)")
        if len(reason.encode(errors="replace")) > MAX_REASON:
            raise UsageError(f"a close reason has at most {MAX_REASON} bytes; {excerpt(reason)} is longer")
        if not self.is_ending:
            self._send(Opcode.CLOSE, write_close(code, reason))
            self.is_ending = True
            self.closing = self.is_deaf

    def answer_close(self) -> None:
        """Say the last word to a peer whose close frame came, or whose frame was refused; else nothing happens."""
        if self.is_deaf and not self.is_ending:
            self._send(Opcode.CLOSE, self._answer)
            self.is_ending = self.closing = True

    def outgoing(self) -> list[bytes]:
        """Return what is to be written, and forget it."""
        out = self._out
        self._out = []
        return out
