"""The offer of `portico greet`, `reply`, `echo`, `time` and `temperature`: one of Portico's own services."""

from typing import TYPE_CHECKING

from portico.cli.offer import Survey
from portico.cli.screen import Screen
from portico.cli.words import Words

if TYPE_CHECKING:
    from portico.server.metrics import Metrics
    from portico.server.service import Services


class OfferedService:
    """See `offer.Offer`. name: of the command. services: what it serves. trial: what a person may try, by kind."""

    path = ""
    lan_words = "lan-on-app"
    is_silent = False
    is_for_browsers = False
    counted = "served"

    def __init__(self, name: str, services: "Services") -> None:
        self._name = name
        self._services = services

    def greeting(self, words: Words, screen: Screen, workers: int | None) -> list[str]:
        """Say which service runs."""
        from portico import __version__
        from portico.cli import banner

        notes = [] if workers is None else [words("workers", n=workers)]
        return banner.greeting(__version__, words("service-runs", what=self._name), notes, words, screen)

    def warnings(self, words: Words) -> list[str]:
        """Warn of nothing."""
        return []

    def survey(self, words: Words, screen: Screen) -> Survey | None:
        """Find out nothing more."""
        return None

    def open(self) -> "Services":
        """Return the services."""
        return self._services

    def watch(self, metrics: "Metrics") -> None:
        """Add nothing: the server counts all there is."""

    async def start(self) -> None:
        """Do nothing: it is ready."""

    async def stop(self) -> None:
        """Do nothing: it keeps nothing."""

    def close(self) -> None:
        """Do nothing."""
