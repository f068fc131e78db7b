"""An answer becomes a file: its name, the line of progress, what is said at the end.

In: a client, what to ask, the settings. Out: an exit code, one line on standard error. What cannot be finished stays as
FILE.part, and the line says how to go on.
"""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from portico.cli.fetch_name import free_name, name_of
from portico.cli.fetch_request import Asked
from portico.cli.screen import Screen
from portico.cli.words import Words
from portico.errors import Gone, PorticoError, UsageError
from portico.http.url import parse_url
from portico.settings.asking import Keep

if TYPE_CHECKING:
    from portico.client.blocking import Client
    from portico.client.download import Saved, Watch
    from portico.client.response import Response

Came = Callable[[int], None]


class Told:
    """What is said to the person, on standard error. is_quiet: errors alone. command: who says it, in errors."""

    def __init__(self, words: Words, *, is_quiet: bool, command: str = "portico get") -> None:
        self.words = words
        self._command = command
        self.is_quiet = is_quiet
        self._screen = Screen(sys.stderr.fileno(), sys.stderr.encoding, os.environ)

    def line(self, text: str) -> None:
        """Write a line, quiet or not."""
        self._screen.line(text)

    def remark(self, text: str) -> None:
        """Write a remark, in the person's language; nothing for ""."""
        if text and not self.is_quiet:
            self.line(self.translated(text))

    def complain(self, exc: PorticoError, key: str = "") -> None:
        """Write what went wrong, in one line. key: of a text around it, "" for none."""
        why = self.translated(str(exc))
        self.line(f"{self._command}: {self.words(key, why=why) if key else why}")

    def translated(self, text: str) -> str:
        """Return a message in the person's language; it may quote what a server said."""
        from portico.cli.pretty import safe

        text = safe(text)
        if self.words.language == "en":
            return text
        from portico.cli.complaints import in_chinese

        return in_chinese(text)

    @contextmanager
    def progress(self, *, is_wanted: bool, total: int | None) -> Iterator[Came | None]:
        """Show a line of progress meanwhile, where somebody sees it; yields what is to be told of each piece."""
        if not (is_wanted and self.can_paint):
            yield None
            return
        from portico.client.download import Watch

        watch = Watch(self.remark)
        watch.begin(0, total)
        with self.painted(watch):
            yield watch.came

    @property
    def can_paint(self) -> bool:
        return self._screen.is_terminal and not self.is_quiet

    @contextmanager
    def painted(self, watch: "Watch") -> Iterator[None]:
        """Show a line of progress meanwhile, where somebody sees it."""
        if not self.can_paint:
            yield
            return
        from portico.cli.progress import Progress

        with Progress(self._screen.fd, self.words, lambda: (watch.done, watch.total)):
            yield


def save(client: "Client", asked: Asked, keep: Keep, told: Told) -> int:
    """Fetch into the file that -o or -O names; return the exit code.

    Raises what `download` raises, and UsageError for a file that exists.
    """
    if keep.output and _is_special(keep.output):
        return _pour(client, asked, keep, told=told)
    from portico.client.download import Order, Watch, download

    path = "" if keep.remote_name or os.path.isdir(keep.output) else keep.output
    known = path or _guessed(asked.url, keep)
    if known and os.path.lexists(known) and not keep.force and not _has_part(known):
        if keep.continue_ and os.path.isfile(known):
            told.remark(told.words("get-there", path=known))
            return 0
        if path:
            raise UsageError(f"{path} exists; --force replaces it")
    fields = asked.fields
    if not any(name.lower() == "accept-encoding" for name, _ in fields):
        fields = (*fields, ("Accept-Encoding", "identity"))  # a file is wanted as it is, and its size known
    order = Order(
        url=asked.url,
        choose=lambda response: path or _chosen(response, keep),
        method=asked.method,
        fields=fields,
        body=asked.body,
        path=path or (known if keep.continue_ and _has_part(known) else ""),
        replace=keep.force,
        resume=keep.continue_,
        parallel=keep.parallel,
        sha256=keep.sha256,
    )
    watch = Watch(told.remark)
    began_s = monotonic()
    try:
        with told.painted(watch):
            saved = download(client, order, watch)
    except Gone as exc:
        if not watch.can_resume:
            raise
        told.complain(exc, "get-go-on")
        return 1
    except KeyboardInterrupt:
        told.remark(_stopped(watch, told.words))
        raise
    if told.can_paint or not path:  # in a script, who has chosen the name knows it
        told.remark(_saved_line(saved, monotonic() - began_s, told.words))
    return 0


def _is_special(path: str) -> bool:
    """Say whether a path is something that cannot be renamed over: a device, a pipe."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _pour(client: "Client", asked: Asked, keep: Keep, *, told: Told) -> int:
    """Write the answer straight into a device or a pipe."""
    from portico.client.download import Watch
    from portico.client.pieces import Answered

    watch = Watch(told.remark)
    with client.stream(asked.method, asked.url, fields=asked.fields, body=asked.body) as response:
        if not response.is_ok:
            raise Answered(response.status, response.reason)
        watch.begin(0, response.length)
        fd = os.open(keep.output, os.O_WRONLY | os.O_CLOEXEC)
        try:
            with told.painted(watch):
                response.copy_to(fd, watch.came)
        finally:
            os.close(fd)
    return 0


def _guessed(url: str, keep: Keep) -> str:
    """Return the path that -O will come to unless the server says otherwise."""
    return os.path.join(keep.output, name_of("", str(parse_url(url))))


def _chosen(response: "Response", keep: Keep) -> str:
    """Return the path to save as: the server's name; another one where that is taken."""
    name = name_of(response.values.get("content-disposition", ""), response.url)

    def is_taken(name: str) -> bool:
        path = os.path.join(keep.output, name)
        is_ours = keep.force or (keep.continue_ and _has_part(path))
        return os.path.isdir(path) or (os.path.lexists(path) and not is_ours)

    return os.path.join(keep.output, free_name(name, is_taken))


def _has_part(path: str) -> bool:
    return os.path.lexists(f"{path}.part")


def _saved_line(saved: "Saved", seconds: float, words: Words) -> str:
    from portico.cli.pretty import safe
    from portico.server.access_log import duration_text, size_text

    fetched = saved.size - saved.resumed
    rate = size_text(round(fetched / seconds)) if seconds else "-"
    return words("get-saved", path=safe(saved.path), size=size_text(saved.size), time=duration_text(seconds), rate=rate)


def _stopped(watch: "Watch", words: Words) -> str:
    from portico.server.access_log import size_text

    key = "get-stopped" if watch.can_resume else "get-stopped-lost"
    return words(key, done=size_text(watch.done), path=watch.part) if watch.part else ""
