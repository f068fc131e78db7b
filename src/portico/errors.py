"""Every exception that Portico raises on purpose, arranged by who is at fault.

    PorticoError
     +- PeerError     the other side broke the protocol; carries the status it deserves
     +- Gone          the other side went away; nobody is left to answer
     |   +- WebSocketClosed  ... and said so, or not, by a close code
     +- Refused       a rule of ours said no (a path outside the root, a limit, a closed port)
     +- UsageError    the program called us wrongly
     +- ConfigError   the operator's settings cannot work (an address in use, a missing folder)

A message says what was seen, what was allowed and what to do. Bytes that came from a peer go
through `excerpt` first, so that no message is longer than a line or carries control characters.
"""


class PorticoError(Exception):
    """Base of all errors below; never raised itself."""


class PeerError(PorticoError):
    """The peer sent something the protocol forbids.

    status: the HTTP status code that answers it, 400 to 599.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Gone(PorticoError):
    """The peer closed or reset the connection before the work was done."""


class WebSocketClosed(Gone):
    """A WebSocket has ended.

    code: of the close frame, 1005 where it had none, 1006 where the connection ended without one (RFC 6455 7.4.1).
    reason: the text beside it, "" as a rule.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"the WebSocket is closed: {code}" + (f" {excerpt(reason)}" if reason else ""))
        self.code = code
        self.reason = reason


class Refused(PorticoError):
    """A rule of ours, or the other end, refuses; trying again unchanged will not help."""


class UsageError(PorticoError):
    """An argument of a public call, or a word on the command line, makes no sense."""


class ConfigError(PorticoError):
    """A setting is well formed but cannot be carried out on this machine."""


def excerpt(data: bytes | str, limit: int = 80) -> str:
    """Quote what a peer sent so that it is safe to show.

    data: any bytes or text, hostile or not.
    limit: at most this many bytes or characters of it are shown, then an ellipsis.
    Returns the `repr` of the beginning: printable, one line.
    """
    cut = data[:limit]
    return repr(cut) if len(data) <= limit else f"{cut!r}..."
