"""The opening handshake of a WebSocket, on the server's side (RFC 6455 section 4.2).

In: a request; out: a `Handshake`, or a PeerError with the status it deserves; then the head that switches protocols.
Whether the Origin may talk to us is for the application to say.
"""

import binascii
import hashlib
import re
from collections.abc import Iterable
from typing import NamedTuple

from portico.errors import PeerError, UsageError, excerpt
from portico.http.fields import is_token, split_list
from portico.http.message import Request
from portico.wire.fields import check_field, field_lines

VERSION = "13"
# What a refusal with 426 says beside its status (RFC 9110 15.5.22, RFC 6455 4.4); for 400 it does no harm.
HINTS: tuple[tuple[str, str], ...] = (("upgrade", "websocket"), ("sec-websocket-version", VERSION))

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY = re.compile(r"[A-Za-z0-9+/]{21}[AQgw]==")  # 16 bytes in base64
_OURS = frozenset(("sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-protocol", "upgrade"))


class Handshake(NamedTuple):
    """What a client asks for.

    key: as sent. subprotocols: those it speaks, the best first. extensions: its offers, as sent; see
    `deflate.negotiate`.
    """

    key: str
    subprotocols: tuple[str, ...]
    extensions: str


def is_handshake(request: Request) -> bool:
    """Tell whether a request asks for a WebSocket, well or badly."""
    return "upgrade" in request.values and "websocket" in _tokens(request, "upgrade")


def parse_handshake(request: Request) -> Handshake:
    """Read what a client asks for (4.2.1).

    Raises PeerError: 426 for another version, and for a request that asks for no WebSocket (answer with `HINTS`);
    400 for anything that is malformed.
    """
    values = request.values
    if "websocket" not in _tokens(request, "upgrade"):
        raise PeerError(426, "a WebSocket handshake has the field Upgrade: websocket")
    if "upgrade" not in _tokens(request, "connection"):
        raise PeerError(400, "a WebSocket handshake has the field Connection: Upgrade")
    if request.method != "GET" or request.version < 11 or request.body_length != 0:
        raise PeerError(400, "a WebSocket handshake is a GET of HTTP/1.1 without a body")
    version = values.get("sec-websocket-version", "")
    if version != VERSION:
        raise PeerError(426, f"Sec-WebSocket-Version {excerpt(version)}: only {VERSION} is spoken here")
    key = values.get("sec-websocket-key", "")
    if _KEY.fullmatch(key) is None:
        raise PeerError(400, f"Sec-WebSocket-Key {excerpt(key)} is not 16 bytes in base64")
    subprotocols = tuple(split_list(values.get("sec-websocket-protocol", "")))
    if not all(map(is_token, subprotocols)):
        raise PeerError(400, "Sec-WebSocket-Protocol is not a list of names")
    return Handshake(key, subprotocols, values.get("sec-websocket-extensions", ""))


def _tokens(request: Request, name: str) -> list[str]:
    return split_list(request.values.get(name, "").lower())


def accept_key(key: str) -> str:
    """Return what proves that we read the key (4.2.2 item 5.4)."""
    digest = hashlib.sha1(key.encode("ascii") + _GUID, usedforsecurity=False).digest()
    return binascii.b2a_base64(digest, newline=False).decode("ascii")


def switching_head(
    handshake: Handshake, subprotocol: str | None, extensions: str, fields: Iterable[tuple[str, str]] = ()
) -> bytes:
    """Write the 101 response, the last bytes of HTTP on this connection.

    subprotocol: one of those offered, or None. extensions: what was agreed on, "" for nothing.
    fields: what the application adds. Raises UsageError for any other subprotocol, and for a field that is the
    handshake's own or may not be sent.
    """
    if subprotocol is not None and subprotocol not in handshake.subprotocols:
        offered = ", ".join(handshake.subprotocols) or "none"
        raise UsageError(f"subprotocol {excerpt(subprotocol)} was not offered (the client offered {offered})")
    pairs = list(fields)
    for name, value in pairs:
        check_field(name, value)
        if name.lower() in _OURS:
            raise UsageError(f"{name} belongs to the handshake; leave it out (subprotocol has an argument of its own)")
    ours = [("Upgrade", "websocket"), ("Sec-WebSocket-Accept", accept_key(handshake.key))]
    if subprotocol is not None:
        ours.append(("Sec-WebSocket-Protocol", subprotocol))
    if extensions:
        ours.append(("Sec-WebSocket-Extensions", extensions))
    return b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n" + field_lines([*ours, *pairs]) + b"\r\n"
