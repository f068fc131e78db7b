"""What a session serves, and how it speaks of it.

shared.SharedFiles     folders and files
hosted.HostedApp       an application, and folders beside it, or a service
offered.OfferedService one of Portico's own services
chat_offer.OfferedChat the chat, which is pages and services at once
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from portico.cli.screen import Screen
from portico.cli.words import Words

if TYPE_CHECKING:
    from portico.server.exchange import Handler
    from portico.server.metrics import Metrics
    from portico.server.service import Services
    from portico.server.several import Joined

# Called in a thread, with a question that becomes true when nobody wants to know any more; returns lines.
Survey = Callable[[Callable[[], bool]], list[str]]


class Offer(Protocol):
    """Something to serve. Made from words alone; `open` does what may fail, `start` what needs a loop.

    path: of the URL to open, without its first slash. lan_words: key of the text that says what the LAN may do.
    is_silent: it writes nothing to the screen itself, so that a line of the access log may be written over.
    is_for_browsers: it speaks HTTP, as far as is known before it is opened. counted: key of the text that counts what
    was served.
    """

    path: str
    lan_words: str
    is_silent: bool
    is_for_browsers: bool
    counted: str

    def greeting(self, words: Words, screen: Screen, workers: int | None) -> list[str]:
        """Return the first lines of the banner. workers: how many there will be, None for this process alone."""
        ...

    def warnings(self, words: Words) -> list[str]:
        """Return what the person should know before anyone visits."""
        ...

    def open(self) -> "Handler | Services | Joined":
        """Open or import it; called once, before the loop runs. Raises ConfigError where it cannot be had."""
        ...

    def survey(self, words: Words, screen: Screen) -> Survey | None:
        """Return what finds out more beside the running server, None where there is no more to say."""
        ...

    def watch(self, metrics: "Metrics") -> None:
        """Add what only this offer can count to the figures; called after `open`."""
        ...

    async def start(self) -> None:
        """Make ready for the first request. Raises ConfigError where it refuses to start."""
        ...

    async def stop(self) -> None:
        """Wind up after the last request."""
        ...

    def close(self) -> None:
        """Release what `open` took; may be called without it."""
        ...
