"""The operator's pages on an address of their own.

sockets = open_sockets("localhost:9100")       before anything heavy is loaded, so that a port in use is told at once
admin = await open_pages(sockets, source)      in the loop
await admin.drain(0)                           last of all: /-/ready has to say 503 while the others drain
"""

import socket
from collections.abc import Sequence

from portico.apps.admin.handler import AdminSource, admin_address, admin_handler
from portico.net.listening import listen
from portico.server.http import HttpServer
from portico.settings import Limits

_LIMITS = Limits(max_body=1, max_connections=100)


def open_sockets(text: str) -> list[socket.socket]:
    """Open the value of --admin. Raises UsageError, ConfigError, and PortTaken, like `admin_address` and `listen`."""
    return listen(admin_address(text))


async def open_pages(sockets: Sequence[socket.socket], source: AdminSource) -> HttpServer:
    """Serve the operator's pages on these sockets, without an access log. The server that is returned closes them."""
    server = HttpServer(admin_handler(source), _LIMITS)
    await server.open(sockets)
    return server
