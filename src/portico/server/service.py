"""The service contracts: what a TCP, unix or UDP service of yours looks like.

    @stream_service                                @datagram_service
    async def greet(stream):                       def clock(datagram, peer):
        await stream.send("welcome\\n")                return time.strftime("%X").encode()

In: a function. Out: a service, which `portico run module:greet` runs, and `greet.start(9000)` from a program. The
function stays callable as it was. Without the decorators `portico run` finds out the kind by itself; they exist to be
exact, and to say more.

A coroutine function runs on the event loop, a plain one in a thread, so it may wait for whatever it likes. A plain
function that never waits is quick, if it is said to be: `def f(data, peer)`, called on the loop for each datagram, or
for each piece of a stream, and what it returns is sent back.
"""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, overload

from portico.errors import UsageError
from portico.server.peer import Peer
from portico.wire.charset import find_charset

if TYPE_CHECKING:
    from portico.server.stream import BlockingStream, Stream


QuickFunction = Callable[[bytes, Peer], bytes | None]
StreamFunction = Callable[["Stream"], Awaitable[None]] | Callable[["BlockingStream"], None] | QuickFunction
DatagramFunction = Callable[[bytes, Peer], bytes | Awaitable[bytes | None] | None]


@dataclass(frozen=True, slots=True)
class StreamService:
    """A service for connections: called once for each, which ends when it returns.

    name: what logs and banners call it. encoding: the charset of its text, "" for what the settings say.
    is_quick: the function is a `QuickFunction`, which answers each piece as it comes.
    """

    interface: ClassVar = "stream"

    function: StreamFunction
    name: str
    encoding: str = field(default="", kw_only=True)
    is_quick: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse a coroutine function that is said to be quick, and a charset that is none."""
        _check_quick(self)
        find_charset(self.encoding)

    @property
    def is_blocking(self) -> bool:
        """Whether it is a plain function, to be run in a thread."""
        return not self.is_quick and not is_coroutine_function(self.function)

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        return self.function(*arguments)

    def start(self, port: int = 8000, *, host: str = "127.0.0.1") -> None:
        """Serve until Ctrl-C. host: where to listen, "*" for every interface. See `server.embedded.serve_here`."""
        from portico.server.embedded import serve_here

        serve_here(Services(stream=self), port, host)


@dataclass(frozen=True, slots=True)
class DatagramService:
    """A service for datagrams: called once for each; what it returns is sent back, None for no answer.

    name: what logs and banners call it. is_quick: a plain function that never waits, which is then run on the event
        loop. may_amplify: an answer to an address out in the internet may be larger than its request; leave it off
        unless the service knows whom it answers, since anybody can write anybody's address into a datagram.
    """

    interface: ClassVar = "datagram"

    function: DatagramFunction
    name: str
    is_quick: bool = field(default=False, kw_only=True)
    may_amplify: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        """Refuse a coroutine function that is said to be quick."""
        _check_quick(self)

    @property
    def is_blocking(self) -> bool:
        """Whether it is a plain function that is to be run in a thread."""
        return not self.is_quick and not is_coroutine_function(self.function)

    def __call__(self, datagram: bytes, peer: Peer) -> Any:
        """Call the function."""
        return self.function(datagram, peer)

    def start(self, port: int = 8000, *, host: str = "127.0.0.1") -> None:
        """Serve until Ctrl-C. host: where to listen, "*" for every interface. See `server.embedded.serve_here`."""
        from portico.server.embedded import serve_here

        serve_here(Services(datagram=self), port, host)


def _check_quick(service: StreamService | DatagramService) -> None:
    if service.is_quick and is_coroutine_function(service.function):
        raise UsageError(f"{service.name} is a coroutine function, so it cannot be quick; leave out is_quick")


def is_coroutine_function(function: Any) -> bool:
    """Tell whether calling it makes a coroutine; objects with such a `__call__` count."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


@overload
def stream_service(function: StreamFunction, /) -> StreamService: ...
@overload
def stream_service(
    *, name: str = "", encoding: str = "", is_quick: bool = False
) -> Callable[[StreamFunction], StreamService]: ...
def stream_service(
    function: StreamFunction | None = None, /, *, name: str = "", encoding: str = "", is_quick: bool = False
) -> StreamService | Callable[[StreamFunction], StreamService]:
    """Make a service for connections of `async def f(stream)`, or of a blocking `def f(stream)`.

    name: the function's own where empty. encoding, is_quick: see `StreamService`. Raises UsageError for what
    cannot be called, and for an encoding that is none.
    """

    def make(found: StreamFunction) -> StreamService:
        own = _name(found, "stream_service")
        return StreamService(found, name or own, encoding=encoding, is_quick=is_quick)

    return make if function is None else make(function)


@overload
def datagram_service(function: DatagramFunction, /) -> DatagramService: ...
@overload
def datagram_service(
    *, name: str = "", is_quick: bool = False, may_amplify: bool = False
) -> Callable[[DatagramFunction], DatagramService]: ...
def datagram_service(
    function: DatagramFunction | None = None, /, *, name: str = "", is_quick: bool = False, may_amplify: bool = False
) -> DatagramService | Callable[[DatagramFunction], DatagramService]:
    """Make a service for datagrams of `def f(datagram, peer)`, or of a coroutine function with these parameters.

    name: the function's own where empty; the others: see `DatagramService`. Raises UsageError for what cannot be
    called.
    """

    def make(found: DatagramFunction) -> DatagramService:
        own = _name(found, "datagram_service")
        return DatagramService(found, name or own, is_quick=is_quick, may_amplify=may_amplify)

    return make if function is None else make(function)


def _name(function: Any, decorator: str) -> str:
    if not callable(function):
        raise UsageError(f"{decorator} was given {function!r}, which is no function")
    return str(getattr(function, "__name__", type(function).__name__))


class Services(NamedTuple):
    """What one server serves. None where there is none of the kind."""

    stream: StreamService | None = None
    datagram: DatagramService | None = None


def service_of(found: Any, interface: str, name: str) -> Services:
    """Make services of what an application reference named. interface: "stream" or "datagram", as it was recognised."""
    if interface == "stream":
        return Services(found if isinstance(found, StreamService) else StreamService(found, name), None)
    return Services(None, found if isinstance(found, DatagramService) else DatagramService(found, name))
