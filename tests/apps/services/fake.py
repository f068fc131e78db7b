"""A connection without sockets: what the peer sends is a list of pieces, what it gets is kept."""

import asyncio
from collections.abc import Sequence

from portico.server.peer import Peer
from portico.server.service import StreamService
from portico.wire.charset import Charset

SOMEBODY = Peer("127.0.0.1", 51234)


class FakeStream:
    """What a stream service may use of a `Stream`. sent: bytes; told: lines of the log."""

    def __init__(self, pieces: Sequence[bytes], encoding: str) -> None:
        self.peer = SOMEBODY
        self.sent: list[bytes] = []
        self.told: list[str] = []
        self._charset = Charset(encoding)
        self._pieces = list(pieces)

    @property
    def encoding(self) -> str:
        return self._charset.name

    async def receive(self, limit: int = 65536) -> bytes:
        if not self._pieces:
            return b""
        piece = self._pieces.pop(0)
        if piece[limit:]:
            self._pieces.insert(0, piece[limit:])
        return piece[:limit]

    async def send(self, data: bytes | str) -> None:
        self.sent.append(data if isinstance(data, bytes) else self._charset.encode(data))

    def decode(self, data: bytes) -> str:
        return self._charset.decode(data)

    def tell(self, text: str) -> None:
        self.told.append(text)


def talk(service: StreamService, *pieces: bytes, encoding: str = "auto") -> FakeStream:
    """Let a service have a whole conversation. encoding: that of the settings."""
    stream = FakeStream(pieces, service.encoding or encoding)
    asyncio.run(service(stream))
    return stream
