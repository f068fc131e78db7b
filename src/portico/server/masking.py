"""The fastest way to unmask that is at hand.

Python has nothing that xors bytes with bytes; the ways around take at best 1.6 ns a byte, more than all the rest of a
large message costs. The `websockets` package, often installed beside ASGI applications, brings a function in C for it.
"""

from collections.abc import Callable
from functools import cache
from importlib import import_module

from portico.wire.frames import apply_mask

Mask = Callable[[bytes, bytes], bytes]


@cache
def fastest_mask(module: str = "websockets.speedups") -> Mask:
    """Return `apply_mask` of a module, that of `wire.frames` where there is no such module.

    The first call imports it, so call it when the first WebSocket opens.
    """
    try:
        native: Mask = import_module(module).apply_mask
    except (ImportError, AttributeError):
        return apply_mask
    return native
