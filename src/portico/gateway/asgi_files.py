"""Files as answers: the ASGI extensions `http.response.pathsend` and `http.response.zerocopysend`.

In: a message and the cycle it belongs to; out: the file as a body's Source, sent by the kernel where it is the whole
answer, or copied in blocks where it is a part of one. The descriptor that is sent from is always our own.
"""

import asyncio
import os
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from portico.errors import Gone, Refused
from portico.gateway.asgi_message import ClientDisconnected, Message, Phase, count_of, value_of
from portico.gateway.file_source import FileSource
from portico.http.message import Span

if TYPE_CHECKING:
    from portico.gateway.asgi_http import HttpCycle

_BLOCK_BYTES = 256 * 1024


def send_path(cycle: "HttpCycle", message: Message) -> Awaitable[None]:
    """Answer with a file, by its path. Raises OSError where it cannot be opened."""
    cycle.expect(message, Phase.BODY)
    source = FileSource.open(value_of(message, "path", str))
    return _send(cycle, message, Span(source, 0, source.size))


def send_file(cycle: "HttpCycle", message: Message) -> Awaitable[None]:
    """Send a part of an open file, which the application may close at once.

    Without an offset it begins at the file's position, which moves on; without a count it goes up to the end.
    """
    if cycle.phase != Phase.MORE:
        cycle.expect(message, Phase.BODY)
    offset, count = count_of(message, "offset"), count_of(message, "count")
    file = value_of(message, "file", object)
    start = _tell(file) if offset is None else offset
    source = FileSource.of(_descriptor(file))
    length = max(source.size - start, 0)
    if count is not None:
        length = min(length, count)
    if offset is None:
        _seek(file, start + length)
    return _send(cycle, message, Span(source, start, length))


# A file object knows better than its descriptor where it is: it may have read ahead.


def _descriptor(file: Any) -> int:
    fd: int = file if isinstance(file, int) else file.fileno()
    return fd


def _tell(file: Any) -> int:
    position: int = os.lseek(file, 0, os.SEEK_CUR) if isinstance(file, int) else file.tell()
    return position


def _seek(file: Any, position: int) -> None:
    if isinstance(file, int):
        os.lseek(file, position, os.SEEK_SET)
    else:
        file.seek(position)


def _send(cycle: "HttpCycle", message: Message, span: Span) -> Awaitable[None]:
    if cycle.phase == Phase.MORE or cycle.has_trailers or message.get("more_body", False):
        return _copy(cycle, message, span)
    head = cycle.measure(span.length)
    cycle.phase = Phase.OVER
    # As much as the head announces: if the file has less, the connection is cut, as for one that shrinks.
    cycle.exchange.stream(head, (span._replace(length=head.length or 0),))
    return cycle.exchange.gone()


async def _copy(cycle: "HttpCycle", message: Message, span: Span) -> None:
    """Send a file as a piece among others."""
    source, offset, left = span
    try:
        cycle.begin(message)
        while left:
            block = memoryview(bytearray(min(left, _BLOCK_BYTES)))
            if await asyncio.to_thread(source.read_into, block, offset) < len(block):
                raise Refused("the file shrank while it was sent")
            cycle.exchange.write(block)
            await cycle.flushed()
            offset += len(block)
            left -= len(block)
    except Gone as exc:
        raise ClientDisconnected(str(exc)) from exc
    finally:
        source.close()
    if not message.get("more_body", False):
        await cycle.end_body()
