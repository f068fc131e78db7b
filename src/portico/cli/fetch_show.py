"""What becomes of an answer that goes to standard output: exact bytes into a pipe, readable text onto a terminal.

In: a response whose body is still to come. Out: bytes on a descriptor. A terminal gets no escapes of the server, no
binary data, JSON indented and colours; what streams in is shown as it comes.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Final

from portico.cli.fetch_text import charset_of, is_text, text_decoder
from portico.cli.pretty import MOST_COLOURED, MOST_INDENTED, Kind, finish, kind_of, safe
from portico.cli.screen import Screen
from portico.cli.words import Words
from portico.errors import PorticoError

if TYPE_CHECKING:
    from portico.client.connection import Progress
    from portico.client.response import Response

# What is shown only once it is there as a whole; anything longer is shown as it comes, as plain text.
_WHOLE: Final[dict[Kind, int]] = {"json": MOST_INDENTED, "html": MOST_COLOURED, "xml": MOST_COLOURED, "": 0}


def copy(response: "Response", fd: int, head: bytes, came: "Progress | None" = None) -> None:
    """Write an answer to a descriptor, byte by byte.

    head: to be written before it, b"" for none. came: hears of each piece of the body how long it was.
    Raises Refused where nobody takes it, Gone and PeerError where it is not whole.
    """
    if head:
        from portico.client.connection import write_all

        write_all(fd, head)
    response.copy_to(fd, came)


def show(response: "Response", screen: Screen, words: Words, *, head: bytes) -> str:
    """Show an answer on a terminal.

    head: to be shown before it, b"" for none. Returns a remark for the person, "" where there is none: that the body
    is no text, or that there is none and the status says why. Raises OSError where the terminal has gone, Gone and
    PeerError where the body is not whole.
    """
    if head:
        _write(screen, _head_text(head, screen))
    pieces = response.pieces()
    first = next(pieces, b"")
    content_type = response.values.get("content-type", "")
    if not first:
        return "" if head or response.is_ok else _empty(response, words)
    if not is_text(content_type, first):
        response.close()
        return words("get-binary", type=safe(content_type.partition(";")[0].strip()) or words("get-no-type"))
    _show_text(screen, chain([first], pieces), charset_of(content_type, first), kind_of(content_type))
    return ""


def _empty(response: "Response", words: Words) -> str:
    return words("get-empty", status=safe(f"{response.status} {response.reason}".rstrip()))


def _show_text(screen: Screen, pieces: Iterable[bytes], charset: str, kind: Kind) -> None:
    whole: list[str] = []
    length, last = 0, "\n"
    try:
        for text in decoded(pieces, charset):
            length, last = length + len(text), text
            if length <= _WHOLE[kind]:
                whole.append(text)
                continue
            _write(screen, safe("".join([*whole, text])))
            whole, kind = [], ""
    except PorticoError:
        _write(screen, safe("".join(whole)))
        if not last.endswith("\n"):
            _write(screen, "\n")  # what went wrong is told on a line of its own
        raise
    if whole:
        last = finish("".join(whole), kind, has_colour=screen.has_colour)
        _write(screen, last)
    if not last.endswith("\n"):
        _write(screen, "\n")


def decoded(pieces: Iterable[bytes], charset: str) -> Iterator[str]:
    """Yield the text of a body; no CR LF is ever divided, so that `safe` knows it from a CR alone."""
    decoder = text_decoder(charset)
    held = ""
    for piece in pieces:
        text = held + decoder.decode(piece)
        held = "\r" if text.endswith("\r") else ""
        if text := text.removesuffix("\r"):
            yield text
    if text := held + decoder.decode(b"", True):
        yield text


def _head_text(head: bytes, screen: Screen) -> str:
    lines = head.decode("utf-8", "replace").removesuffix("\r\n\r\n").split("\r\n")
    first, *fields = map(safe, lines)
    painted = [
        f"{screen.paint(name, 'cyan')}{colon}{value}" for name, colon, value in (f.partition(":") for f in fields)
    ]
    return "\n".join([screen.paint(first, "bold"), *painted, "", ""])


def _write(screen: Screen, text: str) -> None:
    screen.write(text.encode("utf-8", "replace"))
