"""A ready service as an offer: what it says of itself, and that it needs nothing."""

import asyncio

from portico.apps import services
from portico.cli.offer import Offer
from portico.cli.offered import OfferedService
from portico.cli.screen import Screen
from portico.cli.words import Words
from portico.server.metrics import Metrics
from portico.server.service import Services

SCREEN = Screen(1, "utf-8", {})


def test_what_it_says_of_itself() -> None:
    offer: Offer = OfferedService("greet", Services(stream=services.greet("hello")))
    assert "greet service" in "\n".join(offer.greeting(Words("en"), SCREEN, None))
    assert "greet service   (2 workers)" in "\n".join(offer.greeting(Words("en"), SCREEN, 2))
    assert "greet 服务" in "\n".join(offer.greeting(Words("zh"), SCREEN, None))
    assert offer.warnings(Words("en")) == []
    assert offer.survey(Words("en"), SCREEN) is None
    assert not offer.is_for_browsers


def test_it_is_ready_and_keeps_nothing() -> None:
    async def live(offer: Offer) -> None:
        await offer.start()
        await offer.stop()

    found = Services(*services.echo())
    offer: Offer = OfferedService("echo", found)
    assert offer.open() is found
    offer.watch(Metrics())
    asyncio.run(live(offer))
    offer.close()
