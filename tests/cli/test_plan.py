"""The values of a command's options become a plan, and a plan becomes a server."""

from pathlib import Path

import pytest

from portico.cli.plan import Plan, open_server, plan_of
from portico.cli.shared import SharedFiles
from portico.cli.shares import Share
from portico.errors import ConfigError, UsageError
from portico.settings import Files, Limits, Log, Messages, Processes, Trust


def offer(path: Path) -> SharedFiles:
    return SharedFiles((Share("", str(path)),), Files())


def test_what_is_not_given_is_at_its_default(site: Path) -> None:
    plan = plan_of(offer(site), {"max_head": 512, "workers": 2, "other": 1}, is_lan_ours=True)
    assert plan == Plan(
        offer=plan.offer,
        limits=Limits(max_head=512),
        log=Log(),
        messages=Messages(),
        trust=Trust(),
        processes=Processes(workers=2),
        is_lan_ours=True,
    )


def test_a_server(site: Path) -> None:
    plan = plan_of(offer(site), {"max_head": 512, "ws_max_message": 200}, is_lan_ours=True)
    server = open_server(plan, None)
    assert (server.limits, server.messages, server.prepare) == (plan.limits, plan.messages, None)
    plan.offer.close()


def test_trusted_proxies_and_ids(site: Path) -> None:
    for params in ({"forwarded_allow": ("127.0.0.1",)}, {"request_id": True}):
        plan = plan_of(offer(site), params, is_lan_ours=True)
        assert open_server(plan, None).prepare is not None
        plan.offer.close()


def test_a_proxy_that_is_none(site: Path) -> None:
    plan = plan_of(offer(site), {"proxy_protocol": ("nonsense",)}, is_lan_ours=True)
    with pytest.raises(UsageError, match="nonsense"):
        open_server(plan, None)
    plan.offer.close()


def test_an_offer_that_cannot_be_had(site: Path) -> None:
    with pytest.raises(ConfigError):
        open_server(plan_of(offer(site / "missing"), {}, is_lan_ours=True), None)
