"""One client of the house: hello, resume, sends and their answers, whatever carries the frames."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from portico.apps.chat import people, rooms
from portico.apps.chat.events import Rejected
from portico.apps.chat.house import open_house
from portico.apps.chat.hub import Seat
from portico.apps.chat.log import Change
from portico.apps.chat.presence import MAX_TOLD
from portico.apps.chat.session import House, Me, Session

Frame = dict[str, Any]


class Line:
    has_room = True

    def __init__(self) -> None:
        self.frames: list[Frame] = []

    def send(self, messages: Sequence[str]) -> None:
        self.frames += map(json.loads, messages)

    def of(self, kind: str) -> list[Frame]:
        return [frame for frame in self.frames if frame["t"] == kind]


class Scene:
    """A house with two persons in one room. may: what limits every kind of asking."""

    def __init__(self, folder: Path) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self.may: Callable[[Me, str], float] = lambda me, kind: 0.0
        self.house: House = open_house(
            folder,
            self._run,
            operations={"echo": self._echo, "fail": self._fail},
            may=lambda me, kind: self.may(me, kind),
            is_fast=True,
        )
        self.tokens: list[str] = []
        self.room = 0

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _echo(self, session: Session, frame: Mapping[str, Any]) -> Mapping[str, Any]:
        assert session.me is not None
        return {"me": session.me.name, "said": frame.get("text")}

    async def _fail(self, session: Session, frame: Mapping[str, Any]) -> Mapping[str, Any]:
        raise ZeroDivisionError("somebody's mistake")

    async def settle(self) -> None:
        def make(change: Change) -> None:
            persons = [people.add_person(change, "user", name, login=name) for name in "ab"]
            self.tokens = [people.add_device(change, person, "test") for person in persons]
            self.room = rooms.make_room(change, persons[0], "room", is_public=True)
            rooms.join(change, persons[1], self.room)

        await self.house.hub.store.write(make)

    async def come(self, token: str, **hello: object) -> tuple[Session, Line]:
        line = Line()
        session = Session(self.house, line, "ws")
        await session.take(json.dumps({"t": "hello", "v": 1, "tok": token, **hello}))
        await self.quiet()
        return session, line

    async def say(self, session: Session, *frames: Mapping[str, Any]) -> None:
        await session.take("\n".join(map(json.dumps, frames)))
        await self.quiet()

    async def quiet(self) -> None:
        while True:
            await self.house.hub.store.read(lambda db: None)
            for _ in range(5):
                await asyncio.sleep(0)
            if not self.tasks:
                return


def play(folder: Path, work: Callable[[Scene], Awaitable[None]]) -> None:
    async def whole() -> None:
        scene = Scene(folder / "data")
        try:
            await scene.settle()
            await work(scene)
        finally:
            scene.house.hub.store.close()

    asyncio.run(whole())


def message(scene: Scene, text: str, **more: object) -> Frame:
    return {"t": "send", "c": scene.room, "k": "msg", "b": {"text": text}, **more}


def test_hello_and_a_message(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        ann, first = await scene.come(scene.tokens[0])
        _, second = await scene.come(scene.tokens[1])
        assert first.frames[0]["t"] == "welcome"
        assert first.of("sync")[0]["head"] == 2
        await scene.say(ann, message(scene, "hello", cid="x"))
        assert first.of("ack") == [
            {"t": "ack", "cid": "x", "c": scene.room, "s": 3, "at": first.of("ev")[0]["at"]},
        ]
        assert second.of("ev") == first.of("ev")
        assert second.of("ev")[0]["b"] == {"text": "hello"}
        for _ in range(50):
            await scene.say(ann, message(scene, "hello", cid="x"))
        assert [ack["s"] for ack in first.of("ack")] == [3] * 51
        assert len(second.of("ev")) == 1

    play(tmp_path, work)


def test_resume(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        ann, line = await scene.come(scene.tokens[0])
        epoch = line.of("welcome")[0]["epoch"]
        for number in range(5):
            await scene.say(ann, message(scene, f"{number}"))
        known = {str(scene.room): 4}
        _, again = await scene.come(scene.tokens[1], epoch=epoch, have=known)
        assert [event["s"] for event in again.of("sync")[0]["ev"]] == [5, 6, 7]
        _, other = await scene.come(scene.tokens[1], epoch="another", have=known)
        assert other.of("reset") == [{"t": "reset", "why": "epoch"}]
        assert [event["s"] for event in other.of("sync")[0]["ev"]] == list(range(1, 8))
        for ahead in ({str(scene.room): 8}, {str(scene.room): 7, "99": 1}):
            _, third = await scene.come(scene.tokens[1], epoch=epoch, have=ahead)
            lost = [{"t": "reset", "why": "ahead"}] if "99" not in ahead else []
            assert third.of("reset") == lost
            assert [event["s"] for event in third.of("sync")[0]["ev"]] == (list(range(1, 8)) if lost else [])
        _, fresh = await scene.come(scene.tokens[1], recent=3)
        assert [event["s"] for event in fresh.of("sync")[0]["ev"]] == [5, 6, 7]
        assert (fresh.of("sync")[0]["first"], fresh.of("sync")[0].get("limited")) == (1, None)
        _, old = await scene.come(scene.tokens[1], recent=3, have={str(scene.room): 2})
        assert [event["s"] for event in old.of("sync")[0]["ev"]] == [3, 4, 5, 6, 7]
        ann.end()
        ann.end()

    play(tmp_path, work)


def test_who_was_taken_out_meanwhile_is_told_what_happened_until_then(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        ann, line = await scene.come(scene.tokens[0])
        await scene.say(ann, message(scene, "with both"))
        assert ann.me is not None
        first = ann.me.person
        await scene.house.hub.store.write(lambda change: rooms.leave(change, first + 1, scene.room))
        await scene.say(ann, message(scene, "without"))
        epoch = line.of("welcome")[0]["epoch"]
        _, again = await scene.come(scene.tokens[1], epoch=epoch, have={str(scene.room): 2})
        assert [(event["s"], event["k"]) for event in again.of("sync")[0]["ev"]] == [(3, "msg"), (4, "leave")]
        await scene.say(ann, message(scene, "nor this"))
        assert again.of("ev") == []
        _, known = await scene.come(scene.tokens[1], epoch=epoch, have={str(scene.room): 4})
        assert known.of("sync") == []
        _, other = await scene.come(scene.tokens[1], epoch="another", have={str(scene.room): 2})
        assert other.of("sync") == []

    play(tmp_path, work)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"t":"send","c":1,"b":{}}', "auth"),
        ('{"t":"hello","v":1,"tok":"forged"}', "auth"),
        ('{"t":"hello","v":7,"tok":""}', "version"),
        ("nonsense", "proto"),
    ],
)
def test_before_hello(tmp_path: Path, text: str, code: str) -> None:
    async def work(scene: Scene) -> None:
        line = Line()
        session = Session(scene.house, line, "ws")
        await session.take(text)
        assert [frame["code"] for frame in line.frames] == [code]
        assert session.me is None

    play(tmp_path, work)


def test_what_is_asked_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work(scene: Scene) -> None:
        ann, line = await scene.come(scene.tokens[0])
        await scene.say(
            ann,
            {"t": "ask", "id": 1, "op": "echo", "text": "hi"},
            {"t": "ask", "id": 2, "op": "nothing"},
            {"t": "ask", "id": 3, "op": "fail"},
            {"t": "get", "id": 4, "c": scene.room, "after": 1},
            {"t": "get", "id": 5, "c": scene.room, "before": 2},
            {"t": "get", "id": 6, "c": 99, "after": 0},
            {"t": "hello", "v": 1, "tok": scene.tokens[0]},
            {"t": "pong"},
        )
        assert line.of("ok") == [{"t": "ok", "id": 1, "me": "a", "said": "hi"}]
        assert {frame.get("id"): frame["code"] for frame in line.of("err")} == {
            2: "unknown_op",
            3: "failed",
            6: "forbidden",
            None: "proto",
        }
        assert {page["id"]: [event["s"] for event in page["ev"]] for page in line.of("page")} == {4: [2], 5: [1]}

    with caplog.at_level(logging.ERROR, "portico"):
        play(tmp_path, work)
    assert "somebody's mistake" in caplog.text


def test_how_far_and_who_writes_is_told_the_others(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        ann, first = await scene.come(scene.tokens[0])
        _, second = await scene.come(scene.tokens[1])
        second.frames.clear()
        await scene.say(
            ann,
            {"t": "mark", "c": scene.room, "read": 2},
            {"t": "typ", "c": scene.room},
            {"t": "mark", "c": scene.room, "got": 1},
            {"t": "mark", "c": 99, "read": 1},
            {"t": "typ", "c": 99},
        )
        assert {"t": "st", "c": scene.room, "read": {"1": 2}} in second.frames
        assert {"t": "st", "c": scene.room, "got": {"1": 2}} in second.frames
        assert {"t": "st", "c": scene.room, "typ": 1} in second.frames
        assert [frame["code"] for frame in first.of("err")] == ["forbidden"]
        _, again = await scene.come(scene.tokens[0])
        assert again.of("st")[0]["read"] == {"1": 2}

    play(tmp_path, work)


def test_how_far_one_has_read_is_told_ones_other_devices_and_not_a_crowd(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        ann, first = await scene.come(scene.tokens[0])
        _, phone = await scene.come(scene.tokens[0])
        _, other = await scene.come(scene.tokens[1])
        crowd = {1000 + number: Seat(1) for number in range(MAX_TOLD)}
        scene.house.hub.rooms[scene.room].seats.update(crowd)
        await scene.say(ann, {"t": "mark", "c": scene.room, "read": 2}, {"t": "typ", "c": scene.room})
        told = {"t": "st", "c": scene.room, "read": {"1": 2}}
        assert (told in first.frames, told in phone.frames, told in other.frames) == (True, True, False)
        assert not [frame for frame in other.frames if "typ" in frame]

    play(tmp_path, work)


def test_what_is_open_is_noted_once_hello_is_said(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        ann, line = await scene.come(scene.tokens[0])
        await scene.say(ann, {"t": "view", "c": scene.room})
        assert {"t": "st", "c": scene.room, "here": 1} in line.frames
        ann.end()
        await scene.say(ann, {"t": "view", "c": scene.room})

    play(tmp_path, work)


def test_refusals_and_rates(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        ann, line = await scene.come(scene.tokens[0])
        await scene.say(ann, {**message(scene, ""), "cid": "y"}, {**message(scene, "x"), "c": 99})
        assert [(frame.get("cid"), frame["code"]) for frame in line.of("nack")] == [("y", "empty"), (None, "forbidden")]
        scene.may = lambda me, kind: 1.5
        await scene.say(ann, message(scene, "too fast"), {"t": "get", "id": 1, "c": scene.room, "after": 0})
        assert (line.of("nack")[-1]["code"], line.of("nack")[-1]["retry"]) == ("rate", 1.5)
        assert line.of("err")[-1]["code"] == "rate"

    play(tmp_path, work)


def test_how_far_one_is_is_written_once_however_often_it_is_said_meanwhile(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        ann, line = await scene.come(scene.tokens[0])
        asked: list[str] = []

        def may(me: Me, kind: str) -> float:
            asked.append(kind)
            return 0.0

        scene.may = may
        marks = [{"t": "mark", "c": scene.room, "read": read} for read in (0, 2, 1, 0) * 15]
        await scene.say(ann, *marks)
        assert asked == ["mark"]
        assert line.of("st")[-1]["read"] == {"1": 2}

    play(tmp_path, work)


def test_what_is_shown_and_not_kept_is_left_out_where_there_is_too_much(tmp_path: Path) -> None:
    async def work(scene: Scene) -> None:
        ann, first = await scene.come(scene.tokens[0])
        _, second = await scene.come(scene.tokens[1])
        scene.may = lambda me, kind: float(kind in ("typ", "mark"))
        shown = ({"t": "typ", "c": scene.room}, {"t": "view", "c": scene.room})
        await scene.say(ann, *shown, {"t": "mark", "c": scene.room, "read": 1})
        assert not [frame for frame in (*first.frames, *second.frames) if "typ" in frame or "here" in frame]
        assert [frame["code"] for frame in first.of("err")] == ["rate"]

        def blocked(me: Me, kind: str) -> float:
            raise Rejected("blocked", "you have been blocked here")

        scene.may = blocked
        await scene.say(ann, *shown)
        assert not [frame for frame in (*first.frames, *second.frames) if "typ" in frame or "here" in frame]

    play(tmp_path, work)
