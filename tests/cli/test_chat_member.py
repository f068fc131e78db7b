"""Somebody in a terminal: frames become lines, lines become frames, and nothing that is typed is lost or sent twice."""

import json
from typing import Any, cast

import pytest

from portico.cli.chat_member import AT_FIRST, COMMANDS, Member
from portico.cli.words import Words
from portico.client.websocket import WebSocketLink

ROOM, DIRECT = 7, 8
CONVERSATIONS = [
    {"c": ROOM, "title": "办公室", "others": [], "left": False},
    {"c": DIRECT, "title": "", "others": [5], "left": False},
    {"c": 9, "title": "old", "others": [], "left": True},
]


class Wire:
    """A connection that keeps what is sent on it."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, text: str) -> None:
        self.sent.append(json.loads(text))


class Stage:
    """A member whose server is the test."""

    def __init__(self) -> None:
        self.shown: list[str] = []
        self.ends: list[str] = []
        self.member = Member("token", Words("en"), self.shown.append, self.ends.append)
        self.wire = Wire()

    def say(self, *frames: dict[str, Any]) -> None:
        self.member.take("\n".join(json.dumps(frame) for frame in frames))

    def connect(self, epoch: str = "e") -> list[dict[str, Any]]:
        """Connect, and be welcome; return what was sent."""
        self.wire = Wire()
        self.member.joined(cast(WebSocketLink, self.wire))
        self.say({"t": "welcome", "epoch": epoch, "me": 3, "now": 0, "max_text": 8192})
        return self.taken()

    def taken(self) -> list[dict[str, Any]]:
        sent, self.wire.sent = self.wire.sent, []
        return sent

    def lines(self) -> list[str]:
        shown, self.shown[:] = list(self.shown), []
        return shown

    def answer(self, **members: Any) -> None:
        """Answer the last thing that was asked."""
        asked = [frame for frame in self.wire.sent if frame["t"] == "ask"][-1]
        self.say({"t": "ok", "id": asked["id"], **members})

    def learn(self, kind: str = "user", conversations: list[dict[str, Any]] | None = None) -> None:
        """Connect, and be told who one is."""
        self.wire = Wire()
        self.member.joined(cast(WebSocketLink, self.wire))
        self.say({"t": "welcome", "epoch": "e", "me": 3, "now": 0, "max_text": 8192})
        people = {"5": {"name": "小李", "kind": "user"}}
        found = CONVERSATIONS if conversations is None else conversations
        self.answer(me={"id": 3, "name": "小王", "kind": kind}, conversations=found, people=people)

    def relearn(self, *more: dict[str, Any]) -> None:
        """Answer who one is and what one is in; more: conversations since `learn`."""
        me = {"id": 3, "name": "小王", "kind": "user"}
        self.answer(me=me, conversations=[*CONVERSATIONS, *more], people={})


def event(seq: int, text: str = "hi", c: int = ROOM, **more: Any) -> dict[str, Any]:
    return {"t": "ev", "c": c, "s": seq, "at": 0, "f": 5, "k": "msg", "b": {"text": text}, "via": "ws", **more}


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_it_says_what_it_has_and_forgets_it_for_another_database(stage: Stage) -> None:
    hello, asked = stage.connect()
    assert (hello["tok"], hello["have"], asked["op"]) == ("token", {}, "me")
    stage.say(event(4))
    assert stage.connect()[0]["have"] == {str(ROOM): 4}
    stage.connect("another")
    assert stage.connect("another")[0]["have"] == {}
    stage.say(event(4), {"t": "reset", "why": "ahead"})
    assert stage.connect("another")[0]["have"] == {}


def test_names_of_people_and_of_conversations(stage: Stage) -> None:
    stage.learn()
    assert [one.name for one in stage.member.conversations.values()] == ["办公室", "小李"]
    assert stage.lines() == ["*** what you type goes to 小李"]


@pytest.mark.parametrize(
    ("name", "frame", "shown"),
    [
        ("in the open one", event(1, c=DIRECT), "小李: hi"),
        ("elsewhere", event(1), "办公室 · 小李: hi"),
        ("an edit", event(2, c=DIRECT, k="edit", ref=1), "小李: (instead of #1) hi"),
        ("a deletion", event(2, c=DIRECT, k="del", b={}, ref=1), "小李: (#1 was deleted)"),
        ("a file alone", event(1, "", c=DIRECT, b={"files": [1]}), "小李: (1 file, which the page shows)"),
        (
            "a text with files",
            event(1, c=DIRECT, b={"text": "a", "files": [1, 2]}),
            "小李: a (2 files, which the page shows)",
        ),
        ("a message that is deleted", event(1, c=DIRECT, b={}), "小李: (deleted)"),
        ("somebody comes", event(2, c=DIRECT, k="join", b={"person": 3}), "小王 has come in"),
        ("somebody goes", event(2, c=DIRECT, k="leave", b={"person": 5}), "小李 has left"),
        (
            "an edit that is void",
            {"t": "page", "id": 5, "ev": [event(2, c=DIRECT, k="edit", b={}, ref=1), event(3, c=DIRECT)]},
            "小李: hi",
        ),
        ("several lines", event(1, "a\nb", c=DIRECT), "小李: a\n    b"),
        ("an escape", event(1, "\x1b[2Ja", c=DIRECT), r"小李: \x1b[2Ja"),
        ("an announced gap", {"t": "sync", "c": 7, "ev": [], "head": 9, "limited": True}, "is here; /history"),
        ("a page", {"t": "page", "id": 5, "ev": [event(1, "before", c=DIRECT)]}, "小李: before"),
        ("an error", {"t": "err", "id": 5, "code": "rate", "why": "slow \x1bdown"}, r"not done: slow \x1bdown"),
        ("a farewell", {"t": "bye", "code": 1001, "why": "going"}, "the server: going"),
    ],
)
def test_what_is_shown(name: str, frame: dict[str, Any], shown: str, stage: Stage) -> None:
    stage.learn()
    stage.lines()
    stage.say(frame)
    (line,) = stage.lines()
    assert line.endswith(shown), name


def test_who_is_not_known_yet_is_asked_for_before_what_came_is_shown(stage: Stage) -> None:
    stage.connect()
    stage.say({"t": "sync", "c": DIRECT, "ev": [event(1, c=DIRECT, f=6)], "first": 1, "head": 1})
    assert stage.lines() == []
    stage.learn()
    stage.say(event(2, "two", c=DIRECT))
    assert stage.lines() == ["*** what you type goes to 小李"]
    assert [frame["ids"] for frame in stage.taken() if frame.get("op") == "people.get"] == [[6]]
    stage.say({"t": "ok", "id": stage.member._next, "people": {"6": {"name": "金老板", "kind": "user"}}})
    assert [line.split("] ")[1] for line in stage.lines()] == ["金老板: hi", "小李: two"]


@pytest.mark.parametrize("answer", [{"t": "ok", "people": {}}, {"t": "err", "code": "rate", "why": "slow"}, None])
def test_who_cannot_be_named_has_a_number_and_is_not_asked_for_again(
    answer: dict[str, Any] | None, stage: Stage
) -> None:
    stage.learn()
    stage.lines()
    stage.say(event(1, c=DIRECT, k="leave", b={"person": 99}))
    if answer is None:
        stage.member.lost("")
    else:
        stage.say({**answer, "id": stage.member._next})
    stage.say(event(2, c=DIRECT, k="join", b={"person": 99}))
    assert [line.split("] ")[1] for line in stage.lines() if "]" in line] == ["#99 has left", "#99 has come in"]


def test_a_new_name_is_the_name_from_then_on(stage: Stage) -> None:
    stage.learn()
    stage.say({"t": "st", "people": {"5": {"name": "李老师", "kind": "user"}, "6": {"on": True}}})
    stage.lines()
    stage.say(event(1, c=DIRECT))
    assert stage.lines()[0].endswith("李老师: hi")


def test_what_says_nothing_to_a_person_is_not_shown(stage: Stage) -> None:
    stage.learn()
    stage.lines()
    stage.say(event(1, k="react", b={"mark": "+", "on": True}), {"t": "st", "c": 7, "typ": 5}, {"t": "ping"})
    assert stage.lines() == []
    assert stage.taken()[-1] == {"t": "pong"}


def test_of_what_was_said_before_one_came_the_last_is_shown_and_of_what_was_missed_all(stage: Stage) -> None:
    stage.learn()
    stage.lines()
    stage.say({"t": "sync", "c": ROOM, "ev": [event(seq) for seq in range(1, 31)], "first": 1, "head": 30})
    assert len(stage.lines()) == AT_FIRST
    stage.say({"t": "sync", "c": ROOM, "ev": [event(seq) for seq in range(31, 61)], "first": 1, "head": 60})
    assert len(stage.lines()) == 30


def test_what_is_typed_without_a_connection_is_sent_later_under_one_id(stage: Stage) -> None:
    stage.learn()
    stage.member.lost("reset")
    assert stage.member.typed("你好")
    assert stage.lines()[-2:] == [
        "*** no connection (reset); trying again, nothing is lost",
        "*** no connection; it is sent later",
    ]
    sent = [frame for frame in stage.connect() if frame["t"] == "send"]
    again = [frame for frame in stage.connect() if frame["t"] == "send"]
    assert sent == again
    assert sent[0]["b"] == {"text": "你好"}
    stage.say({"t": "ack", "cid": sent[0]["cid"], "c": DIRECT, "s": 1, "at": 0})
    assert [frame for frame in stage.connect() if frame["t"] == "send"] == []


def test_what_is_refused_is_told_once(stage: Stage) -> None:
    stage.learn()
    stage.member.typed("x")
    cid = stage.taken()[-1]["cid"]
    stage.lines()
    for _ in range(2):
        stage.say({"t": "nack", "cid": cid, "code": "forbidden", "why": "not here"})
    assert stage.lines() == ["*** not done: not here"]


def test_a_guest_is_put_through_to_the_desk(stage: Stage) -> None:
    stage.member.typed("打印机坏了")  # before anything is known
    stage.learn("visitor", [])
    stage.answer(c=ROOM)
    assert stage.taken()[-1]["b"] == {"text": "打印机坏了"}
    assert stage.lines() == ["*** what you type goes to the desk"]


def test_somebody_who_is_nowhere_is_told_so(stage: Stage) -> None:
    stage.member.typed("early")
    stage.learn("user", [])
    stage.member.typed("late")
    assert stage.lines() == ["*** open a conversation first: /list, /room, /join or /msg"] * 2
    assert stage.member.unsent == []


def test_a_device_that_is_not_known_is_the_end(stage: Stage) -> None:
    stage.connect()
    stage.say({"t": "err", "code": "auth", "why": "sign in again"})
    assert stage.ends == ["sign in again"]


@pytest.mark.parametrize("line", ["q", "/quit", " q "])
def test_the_end(line: str, stage: Stage) -> None:
    assert not stage.member.typed(line)


def test_conversations_are_listed_and_opened(stage: Stage) -> None:
    stage.learn()
    stage.lines()
    stage.member.typed("/list")
    stage.relearn()
    for line in ("/room 办公室", f"/room {DIRECT}", "/room nowhere"):
        stage.member.typed(line)
    stage.relearn()
    for line in ("/nonsense", ""):
        stage.member.typed(line)
    assert stage.lines() == [
        "     7  办公室",
        "*    8  小李",
        "*** what you type goes to 办公室",
        "*** what you type goes to 小李",
        "*** you are in no conversation 'nowhere'; /list shows them",
        "*** there is no '/nonsense'; /help shows what there is",
    ]


def test_a_room_that_one_has_been_brought_into_is_listed_and_one_that_one_has_left_is_not(stage: Stage) -> None:
    stage.learn()
    stage.lines()
    canteen = {"c": 20, "title": "canteen", "others": [], "left": False}
    stage.member.typed("/room canteen")
    stage.relearn(canteen)
    assert stage.lines() == ["*** what you type goes to canteen"]
    stage.member.typed("/list")
    stage.relearn({**canteen, "left": True})
    assert stage.lines() == ["     7  办公室", "     8  小李"]
    stage.member.lost("")
    stage.lines()
    stage.member.typed("/list")
    stage.member.typed("/room canteen")
    assert stage.lines()[-1] == "*** you are in no conversation 'canteen'; /list shows them"


def test_what_was_said_is_searched_for(stage: Stage) -> None:
    stage.learn()
    stage.lines()
    stage.member.typed("/search")
    stage.member.typed("/search hi")
    assert stage.wire.sent[-1]["text"] == "hi"
    stage.answer(found=[{"c": DIRECT, "s": 4, "at": 0, "f": 5, "text": "hi there"}])
    stage.member.typed("/search nowhere")
    stage.answer(found=[])
    line, none = stage.lines()
    assert line.startswith("#4 [")
    assert line.endswith("小李: hi there")
    assert none == "*** nothing found"


def test_the_shared_note_is_shown_and_added_to(stage: Stage) -> None:
    stage.learn()
    stage.lines()
    stage.member.typed("/note")
    stage.answer(text="", v=0)
    stage.member.typed("/note buy ink")
    assert (stage.wire.sent[-1]["op"], stage.wire.sent[-1]["text"]) == ("note.append", "buy ink")
    stage.answer(v=1)
    stage.member.typed("/note")
    stage.answer(text="buy ink\n\x1b[2J", v=1)
    assert stage.lines() == [
        "*** nobody has written a note here yet; /note TEXT begins it",
        "*** added to the shared note",
        "*** the shared note:",
        "  buy ink",
        r"  \x1b[2J",
    ]


def test_public_rooms_are_shown_and_entered(stage: Stage) -> None:
    stage.learn()
    rooms = [{"c": 20, "title": "canteen", "members": 4}]
    stage.lines()
    stage.member.typed("/join")
    stage.answer(rooms=rooms)
    stage.member.typed("/join canteen")
    stage.answer(rooms=rooms)
    stage.answer()
    stage.answer(members=[{"id": 6, "name": "金老板", "role": "member", "online": True}])
    stage.member.typed("/who")
    stage.answer(members=[{"id": 6, "name": "金老板", "role": "member", "online": True}])
    assert stage.lines() == ["*** public rooms: canteen (4)", "*** what you type goes to canteen", "金老板 ●"]
    assert stage.member.names[6] == "金老板"


def test_one_person_is_written_to(stage: Stage) -> None:
    stage.learn()
    stage.lines()
    stage.member.typed("/msg jin 在吗")
    stage.answer(people=[{"id": 6, "name": "金老板", "login": "jin", "kind": "user", "online": True}])
    stage.answer(c=30)
    assert (stage.taken()[-1]["c"], stage.lines()) == (30, ["*** what you type goes to 金老板"])
    stage.member.typed("/msg nobody")
    stage.answer(people=[])
    assert stage.lines() == ["*** nobody is called 'nobody'"]


@pytest.mark.parametrize(("rest", "limit"), [("", 20), (" 5", 5), (" 900", 200), (" x", 20), (" 0", 1)])
def test_what_was_said_before_is_asked_for(rest: str, limit: int, stage: Stage) -> None:
    stage.learn()
    stage.say(event(40, c=DIRECT))
    stage.member.typed(f"/history{rest}")
    asked = stage.taken()[-1]
    assert (asked["t"], asked["c"], asked["before"], asked["limit"]) == ("get", DIRECT, 41, limit)


def test_nothing_is_asked_where_nothing_is_open(stage: Stage) -> None:
    stage.learn("user", [])
    stage.taken()
    for line in ("/history", "/who", "/note"):
        stage.member.typed(line)
    assert stage.taken() == []


def test_help_names_every_command(stage: Stage) -> None:
    stage.member.typed("/help")
    assert [line.split()[0] for line in stage.lines()] == [*COMMANDS, "q"]


def test_an_answer_to_nothing_is_passed_over(stage: Stage) -> None:
    stage.connect()
    stage.say({"t": "ok", "id": 99})
    assert stage.lines() == []


def test_one_s_own_last_message_is_changed_and_deleted(stage: Stage) -> None:
    stage.learn()
    stage.member.typed("/edit never said")
    assert stage.lines()[-1].startswith("*** say which: /edit #N TEXT")
    stage.member.typed("hallo")
    stage.say({"t": "ack", "cid": stage.taken()[-1]["cid"], "c": DIRECT, "s": 41, "at": 0})
    stage.member.typed("/edit hello")
    stage.member.typed("/delete")
    edited, deleted = stage.taken()
    assert (edited["k"], edited["ref"], edited["b"], edited["c"]) == ("edit", 41, {"text": "hello"}, DIRECT)
    assert (deleted["k"], deleted["ref"], deleted["b"]) == ("del", 41, {})
    stage.say(event(43, c=DIRECT, f=3, k="del", b={}, ref=41))
    stage.lines()
    for line in ("/delete", "/edit", "/delete that"):
        stage.member.typed(line)
    assert len(stage.lines()) == 3
    assert stage.taken() == []


def test_a_message_is_named_by_its_number(stage: Stage) -> None:
    stage.learn()
    for line in ("/edit #7 two words", "/delete #8"):
        stage.member.typed(line)
    assert [(frame["k"], frame["ref"]) for frame in stage.taken()[-2:]] == [("edit", 7), ("del", 8)]


def test_history_shows_the_numbers(stage: Stage) -> None:
    stage.learn()
    stage.member.typed("/history")
    asked = stage.taken()[-1]
    assert stage.member.is_asking
    stage.lines()
    stage.say({"t": "page", "id": asked["id"], "ev": [event(12, "before", c=DIRECT)]})
    assert stage.lines()[0].startswith("#12 [")
    assert not stage.member.is_asking


def test_it_is_known_when_text_has_a_place_to_go_to(stage: Stage) -> None:
    assert not stage.member.is_placed
    stage.learn("visitor", [])
    assert (stage.member.is_placed, stage.member.is_asking) == (False, True)
    stage.answer(c=ROOM)
    assert (stage.member.is_placed, stage.member.is_asking) == (True, False)
