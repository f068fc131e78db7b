"""The operations of the desk, asked for as clients ask: visitors and agents at one house."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests.apps.chat.desk_world import NOON_MS, World, code, has, in_world

from portico.apps.chat import cases, people
from portico.apps.chat.desk_operations import OPERATIONS
from portico.apps.chat.limits import Limits
from portico.apps.chat.log import Change
from portico.apps.chat.operations import operations as operations_of_the_chat
from portico.apps.chat.session import Me

CANARY = "the canary sings"


def test_a_visitor_is_offered_accepted_answered_closed_and_rates(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        agent = await world.come("agent", "王")
        visitor = await world.come("visitor", "A")
        started = await visitor.ask("desk.start", name="小明", page="https://shop.example/shoes")
        c = started["c"]
        assert started["desk"]["state"] == "queued"
        assert started["desk"]["pos"] == 1
        await visitor.write(c, "你好")
        await agent.until(lambda frame: frame.get("desk_list") is True)
        await world.desk.route()
        (item,) = (await agent.ask("desk.list", tab="mine"))["items"]
        assert (item["state"], item["offered"]["name"], item["due"]) == ("offered", "王", NOON_MS + 20_000)
        assert (item["visitor"]["name"], item["page"]) == ("小明", "https://shop.example/shoes")
        assert item["last"]["text"] == "你好"
        assert (await agent.ask("desk.accept", c=c))["state"] == "open"
        await agent.write(c, "有什么可以帮您?")
        await visitor.until(lambda frame: frame.get("b") == {"text": "有什么可以帮您?"})
        await visitor.until(lambda frame: frame.get("desk", {}).get("name") == "王")
        closed = await agent.ask("desk.close", c=c, rev=item["rev"] + 1)
        assert (closed["t"], closed["state"]) == ("ok", "closed")
        assert (await visitor.ask("desk.rate", c=c, score=5, text="谢谢"))["t"] == "ok"
        (item,) = (await agent.ask("desk.list", tab="closed"))["items"]
        assert (item["score"], item["comment"]) == (5, "谢谢")

    in_world(tmp_path, work)


def test_two_agents_claim_at_once_and_one_wins_a_thousand_times(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        ann, ben = await world.come("agent", "Ann"), await world.come("agent", "Ben")
        await asyncio.gather(*(one.ask("desk.available", state="away") for one in (ann, ben)))
        store = world.house.hub.store

        def fill(change: Change) -> list[int]:
            visitors = [people.add_person(change, "visitor", f"V{number}") for number in range(1_000)]
            return [cases.start(change, one).conversation for one in visitors]

        conversations = await store.write(fill)
        wins = {"Ann": 0, "Ben": 0}
        for number, c in enumerate(conversations):
            claimants = (ann, ben) if number % 2 else (ben, ann)
            answers = await asyncio.gather(*(one.ask("desk.take", c=c, rev=1) for one in claimants))
            (won,) = [one for one, answer in zip(claimants, answers, strict=True) if answer["t"] == "ok"]
            (lost,) = [answer for answer in answers if answer["t"] == "err"]
            name = world.names[won.person]
            wins[name] += 1
            assert (lost["code"], lost["why"]) == ("taken", f"taken by {name}")
            for one in claimants:
                one.frames.clear()
        assert sum(wins.values()) == 1_000
        rows = await store.read(
            lambda db: db.execute("SELECT agent, count(*) FROM desk_case GROUP BY agent").fetchall()
        )
        assert {world.names[agent]: count for agent, count in rows} == {name: n for name, n in wins.items() if n}

    in_world(tmp_path, work)


def test_every_reply_reaches_exactly_its_visitor(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        agents = [await world.come("agent", name) for name in ("Ann", "Ben")]
        visitors = [await world.come("visitor", f"V{number}") for number in range(6)]
        conversations = {}
        for number, visitor in enumerate(visitors):
            conversations[visitor.person] = await has(visitor, agents[number % 2])
        for turn in range(10):
            for number, visitor in enumerate(visitors):
                c = conversations[visitor.person]
                await visitor.write(c, f"ask {visitor.person} {turn}")
                await agents[number % 2].write(c, f"answer {visitor.person} {turn}")
        for number, visitor in enumerate(visitors):
            c, last = conversations[visitor.person], f"answer {visitor.person} 9"
            await visitor.until(lambda frame, last=last: last in str(frame))  # type: ignore[misc]
            said = [f"{what} {visitor.person} {turn}" for turn in range(10) for what in ("ask", "answer")]
            assert [text for where, _, text in visitor.texts() if where == c] == said
            assert [text for _, _, text in visitor.texts()] == said
            stranger = agents[1 - number % 2]
            assert not [text for where, _, text in stranger.texts() if where == c]
            assert code(await stranger.ask("desk.close", c=c, rev=2)) == "not_yours"
            assert (await stranger.write(c, "me too"))["code"] == "forbidden"

    in_world(tmp_path, work)


def test_a_note_reaches_no_visitor_by_any_operation(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        ann, vic, zoe = (
            await world.come("agent", "Ann"),
            await world.come("visitor", "Vic"),
            await world.come("visitor", "Zoe"),
        )
        c = await has(vic, ann)
        noted = await ann.ask("desk.note", c=c, text=CANARY, cid="n1")
        assert (await ann.ask("desk.note", c=c, text=CANARY, cid="n1"))["dup"] is True
        staff = noted["c"]
        await ann.until(lambda frame: CANARY in str(frame))
        arguments: list[dict[str, Any]] = [
            {},
            {"c": c},
            {"c": staff},
            {"c": staff, "rev": 1, "tab": "all", "score": 5, "text": "canary", "queue": 1, "state": "available"},
            {"c": c, "rev": 2, "to": vic.person, "text": "canary", "name": "Vic", "canned": 1, "short": "a"},
        ]
        others = {**operations_of_the_chat(Limits()), **world.house.operations}
        vic.session.house = zoe.session.house = world.house._replace(operations=others)
        for client in (vic, zoe):
            client.session.house.hub.store.now_ms = lambda: NOON_MS
            for op in others:
                for one in arguments:
                    await client.ask(op, **one)
            for number in range(1, staff + 2):
                await client.session.take(json.dumps({"t": "get", "id": 9_000 + number, "c": number, "after": 0}))
                await client.until(lambda frame, number=number: frame.get("id") == 9_000 + number)  # type: ignore[misc]
                await client.write(number, "hello?")
            again = await world.return_of(client.person)
            await again.until(lambda frame: frame["t"] == "sync")
            assert CANARY not in str(client.frames)
            assert CANARY not in str(again.frames)
            assert not any(where == staff for where, _, _ in client.texts())

    in_world(tmp_path, work)


def test_what_is_for_agents_is_for_nobody_else(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        ann, user = await world.come("agent", "Ann"), await world.come("user", "Uma")
        vic, zoe = await world.come("visitor", "Vic"), await world.come("visitor", "Zoe")
        c = await has(vic, ann)
        for_agents: dict[str, dict[str, Any]] = {
            "desk.list": {"tab": "all"},
            "desk.available": {"state": "available"},
            "desk.agents": {},
            "desk.stats": {},
            "desk.canned.list": {},
            "desk.canned.set": {"short": "a", "text": "b"},
            "desk.canned.remove": {"canned": 1},
            "desk.queues.list": {},
            "desk.queues.set": {"name": "mine"},
            "desk.hours.get": {},
            "desk.hours.set": {"hours": {}},
        }
        for op, arguments in for_agents.items():
            for client in (user, vic):
                assert code(await client.ask(op, **arguments)) == "forbidden", op
        of_a_case: dict[str, dict[str, Any]] = {
            "desk.take": {"rev": 1},
            "desk.accept": {},
            "desk.decline": {},
            "desk.transfer": {"rev": 1, "queue": 1},
            "desk.close": {"rev": 1},
            "desk.reopen": {},
            "desk.snooze": {"rev": 1, "until": NOON_MS + 60_000},
            "desk.priority": {"priority": 1},
            "desk.note": {"text": "hello"},
            "desk.transcript": {},
            "desk.status": {},
            "desk.rate": {"score": 1},
        }
        for op, arguments in of_a_case.items():
            for client in (user, zoe):
                assert code(await client.ask(op, c=c, **arguments)) == "no_case", op
            assert code(await zoe.ask(op, c=c + 1, **arguments)) == "no_case", op
        assert code(await ann.ask("desk.queues.set", name="mine")) == "forbidden"
        assert code(await ann.ask("desk.hours.set", hours={})) == "forbidden"
        assert code(await ann.ask("desk.start")) == "forbidden"
        assert set(OPERATIONS) - set(for_agents) - set(of_a_case) == {"desk.start", "desk.form"}

    in_world(tmp_path, work)


def test_a_message_left_at_night_is_answered_in_the_morning_in_the_same_conversation(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        boss, ann = await world.come("admin", "Boss"), await world.come("agent", "Ann")
        vic = await world.come("visitor", "Vic")
        hours = {"zone": "UTC", "week": {"tue": [["09:00", "18:00"]]}, "days": {}}
        assert (await boss.ask("desk.hours.set", hours=hours))["hours"] == hours
        assert (await ann.ask("desk.hours.get"))["hours"] == hours
        await boss.ask("desk.queues.set", queue=1, name="desk", greeting="hello", offline="write to us")
        shown = await vic.ask("desk.status")
        assert (shown["open"], shown["offline"], shown["greeting"]) == (False, "write to us", "hello")
        assert (shown["opens"] - NOON_MS, shown["agents"]) == (21 * 3_600_000, 1)
        form = {"text": "is it blue?", "name": "Victor", "contact": "vic@example.org", "cid": "f1"}
        left = await vic.ask("desk.form", page="https://shop.example/", **form)
        assert (left["desk"]["open"], left["desk"]["pos"]) == (False, 1)
        assert (await vic.ask("desk.form", **form))["s"] == left["s"]
        vic.leave()
        await world.later(3_600)
        (item,) = (await ann.ask("desk.list", tab="queue"))["items"]
        assert (item["state"], item["contact"], item["visitor"]["name"]) == ("queued", "vic@example.org", "Victor")
        await world.later(20 * 3_600)
        (item,) = (await ann.ask("desk.list", tab="mine"))["items"]
        assert item["state"] == "offered"
        await ann.ask("desk.accept", c=left["c"])
        await ann.write(left["c"], "it is")
        back = await world.return_of(vic.person)
        await back.until(lambda frame: "it is" in str(frame))
        assert [text for c, _, text in back.texts() if c == left["c"]] == ["is it blue?", "it is"]
        assert (await back.ask("desk.start"))["c"] == left["c"]
        assert (await back.ask("desk.status"))["desk"]["name"] == "Ann"

    in_world(tmp_path, work)


def test_a_transfer_is_asked_for_and_accepted(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        ann, ben, boss = [
            await world.come(kind, name) for kind, name in (("agent", "Ann"), ("agent", "Ben"), ("admin", "B"))
        ]
        await ben.ask("desk.available", state="busy")
        vic = await world.come("visitor", "Vic")
        c = await has(vic, ann)
        assert code(await ann.ask("desk.transfer", c=c, rev=2)) == "proto"
        assert code(await ann.ask("desk.transfer", c=c, rev=2, to=9_999)) == "not_here"
        assert code(await ann.ask("desk.transfer", c=c, rev=1, to=ben.person)) == "stale"
        assert code(await ben.ask("desk.transfer", c=c, rev=2, to=ben.person)) == "not_yours"
        assert (await ann.ask("desk.transfer", c=c, rev=2, to=ben.person))["rev"] == 2
        assert code(await boss.ask("desk.accept", c=c)) == "taken"
        assert (await ben.ask("desk.decline", c=c))["state"] == "open"
        assert (await boss.ask("desk.transfer", c=c, rev=2, to=ben.person))["t"] == "ok"
        assert (await ben.ask("desk.accept", c=c))["rev"] == 3
        assert (await ann.write(c, "one more thing"))["code"] == "forbidden"
        await ben.write(c, "here is Ben")
        await vic.until(lambda frame: "here is Ben" in str(frame))
        made = await boss.ask("desk.queues.set", name="sales", agents=[ann.person], capacity=1)
        assert (await ben.ask("desk.transfer", c=c, rev=3, queue=made["queue"]))["state"] == "queued"
        await world.desk.route()
        assert (await ann.ask("desk.list", tab="mine"))["items"][0]["state"] == "offered"
        assert code(await ben.ask("desk.transfer", c=c, rev=4, queue=1)) == "not_yours"
        assert code(await ann.ask("desk.transfer", c=c, rev=4, queue=1)) == "not_yours"

    in_world(tmp_path, work)


def test_who_may_close_and_open_again(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        ann, ben, vic = (
            await world.come("agent", "Ann"),
            await world.come("agent", "Ben"),
            await world.come("visitor", "Vic"),
        )
        c = (await vic.ask("desk.start"))["c"]
        assert code(await ben.ask("desk.close", c=c)) == "stale"
        assert (await ben.ask("desk.close", c=c, rev=1))["state"] == "closed"
        assert (await vic.ask("desk.close", c=c))["rev"] == 2
        assert (await ann.ask("desk.reopen", c=c))["state"] == "open"
        assert code(await ben.ask("desk.close", c=c, rev=3)) == "not_yours"
        assert (await vic.ask("desk.close", c=c))["state"] == "closed"
        assert code(await vic.ask("desk.rate", c=c, score=9)) == "bad_rating"
        assert (await vic.ask("desk.reopen", c=c))["state"] == "queued"

    in_world(tmp_path, work)


def test_a_case_is_put_off_until_its_time_or_its_visitors_word(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        ann, ben = await world.come("agent", "Ann"), await world.come("agent", "Ben")
        await asyncio.gather(*(one.ask("desk.available", state="busy") for one in (ann, ben)))
        vic = await world.come("visitor", "Vic")
        c = await has(vic, ann)
        (item,) = (await ann.ask("desk.list"))["items"]
        until = world.clock_ms + 60_000
        assert code(await ben.ask("desk.snooze", c=c, rev=item["rev"], until=until)) == "not_yours"
        assert code(await ann.ask("desk.snooze", c=c, rev=item["rev"] + 1, until=until)) == "stale"
        assert (await ann.ask("desk.snooze", c=c, rev=item["rev"], until=until))["state"] == "snoozed"
        (item,) = (await ann.ask("desk.list", tab="mine"))["items"]
        assert (item["state"], item["due"]) == ("snoozed", until)
        assert (await vic.ask("desk.status", c=c))["desk"]["state"] == "snoozed"
        assert (await vic.write(c, "one more thing"))["t"] == "ack"
        await vic.until(lambda frame: frame.get("b") == {"state": "queued", "why": "woken"})
        (item,) = (await ann.ask("desk.list", tab="queue"))["items"]
        await ann.ask("desk.take", c=c, rev=item["rev"])
        await ann.ask("desk.snooze", c=c, rev=item["rev"] + 1, until=until)
        await world.later(60)
        (item,) = (await ben.ask("desk.list", tab="queue"))["items"]
        assert (item["c"], item["since"]) == (c, world.clock_ms)

    in_world(tmp_path, work)


def test_what_matters_more_is_in_front_of_the_queue(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        ann, vic, zoe = [await world.come(*who) for who in (("agent", "Ann"), ("visitor", "V"), ("visitor", "Z"))]
        await ann.ask("desk.available", state="busy")
        first, second = [(await one.ask("desk.start"))["c"] for one in (vic, zoe)]
        assert code(await ann.ask("desk.priority", c=second, priority="high")) == "bad_priority"
        assert (await ann.ask("desk.priority", c=second, priority=2))["state"] == "queued"
        found = (await ann.ask("desk.list", tab="queue"))["items"]
        assert [(one["c"], one["priority"]) for one in found] == [(second, 2), (first, 0)]
        await vic.until(lambda frame: frame.get("desk", {}).get("pos") == 2)

    in_world(tmp_path, work)


def test_canned_answers_and_figures(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        ann, vic = await world.come("agent", "Ann"), await world.come("visitor", "Vic")
        c = await has(vic, ann)
        made = await ann.ask("desk.canned.set", short="/hi", text="您好，{{visitor.name}}")
        assert (await ann.ask("desk.canned.list"))["canned"][0]["title"] == "/hi"
        assert (await ann.ask("desk.canned.list", c=c))["canned"][0]["filled"] == "您好，Vic"
        assert (await ann.ask("desk.canned.set", canned=made["canned"], short="hi", text="再见"))["canned"] == made[
            "canned"
        ]
        assert (await ann.ask("desk.canned.remove", canned=made["canned"]))["t"] == "ok"
        assert (await ann.ask("desk.stats"))["queues"][0]["day"]["started"] == 1
        assert (await ann.ask("desk.agents"))["agents"][0]["load"] == 1
        assert (await ann.ask("desk.queues.list"))["queues"][0]["name"] == "desk"
        assert (await ann.ask("desk.available"))["state"] == "available"
        assert code(await ann.ask("desk.available", state="asleep")) == "bad_state"
        text = (await vic.ask("desk.transcript", c=c))["text"]
        assert (
            text
            == (await ann.ask("desk.transcript", c=c))["text"]
            == "2026-01-05 12:00  * Waiting for an agent.\n2026-01-05 12:00  * Ann is here.\n"
        )

    in_world(tmp_path, work)


@pytest.mark.parametrize(
    ("page", "kept"),
    [
        ("https://shop.example/a?b=c", "https://shop.example/a?b=c"),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ("", ""),
        ("https://shop.example/" + "x" * 900, "https://shop.example/" + "x" * 479),
    ],
)
def test_only_addresses_of_the_web_are_shown_to_agents(tmp_path: Path, page: str, kept: str) -> None:
    async def work(world: World) -> None:
        ann, vic = await world.come("agent", "Ann"), await world.come("visitor", "Vic")
        await vic.ask("desk.start", page=page)
        assert (await ann.ask("desk.list", tab="all"))["items"][0]["page"] == kept

    in_world(tmp_path, work)


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("desk.start", {"name": "a\u202eb"}, "bad_name"),
    ("desk.start", {"name": 5}, "proto"),
    ("desk.start", {"page": "a\x1b[31m"}, "bad_body"),
    ("desk.start", {"queue": 9}, "no_queue"),
    ("desk.form", {"text": " "}, "empty"),
    ("desk.form", {}, "proto"),
    ("desk.form", {"text": "x", "cid": "\n"}, "bad_cid"),
    ("desk.form", {"text": "x", "contact": "y" * 201}, "proto"),
    ("desk.status", {"queue": 9}, "no_queue"),
    ("desk.rate", {"c": 1, "score": "5"}, "proto"),
]


def test_what_is_refused_leaves_nothing_behind(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        vic = await world.come("visitor", "Vic")
        for op, arguments, why in BAD:
            assert code(await vic.ask(op, **arguments)) == why, (op, arguments)
        count = await world.house.hub.store.read(lambda db: db.execute("SELECT count(*) FROM desk_case").fetchone()[0])
        assert count == 0

    in_world(tmp_path, work)


def test_one_new_conversation_after_the_other_is_too_many(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        vic = await world.come("visitor", "Vic")
        asked: list[str] = []

        def may(me: Me, kind: str) -> float:
            asked.append(kind)
            return 60.0 if asked.count("start") > 2 and kind == "start" else 0.0

        vic.session.house = vic.session.house._replace(may=may)
        for op, arguments in (("desk.start", {}), ("desk.form", {"text": "x"})):
            c = (await vic.ask(op, **arguments))["c"]
            assert (await vic.ask("desk.start"))["c"] == c  # which is no new one
            await vic.ask("desk.close", c=c)
        for op, arguments in (("desk.start", {}), ("desk.form", {"text": "x"})):
            answer = await vic.ask(op, **arguments)
            assert (code(answer), answer["retry"]) == ("rate", 60.0)

    in_world(tmp_path, work)
