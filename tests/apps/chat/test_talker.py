"""A person behind plain text: what it is told of frames, which conversation it means, what it may not."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from tests.apps.chat.text_stage import NOON_MS, TextStage, acted

from portico.apps.chat import log, rooms, talker
from portico.apps.chat.entrance import Caller
from portico.apps.chat.events import Rejected
from portico.apps.chat.log import Change
from portico.apps.chat.passwords import hash_password
from portico.apps.chat.talker import Talker


class Screen:
    """A wire with room for everything. frames: what came. lines: what was shown."""

    has_room = True

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []
        self.lines: list[str] = []

    def send(self, messages: Sequence[str]) -> None:
        self.frames += [json.loads(message) for message in messages]

    def show(self, *lines: str) -> None:
        self.lines += lines


def make(stage: TextStage) -> tuple[Talker, Screen]:
    screen = Screen()
    return Talker(stage.setting("tcp"), screen, Caller("127.0.0.1", "test"), screen.show), screen


async def come(stage: TextStage, kind: str, name: str) -> tuple[Talker, Screen]:
    found, screen = make(stage)
    await found.enter(await stage.device(await stage.person(kind, name)))
    return found, screen


NIGHT = {"state": "queued", "pos": 1, "open": False}
STATUSES = [
    ("a place", {"state": "queued", "pos": 2, "eta": None, "open": True}, ["*** you are number 2 in the queue"]),
    ("how long", {"state": "queued", "pos": 1, "eta": 70}, ["*** you are number 1 in the queue, about 2 min"]),
    ("night", {**NIGHT, "opens": NOON_MS}, ["*** nobody is here now; the desk opens 01-05 12:00"]),
    ("always night", {**NIGHT, "opens": None}, ["*** you are number 1 in the queue"]),
    ("no place", {"state": "queued", "pos": None}, []),
    ("open", {"state": "open", "agent": 1}, []),
]


@pytest.mark.parametrize(("status", "lines"), [case[1:] for case in STATUSES], ids=[case[0] for case in STATUSES])
@acted
async def test_what_a_visitor_is_told_of_the_queue(stage: TextStage, status: dict[str, Any], lines: list[str]) -> None:
    await stage.open()
    found, _ = make(stage)
    frame = {"t": "st", "c": 1, "desk": status}
    assert await found.read(json.dumps(frame)) == lines
    assert await found.read_frame(frame) == []


OTHERS = [
    ("an error", {"t": "err", "code": "auth", "why": "sign in"}, ["*** sign in"]),
    ("a farewell", {"t": "bye", "code": 4003, "why": "signed out"}, ["*** signed out"]),
    ("a welcome", {"t": "welcome", "me": 1}, []),
    ("a reset", {"t": "reset", "why": "epoch"}, []),
    ("typing", {"t": "st", "c": 1, "typ": 3}, []),
    ("lists of agents", {"t": "st", "desk_list": True}, []),
    ("the unknown", {"t": "future"}, []),
]


@pytest.mark.parametrize(("frame", "lines"), [case[1:] for case in OTHERS], ids=[case[0] for case in OTHERS])
@acted
async def test_other_frames(stage: TextStage, frame: dict[str, Any], lines: list[str]) -> None:
    await stage.open()
    found, _ = make(stage)
    assert await found.read_frame(frame) == lines
    assert found.is_ended == (frame["t"] == "bye")


@acted
async def test_who_changes_the_name_is_called_by_the_new_one(stage: TextStage) -> None:
    await stage.open()
    found, _ = await come(stage, "user", "Li")
    names = dict(await found.names_of([1]))
    await found.read_frame({"t": "st", "people": {"1": {"name": "Old Li", "kind": "user"}}})
    assert (names[1], (await found.names_of([1]))[1]) == ("Li", "Old Li")


@acted
async def test_names_are_not_kept_without_bound(stage: TextStage) -> None:
    await stage.open()
    found, _ = await come(stage, "user", "Li")
    cards = {str(number): {"name": "x"} for number in range(2, talker.MAX_NAMES + 9)}
    await found.read_frame({"t": "st", "people": cards})
    assert dict(await found.names_of([1])) == {1: "Li"}


@acted
async def test_what_was_missed_is_counted(stage: TextStage) -> None:
    await stage.open()
    li, _ = await come(stage, "user", "Li")
    number = (await li.ask("room.make", title="den", public=True))["c"]
    for count in range(50):
        await stage.say(number, 1, f"line {count}")
    again, screen = make(stage)
    await again.enter(await stage.device(1))
    assert screen.lines == ["*** 31 earlier lines, /history"]
    assert again.current == number
    await again.follow(number)
    (sync,) = [frame for frame in screen.frames if frame["t"] == "sync"]
    assert len(await again.read_frame(sync)) == 20
    gap = {**sync, "limited": True, "first": 1, "ev": [{**sync["ev"][-1], "s": 90}]}
    assert (await again.read_frame(gap))[0] == "*** 38 earlier lines, /history"
    trimmed = {**sync, "limited": True, "first": 200, "head": 199, "ev": []}
    assert await again.read_frame(trimmed) == ["*** what was said before is not kept any more"]


@acted
async def test_the_language_of_an_account(stage: TextStage) -> None:
    await stage.open()
    person = await stage.person("user", "小李")
    await stage.write("UPDATE person SET language = 'zh'")
    found, _ = make(stage)
    found.notice("hello")
    await found.enter(await stage.device(person))
    assert found.language == "zh"
    found.choose_language("en")
    found.notice("你好")
    await found.enter(await stage.device(person))
    assert found.language == "en"


@acted
async def test_a_name_means_one_conversation_or_none(stage: TextStage) -> None:
    await stage.open()
    found, _ = make(stage)
    assert await found.places() == []
    li, _ = await come(stage, "user", "Li")
    one = (await li.ask("room.make", title="den"))["c"]
    other = (await li.ask("room.make", title="Den"))["c"]
    for name, wanted in ((f"#{one}", one), (f"{other}", other)):
        assert (await li.place(name)).conversation == wanted
    for name in ("den", "attic", "99", "9" * 40, "#", ""):
        with pytest.raises(Rejected):
            await li.place(name)
    await li.ask("room.leave", c=other)
    assert (await li.place("DEN")).conversation == one
    assert li.label_of(one) == "den"
    assert li.label_of(77) == "#77"


@acted
async def test_of_a_visitor_who_comes_again_the_last_conversation_is_meant(stage: TextStage) -> None:
    await stage.open()
    visitor = await stage.person("visitor", "A")

    def make_two(change: Change) -> None:
        for _ in range(2):
            number = rooms.make_conversation(change, "desk", title="A")
            rooms.add_member(change, number, 2, by=2)
            rooms.add_member(change, number, visitor, by=visitor)
            change.db.execute(
                "INSERT INTO desk_case (conversation, staff, queue, visitor, state, revision, agent, is_first, page, "
                "contact, queued_ms, comment) VALUES (?, ?, 1, ?, 'open', 1, 2, 0, '', '', 0, '')",
                (number, number, visitor),
            )

    agent, _ = await come(stage, "agent", "Wang")
    await stage.store.write(make_two)
    assert (await agent.place("a")).conversation == 2


@acted
async def test_what_one_says_is_no_news_to_oneself_and_is_to_ones_other_devices(stage: TextStage) -> None:
    await stage.open()
    li, _ = await come(stage, "user", "Li")
    other, _ = make(stage)
    await other.enter(await stage.device(1))
    number = (await li.ask("room.make", title="den"))["c"]
    event = await li.say("hello", number)
    frame = {"t": "ev", "c": number, "s": event.seq, "at": NOON_MS, "f": 1, "k": "msg", "b": {"text": "hello"}}
    assert await li.read_frame(frame) == []
    assert await li.read_frame(frame) == ["[12:00] (den) Li: hello"]
    assert await other.read_frame(frame) == ["[12:00] (den) Li: hello"]


@acted
async def test_the_same_id_is_the_same_message(stage: TextStage) -> None:
    await stage.open()
    li, _ = await come(stage, "user", "Li")
    number = (await li.ask("room.make", title="den"))["c"]
    first, again = await li.say("hello", number, cid="1"), await li.say("hello", number, cid="1")
    assert first == again
    with pytest.raises(Rejected, match="names another message"):
        await li.say("other", number, cid="1")


@acted
async def test_other_peoples_conversations_are_not_to_be_had(stage: TextStage) -> None:
    await stage.open()
    li, _ = await come(stage, "user", "Li")
    wu, _ = await come(stage, "user", "Wu")
    number = (await li.ask("room.make", title="den"))["c"]
    with pytest.raises(Rejected):
        await wu.say("hello", number)
    with pytest.raises(Rejected):
        await wu.place(f"#{number}")
    with pytest.raises(Rejected):
        await stage.store.read(lambda db: log.read_for(db, 2, number, 0))


@acted
async def test_an_operation_that_there_is_not(stage: TextStage) -> None:
    await stage.open()
    li, screen = await come(stage, "user", "Li")
    with pytest.raises(Rejected) as caught:
        await li.ask("future.thing")
    li.complain(caught.value)
    li.complain(Rejected("rate", "slow down", retry_s=0.2))
    assert screen.lines == ["*** there is nothing called future.thing here", "*** slow down (1 s)"]


@acted
async def test_an_agent_who_asks_too_often_is_told_of_who_waits_later(stage: TextStage) -> None:
    await stage.open()
    agent, _ = await come(stage, "agent", "Wang")
    assert agent.me is not None
    while not stage.limits.may(agent.me, "ask"):  # until the bucket is empty
        pass
    assert await agent.read_frame({"t": "st", "desk_list": True}) == []


@acted
async def test_one_with_no_desk_says_nothing_to_nobody(stage: TextStage) -> None:
    await stage.open(has_desk=False)
    found, screen = make(stage)
    with pytest.raises(Rejected, match="no conversation"):
        await found.say("hello")
    assert found.me is not None
    assert screen.lines[0] == "*** You are guest-1."
    assert await found.visit() is found.me


@acted
async def test_who_comes_by_password_is_forgotten_at_the_end(stage: TextStage) -> None:
    await stage.open()
    await stage.person("user", "Li", login="li", password=await hash_password("a long secret"))
    found, _ = make(stage)
    found.check_in()
    with pytest.raises(Rejected):
        await found.sign_in("li", "wrong")
    assert (await found.sign_in("li", "a long secret")).person == 1
    found.end()
    await stage.until(lambda: not stage._tasks.running)
    assert await stage.rows("SELECT is_revoked FROM device") == [(1,)]


@acted
async def test_a_visitor_and_an_agent(stage: TextStage) -> None:
    await stage.open()
    agent, _ = await come(stage, "agent", "Wang")
    visitor, screen = make(stage)
    event = await visitor.say("hello")
    assert (visitor.current, event.seq) == (1, 3)
    assert screen.lines[0] == "*** You are guest-2."
    assert visitor.label_of(1) == "#1"
    assert (await visitor.place("")).label == "guest-2"
    assert visitor.label_of(1) == "the desk"
    (item,) = await agent.waiting()
    assert agent.waiting_line(item) == "#1 guest-2 waits, /take 1: hello"
    assert agent.waiting_line({**item, "last": None}) == "#1 guest-2 waits, /take 1"
    assert await agent.read_frame({"t": "st", "desk_list": True}) == ["*** #1 guest-2 waits, /take 1: hello"]
    assert await agent.read_frame({"t": "st", "desk_list": True}) == []
    await agent.ask("desk.take", c=1, rev=item["rev"])
    await agent.follow(1)
    await agent.ask("desk.note", c=1, text="who is it?")
    texts = [one["b"].get("text") for frame in screen.frames for one in frame.get("ev", []) if frame["t"] == "sync"]
    assert "who is it?" not in texts
    note = {"t": "ev", "c": 2, "s": 9, "at": NOON_MS, "f": 1, "k": "msg", "b": {"text": "psst"}}
    assert await agent.read_frame(note) == ["[12:00] (notes on guest-2) Wang: psst"]
    entered = {**note, "k": "join", "b": {"person": 1, "since": 1}}
    assert await agent.read_frame(entered) == []
    state = {**note, "c": 1, "k": "state", "b": {"state": "queued", "why": "started"}}
    assert await agent.read_frame(state) == ["[12:00] (guest-2) *** waiting for somebody who answers"]
    again, _ = make(stage)
    await again.enter(await stage.device(2))
    assert again.current == 1


@acted
async def test_ones_own_leaving_is_not_told(stage: TextStage) -> None:
    await stage.open()
    li, _ = await come(stage, "user", "Li")
    number = (await li.ask("room.make", title="den"))["c"]
    gone = {"t": "ev", "c": number, "s": 2, "at": NOON_MS, "f": 1, "k": "leave", "b": {"person": 1}}
    assert await li.read_frame(gone) == []


@acted
async def test_nobody_follows_anything(stage: TextStage) -> None:
    await stage.open()
    found, screen = make(stage)
    await found.follow(1)
    found.end()
    assert (screen.lines, screen.frames) == ([], [])
