"""Forms with files: multipart/form-data, read from the disk while it is sent (RFC 7578).

In: parts, or the words that curl's -F takes. Out: a `Form`, a body in pieces whose length is known before it is sent.

    name=value           the text itself          name=value;type=text/csv
    name=@FILE           a file, with its name    name=@FILE;type=image/png;filename="other name.png"
    name=<FILE           a file's content as if it had been typed
    name=@-  name=<-     standard input, which no two parts can be; the form then has no length

A quoted path, `name=@"a;type=b"`, may hold anything; a comma is part of a path. Names are written as browsers do: in
UTF-8, with `"` and line ends as %22, %0D and %0A, so that no name can end its line.

The invariant: what is sent is what was promised. A file that grew or shrank meanwhile ends the form in an error before
its last boundary, so no server takes half of it for the whole.
"""

import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from portico.errors import ConfigError, Refused, UsageError, excerpt
from portico.http.fields import is_field_value
from portico.http.media_types import media_type

PIECE_BYTES: Final = 256 * 1024
STDIN: Final = "-"

_UNKNOWN: Final = "application/octet-stream"
_OPTION = re.compile(r";(type|filename)=")
_QUOTED_PAIR = re.compile(r'\\(["\\])')
_LINE_END = re.compile(r"\r\n|\r|\n")
# https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data
_ESCAPES: Final = {ord('"'): "%22", ord("\r"): "%0D", ord("\n"): "%0A"}


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a form.

    value: what it says, unless there is a path. path: of the file to send instead, "-" for standard input.
    filename: what the server is told the file is called; None for a part that is no file.
    media_type: "" to say none.
    """

    name: str
    value: bytes = b""
    path: str = ""
    filename: str | None = None
    media_type: str = ""


def file_part(name: str, path: str | os.PathLike[str]) -> Part:
    """Make a part of a file, with its own name, and the media type that its name suggests."""
    where = os.fspath(path)
    filename = os.path.basename(where)
    return Part(name, path=where, filename=filename, media_type=_guess(filename))


def read_part(word: str) -> Part:
    """Read a part as curl's -F takes it, in one of the forms that the module's docstring lists.

    Raises UsageError for a word without a name, and for an option that cannot be sent.
    """
    name, equals, rest = word.partition("=")
    if not equals or not name:
        raise UsageError(f"-F {excerpt(word)} is not a part of a form; write name=value or name=@FILE")
    if not rest.startswith(("@", "<")):
        value, options = _split_options(rest, ("type",), word)
        return Part(name, _bytes(value), media_type=options.get("type", ""))
    path, options = _split_options(rest[1:], ("type", "filename"), word)
    if not path:
        raise UsageError(f"-F {excerpt(word)} names no file; write name=@FILE, or name=@- for standard input")
    filename = options.get("filename", os.path.basename(path) if rest[0] == "@" else None)
    guessed = "" if filename is None else _guess(filename, os.path.basename(path))
    return Part(name, path=path, filename=filename, media_type=options.get("type", guessed))


def read_form(words: Iterable[str], stdin: BinaryIO | None = None) -> "Form":
    """Make a form of the words that curl's -F takes. stdin: what "-" stands for; None for the process's own.

    Raises UsageError as `read_part` does, and what `Form` does.
    """
    return Form([read_part(word) for word in words], stdin=stdin)


class Form:
    """A form as the body of a request; it can be sent again, unless standard input is part of it.

    parts: in the order in which they are sent. boundary: for tests; None makes one that occurs in no file.
    stdin: as for `read_form`.
    length: in bytes; None where a part is standard input or a pipe. content_type: the value of that field.
    Raises UsageError for names that are not Unicode, and for standard input twice; ConfigError for a file that cannot
    be read, or is a folder.
    """

    def __init__(self, parts: Iterable[Part], *, boundary: str | None = None, stdin: BinaryIO | None = None) -> None:
        self._parts = tuple(parts)
        self._boundary = boundary or f"------------------------{os.urandom(16).hex()}"
        self._stdin = stdin
        self._is_stdin_used = False
        if [part.path for part in self._parts].count(STDIN) > 1:
            raise UsageError("standard input can be one part of a form, not several; put it in a file first")
        self._sizes = tuple(_size(part) for part in self._parts)
        self.content_type = f"multipart/form-data; boundary={self._boundary}"
        self.length = self._measure()

    def pieces(self) -> Iterator[bytes]:
        """Yield the form from its beginning, some 256 KiB at a time; no piece is empty.

        Raises Refused where a file is not what it was, or standard input has been sent before.
        """
        waiting = bytearray()
        for part, size in zip(self._parts, self._sizes, strict=True):
            waiting += self._head(part)
            for data in self._content(part, size):
                if len(waiting) + len(data) < PIECE_BYTES:
                    waiting += data
                    continue
                if waiting:
                    yield bytes(waiting)
                    waiting.clear()
                yield data
            waiting += b"\r\n"
        yield bytes(waiting) + self._end()

    def _measure(self) -> int | None:
        total = len(self._end())
        for part, size in zip(self._parts, self._sizes, strict=True):
            if size is None:
                return None
            total += len(self._head(part)) + size + 2
        return total

    def _head(self, part: Part) -> bytes:
        # Browsers make one kind of line end of all in a name, and leave a file's name as it is.
        name = _escaped(_LINE_END.sub("\r\n", part.name))
        lines = [f'Content-Disposition: form-data; name="{name}"']
        if part.filename is not None:
            lines[0] += f'; filename="{_escaped(part.filename)}"'
        if part.media_type:
            lines.append(f"Content-Type: {part.media_type}")
        return _bytes("\r\n".join([f"--{self._boundary}", *lines, "", ""]))

    def _end(self) -> bytes:
        return f"--{self._boundary}--\r\n".encode("ascii")

    def _content(self, part: Part, size: int | None) -> Iterator[bytes]:
        if not part.path:
            yield part.value
        elif part.path == STDIN:
            if self._is_stdin_used:
                raise Refused("standard input has been sent already and cannot be sent again; put it in a file first")
            self._is_stdin_used = True
            yield from _read(self._stdin or sys.stdin.buffer, STDIN, None)
        else:
            try:
                file = _open(part.path)
            except OSError as exc:
                raise Refused(f"{excerpt(part.path)} cannot be read any more: {exc.strerror}") from exc
            with file:
                yield from _read(file, part.path, size)


def _split_options(text: str, names: tuple[str, ...], word: str) -> tuple[str, dict[str, str]]:
    """Take `;type=` and `;filename=` off the end; those not in `names` are part of the text."""
    start = 0
    if text.startswith('"') and "filename" in names:
        closing = re.match(r'"(?:[^"\\]|\\.)*"', text, re.DOTALL)
        start = 0 if closing is None else closing.end()
    found = [match for match in _OPTION.finditer(text, start) if match[1] in names]
    ends = [*(match.start() for match in found), len(text)][1:]
    options = {match[1]: _unquote(text[match.end() : end]) for match, end in zip(found, ends, strict=True)}
    kind = options.get("type")
    if kind is not None and ("/" not in kind or not kind.isascii() or not is_field_value(kind)):
        raise UsageError(f"-F {excerpt(word)}: {excerpt(kind)} is not a media type, as text/plain")
    value = text[: found[0].start()] if found else text
    return (_unquote(value) if start else value), options


def _unquote(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == '"':
        return _QUOTED_PAIR.sub(r"\1", text[1:-1])
    return text


def _guess(*names: str) -> str:
    """Return the media type that the first name suggests which suggests one, without a charset: nobody has looked."""
    found = (media_type(name).partition(";")[0] for name in names)
    return next((kind for kind in found if kind != _UNKNOWN), _UNKNOWN)


def _escaped(name: str) -> str:
    return name.translate(_ESCAPES)


def _bytes(text: str) -> bytes:
    """Write as UTF-8; bytes of the command line or of a file's name that were none go through as they were."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as exc:
        raise UsageError(f"{excerpt(text)} holds half a character (a lone surrogate); leave it out") from exc


def _size(part: Part) -> int | None:
    """Return how long a part is, None where that shows only at its end."""
    if not part.path:
        return len(part.value)
    if part.path == STDIN:
        return None
    try:
        status = os.stat(part.path)
        if stat.S_ISREG(status.st_mode):
            # Found out now rather than in the middle of the request.
            _open(part.path).close()
            return status.st_size
    except (OSError, ValueError) as exc:
        raise ConfigError(f"-F: {excerpt(part.path)} cannot be read: {_why(exc)}") from exc
    if stat.S_ISDIR(status.st_mode):
        raise ConfigError(f"-F: {excerpt(part.path)} cannot be sent: it is a folder; name a file in it")
    return None


def _why(exc: OSError | ValueError) -> str:
    return getattr(exc, "strerror", None) or str(exc)


def _open(path: str) -> BinaryIO:
    return open(path, "rb", buffering=0)


def _read(file: BinaryIO, path: str, size: int | None) -> Iterator[bytes]:
    """Yield a file's content, which has to be `size` bytes; None takes what comes."""
    sent = 0
    while True:
        try:
            data = file.read(PIECE_BYTES)
        except OSError as exc:
            raise Refused(f"{excerpt(path)} cannot be read further: {exc.strerror}") from exc
        if size is not None and (sent + len(data) > size or (not data and sent < size)):
            raise Refused(f"{excerpt(path)} changed while it was sent: it had {size} bytes; send it again")
        if not data:
            return
        sent += len(data)
        yield data
