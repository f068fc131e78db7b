"""Who looks at a case, and what is known of its visitor."""

from pathlib import Path
from typing import Any

from tests.apps.chat.desk_world import NOON_MS, Client, World, code, has, in_world

from portico.apps.chat import cases
from portico.apps.chat.desk_views import LOOK_MS, WRITING_MS, Onlookers
from portico.apps.chat.log import Change

ANN, BEN = 1, 2


def names(onlookers: Onlookers, conversation: int, now_ms: int, online: tuple[int, ...] = (ANN, BEN)) -> list[str]:
    return [one["name"] + "…" * one["writing"] for one in onlookers.at(conversation, now_ms, online)]


def test_who_looks_at_what() -> None:
    onlookers = Onlookers()
    assert onlookers.look(BEN, "Ben", 7, 0) == {7}
    assert onlookers.look(ANN, "Ann", 7, 0) == {7}
    assert names(onlookers, 7, 0) == ["Ann", "Ben"]
    assert names(onlookers, 7, 0, online=(BEN,)) == ["Ben"]
    assert onlookers.look(ANN, "Ann", 7, 10) == set()
    assert onlookers.look(ANN, "Ann", 8, 20) == {7, 8}
    assert (names(onlookers, 7, 20), names(onlookers, 8, 20)) == (["Ben"], ["Ann"])
    assert onlookers.look(ANN, "Ann", 0, 30) == {8}
    assert onlookers.look(ANN, "Ann", 0, 30) == set()


def test_who_says_nothing_more_looks_no_more() -> None:
    onlookers = Onlookers()
    onlookers.look(ANN, "Ann", 7, 0)
    assert names(onlookers, 7, LOOK_MS - 1) == ["Ann"]
    assert names(onlookers, 7, LOOK_MS) == []
    assert onlookers.look(ANN, "Ann", 8, LOOK_MS) == {8}


def test_who_writes_writes_for_a_while() -> None:
    onlookers = Onlookers()
    onlookers.look(ANN, "Ann", 7, 0)
    assert onlookers.look(ANN, "Ann", 7, 1, is_writing=True) == {7}
    assert onlookers.look(ANN, "Ann", 7, 2, is_writing=True) == set()
    assert names(onlookers, 7, 1 + WRITING_MS) == ["Ann…"]
    assert names(onlookers, 7, 2 + WRITING_MS) == ["Ann"]


async def told(client: Client, c: int, looking: list[tuple[str, bool]]) -> dict[str, Any]:
    """Wait until a client is told who looks at a case."""

    def is_it(frame: dict[str, Any]) -> bool:
        return frame.get("c") == c and [(one["name"], one["writing"]) for one in frame.get("looking", ())] == looking

    return await client.until(is_it)


def test_colleagues_learn_of_each_other_and_visitors_of_nobody(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        ann, ben, vic = [await world.come(*one) for one in (("agent", "Ann"), ("agent", "Ben"), ("visitor", "Vic"))]
        c = await has(vic, ann)
        assert (await ann.ask("desk.look", c=c))["looking"] == [{"id": ann.person, "name": "Ann", "writing": False}]
        assert len((await ben.ask("desk.look", c=c))["looking"]) == 2
        await told(ann, c, [("Ann", False), ("Ben", False)])
        await ann.ask("desk.look", c=c, writing=True)
        await told(ben, c, [("Ann", True), ("Ben", False)])
        assert (await ben.ask("desk.look"))["looking"] == []
        await told(ann, c, [("Ann", True)])
        for client in (vic, await world.come("user", "Uma"), await world.come("visitor", "Zoe")):
            refused = await client.ask("desk.look", c=c)
            assert refused.get("code") == "no_case", refused
        assert not [frame for frame in vic.frames if "looking" in frame]

    in_world(tmp_path, work)


def test_what_is_known_of_a_visitor(tmp_path: Path) -> None:
    async def work(world: World) -> None:
        ann, vic, zoe = [await world.come(*one) for one in (("agent", "Ann"), ("visitor", "V"), ("visitor", "Z"))]
        first = await has(vic, ann)
        found = await ann.ask("desk.details", c=first)
        assert (found.get("via"), found["files"], found["earlier"]) == (None, [], [])

        def end(change: Change) -> None:
            cases.close(change, ann.person, cases.find(change.db, first))
            cases.rate(change, vic.person, first, 4)
            row = ("0" * 64, "<b>.png", "image/png", 7, vic.person, NOON_MS)
            query = "INSERT INTO file (digest, name, type, size, uploader, made_ms) VALUES (?, ?, ?, ?, ?, ?)"
            change.db.execute(query, row)

        await world.house.hub.store.write(end)
        second = await has(vic, ann)
        await vic.write(second, "look")
        await vic.write(second, "here", files=[1])
        found = await ann.ask("desk.details", c=second)
        assert found["via"] == "ws"
        assert found["files"] == [{"id": 1, "name": "<b>.png", "type": "image/png", "size": 7}]
        assert found["earlier"] == [{"c": first, "at": NOON_MS, "agent": "Ann", "score": 4}]
        assert code(await zoe.ask("desk.details", c=second)) == "no_case"
        assert code(await vic.ask("desk.details", c=second)) == "no_case"

    in_world(tmp_path, work)
