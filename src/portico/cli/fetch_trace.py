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

_HIDDEN: Final = "***"


def masked(line: str) -> str:
    """Return a line of a head without what is secret in it: the scheme of credentials and names of cookies stay."""
    name, colon, value = line.partition(":")
    mask = _MASKS.get(name.strip().lower())
    return f"{name}{colon}{mask(value)}" if mask is not None and value.strip() else line


def _credentials(value: str) -> str:
    match = re.match(r"\s*[!-~]+[ \t]+(?=\S)", value)
    return f"{match[0] if match else ' '}{_HIDDEN}"


def _pair(text: str) -> str:
    name, equals, _ = text.partition("=")
    return f"{name}={_HIDDEN}" if equals else f" {_HIDDEN}"


def _cookies(value: str) -> str:
    return ";".join(map(_pair, value.split(";")))


def _set_cookie(value: str) -> str:
    pair, semicolon, attributes = value.partition(";")
    return f"{_pair(pair)}{semicolon}{attributes}"


_MASKS: Final = {
    "authorization": _credentials,
    "proxy-authorization": _credentials,
    "cookie": _cookies,
    "set-cookie": _set_cookie,
}


class Trace:
    """The client's observer. Keeps the last head received, for `-i`.

    write: takes a line for people; None where nothing is shown. shows_secrets: with `--show-secrets`.
    translate: puts a remark into the person's language.
    """

    def __init__(
        self, write: Callable[[str], object] | None, *, shows_secrets: bool, translate: Callable[[str], str] = str
    ) -> None:
        self._write = write
        self._translate = translate
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
            self._write(f"* {self._translate(safe(text))}")

    def _show(self, mark: str, head: bytes) -> None:
        if self._write is None:
            return
        for line in head.decode("utf-8", "replace").removesuffix("\r\n\r\n").split("\r\n"):
            shown = line if self._shows_secrets else masked(line)
            # A line feed alone ends no line of HTTP: what stands behind it must not look like a line of ours.
            self._write(f"{mark}{safe(shown)}".replace("\n", "\\x0a").rstrip())
        self._write(mark.rstrip())
