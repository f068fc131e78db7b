"""The offer of `portico run`: an application, and folders and applications beside it.

open     load -> Wsgi or Asgi; Site for each folder; route joins them
start    the lifespan of each ASGI application
stop     the same, in the opposite order, then the threads
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from portico.cli.mounts import Mount, check_mounts
from portico.cli.offer import Survey
from portico.cli.screen import Screen
from portico.cli.words import Words
from portico.errors import ConfigError
from portico.settings import App, Files

if TYPE_CHECKING:
    from portico.apps.files.site import Site
    from portico.gateway.lifespan import Lifespan
    from portico.gateway.loading import Loaded
    from portico.gateway.wsgi import Wsgi
    from portico.server.exchange import Handler
    from portico.server.metrics import Metrics
    from portico.server.service import Services


@dataclass(frozen=True, slots=True)
class Composition:
    """What is run.

    reference: of the application at the top. files: how the folders of `mounts` are served; their `base` is set here.
    why: how the application was found, "" where it was named. shutdown_s: how long applications may take to stop.
    is_multiprocess: other processes run the same.
    """

    reference: str
    app: App
    files: Files
    mounts: Sequence[Mount] = ()
    why: str = ""
    shutdown_s: float = 30.0
    is_multiprocess: bool = False


class HostedApp:
    """See `offer.Offer`. loaded: the application at the top once it is open."""

    path = ""
    lan_words = "lan-on-app"
    is_silent = False
    is_for_browsers = True
    counted = "requests"

    def __init__(self, composition: Composition) -> None:
        self._what = composition
        self._lifespans: list[Lifespan] = []
        self._threads: list[Wsgi] = []
        self._sites: list[Site] = []
        self.loaded: Loaded | None = None

    def greeting(self, words: Words, screen: Screen, workers: int | None) -> list[str]:
        """Say which application runs, what it speaks, and what is beside it."""
        from portico import __version__
        from portico.cli import banner

        name = self.loaded.name if self.loaded is not None else self._what.reference
        notes = [] if self.loaded is None else [self._kind(words)]
        if workers is not None:
            notes.append(words("workers", n=workers))
        lines = banner.greeting(__version__, words("running", what=name), notes, words, screen)
        if self._what.why:
            lines.append("  " + screen.paint(words("found-in", where=self._what.why), "dim"))
        lines += [f"  {words('mounted', path=m.path, what=m.folder or m.app)}" for m in self._what.mounts]
        return lines

    def _kind(self, words: Words) -> str:
        assert self.loaded is not None
        if self.loaded.interface != "wsgi":
            return words(self.loaded.interface)
        threads = self._what.app.threads
        return words("wsgi-threads", n=threads) if threads else words("wsgi-loop")

    def warnings(self, words: Words) -> list[str]:
        """Warn of nothing."""
        return []

    def survey(self, words: Words, screen: Screen) -> Survey | None:
        """Find out nothing more."""
        return None

    def open(self) -> "Handler | Services":
        """Import every application and open every folder, or import the service."""
        from portico.gateway.interface import SERVICE_INTERFACES
        from portico.gateway.loading import load
        from portico.server.router import route

        settings = self._what.app
        loaded = self.loaded = load(self._what.reference, settings.app_dir, settings.interface)
        if loaded.interface in SERVICE_INTERFACES:
            return self._service(loaded)
        check_mounts(self._what.mounts)
        mounts = {mount.path: self._mounted(mount) for mount in self._what.mounts if mount.folder}
        mounts["/"] = self._gateway(loaded, "")
        for mount in self._what.mounts:
            if mount.app:
                mounts[mount.path] = self._gateway(load(mount.app, settings.app_dir, settings.interface), mount.path)
        return route(mounts)

    def _service(self, loaded: "Loaded") -> "Services":
        from portico.server.service import service_of

        self.is_for_browsers, self.counted = False, "served"
        if self._what.mounts:
            raise ConfigError(f"{loaded.name} is a service, which has no paths; leave out --static and [[mount]]")
        return service_of(loaded.app, loaded.interface, loaded.name)

    def _gateway(self, loaded: "Loaded", path: str) -> "Handler":
        """Make the handler for an application. path: where it is mounted, "" for the top."""
        from portico.gateway.interface import SERVICE_INTERFACES

        settings = self._what.app
        if loaded.interface in SERVICE_INTERFACES:
            raise ConfigError(f"{loaded.name} is a service, which cannot be mounted at {path}; run it by itself")
        if loaded.interface == "asgi":
            from portico.gateway.asgi import Asgi
            from portico.gateway.lifespan import Lifespan
            from portico.gateway.mounted import mounted_asgi

            lifespan = Lifespan(loaded.app, settings.lifespan)
            self._lifespans.append(lifespan)
            app = mounted_asgi(loaded.app, path) if path else loaded.app
            return Asgi(app, root_path=settings.root_path, state=lifespan.state)
        from portico.gateway.mounted import mounted_wsgi
        from portico.gateway.wsgi import Wsgi

        app = mounted_wsgi(loaded.app, path) if path else loaded.app
        self._threads.append(Wsgi(app, settings, is_multiprocess=self._what.is_multiprocess))
        return self._threads[-1]

    def _mounted(self, mount: Mount) -> "Handler":
        from portico.apps.files.root import Root
        from portico.apps.files.site import Site

        files = replace(self._what.files, base=mount.path)
        root = Root(mount.folder, links=files.links, hidden=files.hidden)
        self._sites.append(Site({"": root}, files, names=None))
        return self._sites[-1]

    def watch(self, metrics: "Metrics") -> None:
        """Add the threads of the first application that has some."""
        from portico.apps.admin.sources import watch_pool

        pools = [gateway.pool for gateway in self._threads if gateway.pool is not None]
        if pools:
            watch_pool(metrics, pools[0])

    async def start(self) -> None:
        """Start every lifespan. Raises ConfigError where an application refuses."""
        for lifespan in self._lifespans:
            await lifespan.start()

    async def stop(self) -> None:
        """Stop every lifespan, the last first, and the threads."""
        for lifespan in reversed(self._lifespans):
            await lifespan.stop(self._what.shutdown_s)
        for gateway in self._threads:
            gateway.close()

    def close(self) -> None:
        """Close the folders."""
        for site in self._sites:
            site.close()
