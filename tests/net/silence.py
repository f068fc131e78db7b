"""Those who do not answer, on loopback: servers that are overrun, and peers whose machine has vanished."""

import ctypes
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager


@contextmanager
def full_queue(family: int = socket.AF_INET, name: object = ("127.0.0.1", 0)) -> Iterator[socket.socket]:
    """Yield a listening socket whose queue is full, so that a further connection gets no answer at all."""
    with ExitStack() as opened:
        server = opened.enter_context(socket.socket(family))
        server.bind(name)  # type: ignore[arg-type]
        server.listen(0)
        for _ in range(16):
            filler = opened.enter_context(socket.socket(family))
            filler.settimeout(0.1)
            try:
                filler.connect(server.getsockname())
            except OSError:
                break
        else:
            raise AssertionError("this system's queue does not fill")
        yield server


def vanish(sock: socket.socket) -> None:
    """Have a connected socket's machine be gone: nothing reaches it any more, and nobody says so."""
    drop = struct.pack("HBBI", 0x06, 0, 0, 0)  # an instruction of linux/filter.h: let nothing through
    held = ctypes.create_string_buffer(drop)
    sock.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HP", 1, ctypes.addressof(held)))  # SO_ATTACH_FILTER
