"""The opening handshake of a WebSocket, on the client's side (RFC 6455 section 4.1). Pure.

In: a URL, what subprotocols are spoken, sixteen random bytes; then the server's answer in pieces. Out: the request;
whatever came behind the answer's head. No extension is offered, so none may be agreed on.
"""

from base64 import b64encode
from collections.abc import Sequence
from typing import Final

from portico.errors import PeerError, Refused, excerpt
from portico.http.fields import split_list
from portico.http.url import Url
from portico.settings import Limits
from portico.wire.events import StatusHead
from portico.wire.fields import field_lines
from portico.wire.handshake import VERSION, accept_key
from portico.wire.http1 import parse_status_head

_LIMITS: Final = Limits()
_END: Final = b"\r\n\r\n"


class Opening:
    """One handshake. nonce: 16 unpredictable bytes. subprotocols: the best first.

    request: to be sent first. subprotocol: what the server has chosen, "" for none, or not yet.
    """

    def __init__(self, url: Url, subprotocols: Sequence[str] = (), *, nonce: bytes) -> None:
        self._key = b64encode(nonce).decode("ascii")
        self._offered = tuple(subprotocols)
        self._tail = b""
        self._url = url
        self.subprotocol = ""
        fields = [
            ("Host", url.authority),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", VERSION),
            ("Sec-WebSocket-Key", self._key),
        ]
        if self._offered:
            fields.append(("Sec-WebSocket-Protocol", ", ".join(self._offered)))
        start = f"GET {url.target} HTTP/1.1\r\nConnection: Upgrade\r\n".encode("ascii")
        self.request = start + field_lines(fields) + b"\r\n"

    def feed(self, data: bytes) -> bytes | None:
        """Take a piece of the answer; return what came behind its head, None as long as that is not complete.

        Raises Refused where the server gives another answer, PeerError for one that is wrong.
        """
        self._tail += data
        head, end, rest = self._tail.partition(_END)
        if max(len(head), 0 if end else len(self._tail)) > _LIMITS.max_head:
            raise PeerError(502, f"{self._url.authority} answers with a head of over {_LIMITS.max_head} bytes")
        if not end:
            return None
        self._check(parse_status_head(head, "GET", _LIMITS))
        return rest

    def _check(self, head: StatusHead) -> None:
        """Check what 4.1 says that a client has to."""
        if head.status != 101:
            answer = f"{head.status} {head.reason}".strip()
            raise Refused(f"{self._url.authority} has no WebSocket at {excerpt(self._url.target)}: it answers {answer}")
        values = head.values
        if values.get("upgrade", "").lower() != "websocket":
            raise PeerError(502, f"{self._url.authority} switches to another protocol than WebSocket")
        if "upgrade" not in split_list(values.get("connection", "").lower()):
            raise PeerError(502, f"{self._url.authority} switches without the field Connection: Upgrade")
        if values.get("sec-websocket-accept") != accept_key(self._key):
            raise PeerError(502, f"{self._url.authority} has not read our Sec-WebSocket-Key")
        if values.get("sec-websocket-extensions"):
            raise PeerError(502, f"{self._url.authority} uses an extension, and none was offered")
        chosen = values.get("sec-websocket-protocol", "")
        if chosen and chosen not in self._offered:
            raise PeerError(502, f"{self._url.authority} speaks {excerpt(chosen)}, which was not offered")
        self.subprotocol = chosen
