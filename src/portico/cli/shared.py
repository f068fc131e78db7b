"""The offer of `portico serve`: folders and files.

The site is imported when it is opened: the sockets are open by then.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from portico.cli.offer import Survey
from portico.cli.screen import Screen
from portico.cli.shares import Share, described, entry_path, open_roots
from portico.cli.words import Words
from portico.errors import ConfigError
from portico.settings import Files

if TYPE_CHECKING:
    from portico.apps.files.site import Site
    from portico.server.exchange import Handler
    from portico.server.metrics import Metrics


class SharedFiles:
    """See `offer.Offer`."""

    lan_words = "lan-on"
    is_silent = True
    is_for_browsers = True
    counted = "requests"

    def __init__(self, shares: tuple[Share, ...], files: Files) -> None:
        self.path = entry_path(shares, files.base)
        self._shares = shares
        self._files = files
        self._site: Site | None = None

    def greeting(self, words: Words, screen: Screen, workers: int | None) -> list[str]:
        """Say what is shared, and that it can only be read."""
        from portico import __version__
        from portico.cli import banner

        notes = [words("read-only")] if workers is None else [words("read-only"), words("workers", n=workers)]
        return banner.greeting(__version__, words("serving", what=described(self._shares)), notes, words, screen)

    def warnings(self, words: Words) -> list[str]:
        """Warn of a share as wide as the home folder."""
        wide = {"/": "whole-disk", os.path.realpath(os.path.expanduser("~")): "home"}
        found = {os.path.realpath(share.path) for share in self._shares}
        return [words("wide", what=words(key)) for path, key in wide.items() if path in found]

    def open(self) -> "Handler":
        """Open every share."""
        from portico.apps.files.site import Site
        from portico.apps.files.web import answered_names

        roots = open_roots(self._shares, self._files)
        self._site = Site(roots, self._files, names=answered_names(self._files))
        return self._site

    def survey(self, words: Words, screen: Screen) -> Survey:
        """Count what is served, and name what is not."""

        def survey_lines(is_stopped: Callable[[], bool]) -> list[str]:
            from portico.cli import banner
            from portico.cli.survey import survey

            try:
                roots = open_roots(self._shares, replace(self._files, hidden=True))
            except ConfigError:  # deleted meanwhile; requests will say so
                return []
            found = survey(roots, shows_hidden=self._files.hidden, is_stopped=is_stopped)
            for root in roots.values():
                root.close()
            return banner.survey_lines(found, words, screen)

        return survey_lines

    def watch(self, metrics: "Metrics") -> None:
        """Add nothing: the server counts all there is."""

    async def start(self) -> None:
        """Do nothing: files are there."""

    async def stop(self) -> None:
        """Do nothing: files stay."""

    def close(self) -> None:
        """Close the site and its roots."""
        if self._site is not None:
            self._site.close()
