"""What `-v` shows: both heads as they went over the wire, and what happened between, on standard error.

    * connected to 127.0.0.1:8000
    > GET / HTTP/1.1
    < HTTP/1.1 200 OK

In: what the client tells its observer. Out: lines. Credentials are masked, so that what a person pastes into a report
opens no door; `--show-secrets` shows them. Nothing of the peer reaches a terminal but characters.
"""

import re
from collections.abc import Callable
from typing import Final

from portico.cli.pretty import safe

# The scheme of credentials is no secret, nor is the name of a cookie, nor what says how long it lasts.
_SECRETS: Final = (
    (re.compile(r"^((?:proxy-)?authorization:[ \t]*)([A-Za-z0-9\-]+[ \t]+)?\S.*$", re.IGNORECASE), r"\1\2***"),
    (re.compile(r"^(set-cookie:[ \t]*[^=;\s]*=)[^;]*", re.IGNORECASE), r"\1***"),
)
_COOKIE: Final = re.compile(r"^(cookie:)(.*)$", re.IGNORECASE)
_PAIR: Final = re.compile(r"=[^;]*")


def masked(line: str) -> str:
    """Return a line of a head without what is secret in it."""
    for pattern, shown in _SECRETS:
        if pattern.match(line):
            return pattern.sub(shown, line)
    if match := _COOKIE.match(line):
        return match[1] + _PAIR.sub("=***", match[2])
    return line


class Trace:
    """The client's observer. Keeps the last head received, for `-i`.

    write: takes a line for people; None where nothing is shown. shows_secrets: with `--show-secrets`.
    """

    def __init__(self, write: Callable[[str], object] | None, *, shows_secrets: bool) -> None:
        self._write = write
        self._shows_secrets = shows_secrets
        self.last = b""

    def sent(self, head: bytes) -> None:
        """Show a request head."""
        self._show("> ", head)

    def received(self, head: bytes) -> None:
        """Show a response head."""
        self.last = head
        self._show("< ", head)

    def remark(self, text: str) -> None:
        """Show what else happens."""
        if self._write is not None:
            self._write(f"* {safe(text)}")

    def _show(self, mark: str, head: bytes) -> None:
        if self._write is None:
            return
        for line in head.decode("utf-8", "replace").removesuffix("\r\n\r\n").split("\r\n"):
            shown = line if self._shows_secrets else masked(line)
            self._write(f"{mark}{safe(shown)}".rstrip())
        self._write(mark.rstrip())
