"""Servers that do not answer: what a client meets when the other side is overrun, on loopback."""

import socket
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
