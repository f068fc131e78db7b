"""Serve a folder from a program.

    HttpWebServer(8000, "static").start()          until Ctrl-C, or `stop` from another thread

    with HttpWebServer(0, "static") as server:     in a thread of its own, until the end of the block
        urlopen(server.url)

In: a port and a folder. Out: a server whose sockets are open once the object exists, so that `port` and `url` are
known and an error is raised where it is made.
"""

import asyncio
import threading
from os import PathLike, fsdecode
from types import TracebackType

from portico.apps.files.root import Root
from portico.apps.files.site import Site
from portico.errors import ConfigError, UsageError
from portico.net.addresses import parse_address, url
from portico.net.closing import refuse_new
from portico.net.lan import own_names
from portico.net.listening import address_of, close, listen
from portico.server.http import HttpServer
from portico.settings import Files, Limits

_MAX_PORT = 65_535


def event_loop() -> asyncio.AbstractEventLoop:
    """Make an event loop: uvloop's where it is installed, the standard library's otherwise."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def answered_names(files: Files) -> frozenset[str] | None:
    """Return the host names that a site answers to (a guard against DNS rebinding), or None for any.

    They are this machine's names and addresses, and those of --host-name; with --production any.
    """
    if files.production:
        return None
    return own_names() | {name.lower() for name in files.host_name}


class HttpWebServer:
    """A static web server for one folder.

    port: 0 to 65535; 0 lets the system choose, and `port` tells. root: the folder.
    host: where to listen; the default is this machine alone, "*" is every interface.
    files, limits: the settings groups, their defaults where None.
    Raises UsageError for a port that is none, ConfigError for a folder that cannot be served, PortTaken.
    One object serves once: after `stop` make another.
    """

    def __init__(
        self,
        port: int = 8000,
        root: str | PathLike[str] = "static",
        *,
        host: str = "127.0.0.1",
        files: Files | None = None,
        limits: Limits | None = None,
    ) -> None:
        if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= _MAX_PORT:
            raise UsageError(f"the port {port!r} is not a whole number, 0 to {_MAX_PORT}; 0 lets the system choose")
        self._files = files or Files()
        self._limits = limits or Limits()
        address = parse_address(host, default_port=port)
        if address.port != port or address.kind != "tcp":
            raise UsageError(f"host={host!r} is more than a host; the port is an argument of its own")
        self._root = Root(fsdecode(root), links=self._files.links, hidden=self._files.hidden)
        self._site = Site({"": self._root}, self._files, names=answered_names(self._files))
        try:
            self._sockets = listen(address)
        except ConfigError:
            self._site.close()
            raise
        self._address = address_of(self._sockets[0])
        self._lock = threading.Lock()
        self._is_started = False
        self._is_stopped = False
        self._ended = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._address.port

    @property
    def url(self) -> str:
        """What to open in a browser on this machine."""
        return url(self._address)

    def start(self) -> None:
        """Serve until `stop` is called or Ctrl-C is pressed; transfers under way are finished first.

        Returns at once if `stop` came before. A second Ctrl-C cuts what is under way and raises KeyboardInterrupt.
        Raises UsageError when called twice.
        """
        with self._lock:
            if self._is_started:
                raise UsageError("this server has been started already; make a new HttpWebServer")
            self._is_started = True
        try:
            with asyncio.Runner(loop_factory=event_loop) as runner:
                runner.run(self._serve())
        finally:
            self._release()

    def stop(self) -> None:
        """Stop serving: finish the transfers under way, close the sockets, then return. May be called repeatedly.

        Called from another thread than `start`'s, it waits until `start` is about to return.
        """
        with self._lock:
            self._is_stopped = True
            if not self._is_started:
                self._is_started = True
                self._release()
            elif self._loop is not None and self._stopping is not None and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._stopping.set)
        self._ended.wait()

    def __enter__(self) -> "HttpWebServer":
        """Serve in a thread of its own. The sockets are open already, so requests may come at once."""
        self._thread = threading.Thread(target=self.start, name="portico", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._thread is not None:
            self._thread.join()

    async def _serve(self) -> None:
        server = HttpServer(self._site, self._limits)
        stopping = asyncio.Event()
        with self._lock:
            self._loop, self._stopping = asyncio.get_running_loop(), stopping
            if self._is_stopped:
                return
        await server.open(self._sockets)
        try:
            await stopping.wait()
        except asyncio.CancelledError:
            # Ctrl-C: asyncio.Runner cancels this task. A second one cancels the draining.
            task = asyncio.current_task()
            assert task is not None
            task.uncancel()
        try:
            await asyncio.sleep(refuse_new(self._sockets))
            await server.drain(self._limits.drain)
        finally:
            server.abort()
            self._site.close()  # while there is a loop: work for later, a better packed form, may be under way

    def _release(self) -> None:
        try:
            close(self._sockets)
            self._site.close()
        finally:
            self._ended.set()  # whatever fails: `stop` waits for it
