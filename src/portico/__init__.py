"""Portico: the front door for whatever you serve from Python.

    from portico import HttpWebServer

    HttpWebServer(8000, "static").start()

    from portico import stream_service

    @stream_service
    async def greet(stream):
        await stream.send("welcome\\n")

    greet.start(9000)

The names below are loaded when they are first used (PEP 562), so `import portico` costs next to nothing.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from portico import client
    from portico.apps import services
    from portico.apps.files.web import HttpWebServer
    from portico.errors import ConfigError, Gone, PeerError, PorticoError, Refused, UsageError
    from portico.server.service import datagram_service, stream_service

__version__ = "0.1.0"

_HOMES = {
    "ConfigError": "portico.errors",
    "Gone": "portico.errors",
    "HttpWebServer": "portico.apps.files.web",
    "PeerError": "portico.errors",
    "PorticoError": "portico.errors",
    "Refused": "portico.errors",
    "UsageError": "portico.errors",
    "datagram_service": "portico.server.service",
    "stream_service": "portico.server.service",
}
_MODULES = {"client": "portico.client", "services": "portico.apps.services"}

__all__ = [
    "ConfigError",
    "Gone",
    "HttpWebServer",
    "PeerError",
    "PorticoError",
    "Refused",
    "UsageError",
    "__version__",
    "client",
    "datagram_service",
    "services",
    "stream_service",
]


def __getattr__(name: str) -> object:
    """Load a public name where it is first asked for."""
    if name not in _HOMES and name not in _MODULES:
        raise AttributeError(f"module 'portico' has no attribute {name!r}; it has {', '.join(__all__)}")
    from importlib import import_module

    value: object = import_module(_MODULES[name]) if name in _MODULES else getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
