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
from portico.settings import App, Files

if TYPE_CHECKING:
    from portico.apps.files.site import Site
    from portico.gateway.lifespan import Lifespan
    from portico.gateway.loading import Loaded
    from portico.gateway.wsgi import Wsgi
    from portico.server.exchange import Handler
    from portico.server.metrics import Metrics


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
        if self.loaded.interface == "asgi":
            return words("asgi")
        threads = self._what.app.threads
        return words("wsgi-threads", n=threads) if threads else words("wsgi-loop")

    def warnings(self, words: Words) -> list[str]:
        """Warn of nothing."""
        return []

    def survey(self, words: Words, screen: Screen) -> Survey | None:
        """Find out nothing more."""
        return None

    def open(self) -> "Handler":
        """Import every application and open every folder."""
        from portico.server.router import route

        check_mounts(self._what.mounts)
        mounts = {mount.path: self._mounted(mount) for mount in self._what.mounts if mount.folder}
        mounts["/"] = self._gateway(self._what.reference, "")
        for mount in self._what.mounts:
            if mount.app:
                mounts[mount.path] = self._gateway(mount.app, mount.path)
        return route(mounts)

    def _gateway(self, reference: str, path: str) -> "Handler":
        """Import an application. path: where it is mounted, "" for the top."""
        from portico.gateway.loading import load

        settings = self._what.app
        loaded = load(reference, settings.app_dir, settings.interface)
        self.loaded = self.loaded or loaded
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
