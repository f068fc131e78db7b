"""Serve a folder from a program.

    HttpWebServer(8000, "static").start()          until Ctrl-C, or `stop` from another thread

    with HttpWebServer(0, "static") as server:     in a thread of its own, until the end of the block
        urlopen(server.url)

In: a port and a folder. Out: a server whose sockets are open once the object exists, so that `port` and `url` are
known and an error is raised where it is made.
"""

from os import PathLike, fsdecode
from types import TracebackType

from portico.apps.files.root import Root
from portico.apps.files.site import Site
from portico.errors import ConfigError
from portico.net.addresses import url
from portico.net.lan import own_names
from portico.net.listening import address_of, listen
from portico.server.embedded import Embedded, parse_place
from portico.server.http import HttpServer
from portico.settings import Files, Limits


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
        address = parse_place(host, port)
        files, limits = files or Files(), limits or Limits()
        root_folder = Root(fsdecode(root), links=files.links, hidden=files.hidden)
        site = Site({"": root_folder}, files, names=answered_names(files))
        try:
            sockets = listen(address)
        except ConfigError:
            site.close()
            raise
        self._address = address_of(sockets[0])
        self._embedded = Embedded(sockets, lambda: HttpServer(site, limits), site.close)

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
        self._embedded.start()

    def stop(self) -> None:
        """Stop serving: finish the transfers under way, close the sockets, then return. May be called repeatedly.

        Called from another thread than `start`'s, it waits until `start` is about to return.
        """
        self._embedded.stop()

    def __enter__(self) -> "HttpWebServer":
        """Serve in a thread of its own. The sockets are open already, so requests may come at once."""
        self._embedded.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._embedded.__exit__(kind, exc, trace)
