"""An application and what is beside it, as an offer: spoken of, opened, started and stopped."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from portico.cli.hosted import Composition, HostedApp
from portico.cli.mounts import Mount
from portico.cli.offer import Offer
from portico.cli.screen import Screen
from portico.cli.words import Words
from portico.errors import ConfigError
from portico.gateway.asgi import Asgi
from portico.gateway.wsgi import Wsgi
from portico.server.metrics import Metrics
from portico.server.router import Router
from portico.server.service import Services
from portico.settings import App, Files

WSGI = "def app(environ, start_response): ...\n"
ASGI = """
said = []
async def app(scope, receive, send):
    while (await receive())["type"] == "lifespan.startup":
        said.append("up")
        await send({"type": "lifespan.startup.complete"})
    said.append("down")
    await send({"type": "lifespan.shutdown.complete"})
"""
REFUSING = """
async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})
"""
SERVICES = """
async def talk(stream): ...
def clock(datagram, peer): ...
"""
SCREEN = Screen(1, "utf-8", {})
EN = Words("en")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with applications; what is imported from it is forgotten in the end."""
    for name, text in {
        "hosted_wsgi": WSGI,
        "hosted_asgi": ASGI,
        "hosted_refusing": REFUSING,
        "hosted_services": SERVICES,
    }.items():
        (tmp_path / f"{name}.py").write_text(text)
    path = list(sys.path)
    yield tmp_path
    sys.path[:] = path
    for name in ("hosted_wsgi", "hosted_asgi", "hosted_refusing", "hosted_services"):
        sys.modules.pop(name, None)


def hosted(folder: Path, name: str, mounts: tuple[Mount, ...] = (), **options: Any) -> HostedApp:
    return HostedApp(Composition(name, App(app_dir=str(folder), **options), Files(), mounts))


def greeting(offer: Offer, workers: int | None = None) -> list[str]:
    return [line.partition("   ")[2] or line for line in offer.greeting(EN, SCREEN, workers)]


def test_one_application_is_the_handler_itself(folder: Path) -> None:
    assert isinstance(hosted(folder, "hosted_wsgi").open(), Wsgi)
    assert isinstance(hosted(folder, "hosted_asgi").open(), Asgi)


@pytest.mark.parametrize(
    ("name", "options", "notes"),
    [
        ("hosted_wsgi", {}, "(WSGI, 4 threads)"),
        ("hosted_wsgi", {"threads": 1}, "(WSGI, 1 thread)"),
        ("hosted_wsgi", {"threads": 0}, "(WSGI, on the event loop)"),
        ("hosted_asgi", {}, "(ASGI)"),
    ],
)
def test_what_it_says_of_itself(folder: Path, name: str, options: dict[str, Any], notes: str) -> None:
    offer = hosted(folder, name, **options)
    offer.open()
    assert greeting(offer) == [f"running {name}:app   {notes}"]


def test_before_it_is_open_less_is_known(folder: Path) -> None:
    offer = HostedApp(Composition("main:app", App(), Files(), (Mount("/a", "b"), Mount("/c", app="d:e")), "main.py"))
    assert greeting(offer, 3) == ["running main:app   (3 workers)", "  found in main.py", "  /a is b", "  /c is d:e"]
    assert offer.warnings(EN) == []
    assert offer.survey(EN, SCREEN) is None


def test_mounts(folder: Path) -> None:
    mounts = (Mount("/static", str(folder)), Mount("/other", app="hosted_asgi:app"))
    offer = hosted(folder, "hosted_wsgi", mounts)
    assert isinstance(offer.open(), Router)
    offer.close()


def test_the_lifespan_of_every_application(folder: Path) -> None:
    async def live(offer: HostedApp) -> None:
        await offer.start()
        await offer.stop()

    offer = hosted(folder, "hosted_asgi", (Mount("/wsgi", app="hosted_wsgi:app"),))
    offer.open()
    asyncio.run(live(offer))
    assert offer.loaded is not None
    assert sys.modules["hosted_asgi"].said == ["up", "down"]


def test_an_application_that_refuses_to_start(folder: Path) -> None:
    offer = hosted(folder, "hosted_refusing")
    offer.open()
    with pytest.raises(ConfigError, match="the application could not start: no database"):
        asyncio.run(offer.start())


def test_a_folder_that_is_missing(folder: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder"):
        hosted(folder, "hosted_wsgi", (Mount("/static", str(folder / "missing")),)).open()


@pytest.mark.parametrize(
    ("name", "kind", "said"), [("talk", "stream", "a service for connections"), ("clock", "datagram", "for datagrams")]
)
def test_a_service(folder: Path, name: str, kind: str, said: str) -> None:
    offer = hosted(folder, f"hosted_services:{name}")
    services = offer.open()
    assert isinstance(services, Services)
    found = getattr(services, kind)
    assert found.function is getattr(sys.modules["hosted_services"], name)
    assert found.name == f"hosted_services:{name}"
    assert said in greeting(offer)[0]
    assert not offer.is_for_browsers
    assert offer.counted == "served"
    offer.watch(Metrics())
    offer.close()


def test_a_service_has_nothing_beside_it(folder: Path) -> None:
    with pytest.raises(ConfigError, match="hosted_services:talk is a service, which has no paths; leave out --static"):
        hosted(folder, "hosted_services:talk", (Mount("/static", str(folder)),)).open()


def test_a_service_is_beside_nothing(folder: Path) -> None:
    with pytest.raises(ConfigError, match="is a service, which cannot be mounted at /talk; run it by itself"):
        hosted(folder, "hosted_wsgi", (Mount("/talk", app="hosted_services:talk"),)).open()
