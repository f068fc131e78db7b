"""The values of a command's options become a plan, and a plan becomes a server."""

from pathlib import Path

import pytest

from portico.cli.offered import OfferedService
from portico.cli.plan import Plan, assemble, http_server, plan_of
from portico.cli.screen import Screen
from portico.cli.shared import SharedFiles
from portico.cli.shares import Share
from portico.errors import ConfigError, UsageError
from portico.server.http import HttpServer
from portico.server.service import Services, stream_service
from portico.server.services import ServiceServer
from portico.server.stream import Stream
from portico.settings import App, Files, Limits, Log, Messages, Processes, Service, Trust


def silent() -> Screen:
    return Screen(1, "utf-8", {})


def made_for_http(plan: Plan) -> HttpServer:
    server, _, _ = assemble(plan, silent(), "en", is_alone=True)
    assert isinstance(server, HttpServer)
    return server


def offer(path: Path) -> SharedFiles:
    return SharedFiles((Share("", str(path)),), Files())


def test_what_is_not_given_is_at_its_default(site: Path) -> None:
    plan = plan_of(offer(site), {"max_head": 512, "workers": 2, "other": 1}, is_lan_ours=True)
    assert plan == Plan(
        offer=plan.offer,
        app=App(),
        service=Service(),
        limits=Limits(max_head=512),
        log=Log(),
        messages=Messages(),
        trust=Trust(),
        processes=Processes(workers=2),
        is_lan_ours=True,
    )


def test_a_server(site: Path) -> None:
    plan = plan_of(offer(site), {"max_head": 512, "ws_max_message": 200}, is_lan_ours=True)
    server = made_for_http(plan)
    assert (server.limits, server.messages, server.prepare) == (plan.limits, plan.messages, None)
    plan.offer.close()


def test_trusted_proxies_and_ids(site: Path) -> None:
    for params in ({"forwarded_allow": ("127.0.0.1",)}, {"request_id": True}):
        plan = plan_of(offer(site), params, is_lan_ours=True)
        assert made_for_http(plan).prepare is not None
        plan.offer.close()


def test_a_proxy_that_is_none(site: Path) -> None:
    plan = plan_of(offer(site), {"proxy_protocol": ("nonsense",)}, is_lan_ours=True)
    with pytest.raises(UsageError, match="nonsense"):
        http_server(plan, lambda exchange: None, None)
    plan.offer.close()


def test_an_offer_that_cannot_be_had(site: Path) -> None:
    with pytest.raises(ConfigError):
        assemble(plan_of(offer(site / "missing"), {}, is_lan_ours=True), silent(), "en", is_alone=True)


@stream_service
async def hello(stream: Stream) -> None:
    await stream.send("hello")


@pytest.mark.parametrize("quiet", [True, False])
def test_services(quiet: bool) -> None:
    plan = plan_of(OfferedService("hello", Services(hello)), {"quiet": quiet, "drain": 1.0}, is_lan_ours=True)
    server, lost, close_log = assemble(plan, silent(), "en", is_alone=True)
    assert isinstance(server, ServiceServer)
    assert (server.limits.drain, server.log is None, lost()) == (1.0, quiet, 0)
    close_log()


def test_services_have_no_log_in_the_forms_of_http() -> None:
    plan = plan_of(OfferedService("hello", Services(hello)), {"log_format": "common"}, is_lan_ours=True)
    with pytest.raises(UsageError, match="for a service use pretty or json"):
        assemble(plan, silent(), "en", is_alone=True)
