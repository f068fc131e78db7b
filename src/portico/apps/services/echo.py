"""Echo: what a peer sends comes back, byte for byte (RFC 862)."""

from portico.apps.services.question import ANSWERING_MACHINES
from portico.server.peer import Peer
from portico.server.service import DatagramService, StreamService


def echo() -> tuple[StreamService, DatagramService]:
    """Make both services: for connections, where the peer may end its side first, and for datagrams.

    A datagram from a port of the services that answer everything gets none, or two of them would never stop.
    """
    return StreamService(_send_back, "echo", is_quick=True), DatagramService(_answer, "echo", is_quick=True)


def _send_back(data: bytes, peer: Peer) -> bytes:
    return data


def _answer(datagram: bytes, peer: Peer) -> bytes | None:
    return None if peer.port in ANSWERING_MACHINES else datagram
