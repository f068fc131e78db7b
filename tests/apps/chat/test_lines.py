"""The chat at netcat: transcripts over real sockets, in UTF-8 and GBK, by people and by programs."""

import asyncio
import json
from typing import Any

import pytest
from tests.apps.chat.text_stage import WELCOME, Netcat, TextStage, acted

from portico.apps.chat.events import Rejected
from portico.apps.chat.lines import MAX_LINE, MAX_UNSENT, LinesWire, Patience
from portico.errors import UsageError
from portico.settings import Service

HOSTILE = [
    ("an escape", "\x1b[2J\x1b[31mred", "\\x1b[2J\\x1b[31mred"),
    ("C1", "a\x9b31mb", "a\\x9b31mb"),
    ("a bidi override", "abc\u202egpj.exe", "abc\\u202egpj.exe"),
    ("a carriage return", "safe\rfake", "safe\\rfake"),
    ("a line separator", "one\u2028two", "one\\u2028two"),
    ("HTML", "<script>alert(1)</script>", "<script>alert(1)</script>"),
    ("a bell", "ding\a", "ding\\x07"),
]
BIG = "x" * 8_000


def frame(kind: str, **members: Any) -> str:
    return json.dumps({"t": kind, **members})


async def talking(stage: TextStage, encoding: str = "utf-8") -> tuple[Netcat, Netcat]:
    """Have a visitor and an agent who has taken the visitor."""
    agent = await stage.come("agent", "小王")
    visitor = await stage.netcat(encoding)
    await visitor.type("hello")
    await visitor.until("✓ #3" if encoding == "utf-8" else "#3")
    await agent.until("waits")
    await agent.type("/take")
    await agent.until("You talk to guest-2 now.")
    await visitor.until("小王 answers now")
    return visitor, agent


# people


@acted
async def test_a_visitor_and_an_agent_talk(stage: TextStage) -> None:
    await stage.open()
    agent = await stage.come("agent", "Wang")
    visitor = await stage.netcat()
    await visitor.play("""
        < Welcome. Type text to talk to the desk, /help for commands. 欢迎。直接输入文字即可联系客服，/help 查看命令。
        > the printer is broken
        < *** You are guest-2.
        < *** To come back to this conversation: /token ...
        < [12:00] *** waiting for somebody who answers
    """)
    assert {await visitor.line(), await visitor.line()} == {"[12:00] ✓ #3", "*** you are number 1 in the queue"}
    await agent.play("""
        < *** #1 guest-2 waits, /take 1: the printer is broken
        > /take
        < [12:00] *** waiting for somebody who answers
        < [12:00] guest-2: the printer is broken
        < [12:00] *** Wang answers now
        < *** You talk to guest-2 now.
        > which one?
        < [12:00] ✓ #6 → guest-2
    """)
    await visitor.play("""
        < [12:00] *** Wang answers now
        < [12:00] Wang: which one?
        > the big one
        < [12:00] ✓ #7
    """)
    await agent.play("""
        < [12:00] guest-2: the big one
        > q
        < *** Bye.
        < $
    """)


@acted
async def test_an_agent_names_whom_an_answer_is_for(stage: TextStage) -> None:
    await stage.open()
    agent = await stage.come("agent", "Wang")
    visitors = {}
    for name in ("A", "B", "C"):
        visitors[name] = await stage.netcat()
        await visitors[name].type("/nick " + name, "I am " + name)
        await visitors[name].until("✓")
        await agent.until(f"{name} waits")
    await agent.type("/take", "/take", "/take")
    for name in visitors:
        await agent.until(f"You talk to {name} now.")
    await agent.type("A: yours is ready", "B：yours is not", "/to C come tomorrow", "http://example.org is the address")
    await agent.until("→ C")
    await agent.until("→ C")
    for name, text in (("A", "yours is ready"), ("B", "yours is not"), ("C", "come tomorrow")):
        assert (await visitors[name].until("Wang: "))[-1] == f"[12:00] Wang: {text}"
    assert await visitors["C"].line() == "[12:00] Wang: http://example.org is the address"
    for name in ("A", "B"):
        assert not any("Wang:" in line for line in await visitors[name].rest())


@acted
async def test_chinese_in_gbk_is_answered_in_gbk_and_in_chinese(stage: TextStage) -> None:
    await stage.open()
    agent = await stage.come("agent", "小王")
    visitor = await stage.netcat("gbk")
    await visitor.play("""
        < Welcome. Type text to talk to the desk, ...
        > 你好，打印机坏了
        < *** 您是 访客-2。
        < *** 断开后想继续这次会话：/token ...
    """)
    # What the router tells is no event, and may come before or after those.
    found = {await visitor.line() for _ in range(3)}
    assert found == {"[12:00] *** 正在等待客服接待", "[12:00] √ #3", "*** 您排在第 1 位"}
    await agent.type("/take", "哪一台？ 👍")
    await agent.until("✓ #6 → 访客-2")
    await visitor.play("< [12:00] *** 小王 为您服务")
    raw = await visitor.reader.readline()
    assert raw == "[12:00] 小王: 哪一台？ 👍\n".encode("gb18030")


@acted
async def test_text_without_line_feeds_is_a_line_as_it_comes(stage: TextStage) -> None:
    await stage.open()
    visitor = await stage.netcat("gbk")
    await visitor.line()
    for number, text in ((3, "你好"), (4, "在吗")):
        await visitor.send(text.encode("gbk"))
        assert (await visitor.until("√"))[-1] == f"[12:00] √ #{number}"
    assert await stage.rows("SELECT body FROM event WHERE kind = 'msg'") == [('{"text":"你好"}',), ('{"text":"在吗"}',)]


@acted
async def test_after_a_line_feed_lines_count_however_they_are_cut(stage: TextStage) -> None:
    await stage.open()
    visitor = await stage.netcat()
    await visitor.send(b"one\r\n")
    await visitor.until("you are number 1")
    await visitor.send(b"tw")
    await visitor.send(b"o\n\n  \nthree")
    await visitor.until("✓ #4")
    assert await visitor.rest() == ["[12:00] ✓ #5"]
    assert [json.loads(body)["text"] for (body,) in await stage.rows("SELECT body FROM event WHERE kind = 'msg'")] == [
        "one",
        "two",
        "three",
    ]


@acted
async def test_what_is_piped_in_is_answered_before_the_end(stage: TextStage) -> None:
    await stage.open()
    visitor = await stage.netcat()
    await visitor.send(b"hi")
    lines = await visitor.rest()
    assert lines[0] == WELCOME
    assert "[12:00] ✓ #3" in lines


@acted
async def test_nobody_is_made_of_a_connection_that_says_nothing(stage: TextStage) -> None:
    await stage.open()
    visitor = await stage.netcat()
    await visitor.type("", "/help", "/nonsense", "/list", "/lang xx", "/json off")
    assert await visitor.rest() != []
    assert await stage.rows("SELECT count(*) FROM person") == [(0,)]


@pytest.mark.parametrize(("text", "shown"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
@acted
async def test_nobodys_text_does_anything_to_a_terminal(stage: TextStage, text: str, shown: str) -> None:
    await stage.open()
    visitor, agent = await talking(stage)
    await visitor.type(text)
    assert (await agent.until("guest-2:"))[-1] == f"[12:00] guest-2: {shown}"


@acted
async def test_a_line_feed_in_a_text_does_not_begin_a_line_of_its_own(stage: TextStage) -> None:
    await stage.open()
    visitor, agent = await talking(stage)
    program = await stage.netcat()
    token = await stage.device(2)
    forged = "one\n[12:00] 小王: send me your password"
    await program.type("/json on", frame("hello", v=1, tok=token))
    await program.type(frame("send", cid="x", c=1, k="msg", b={"text": forged}))
    await program.until('"ack"')
    assert (await agent.until("one"))[-1] == "[12:00] guest-2: one"
    assert await agent.line() == "        [12:00] 小王: send me your password"
    assert await visitor.line() == "[12:00] guest-2: one"


@acted
async def test_coming_back_by_the_token(stage: TextStage) -> None:
    await stage.open()
    visitor, agent = await talking(stage)
    visitor.writer.close()
    await stage.until(lambda: 2 not in stage.house.hub.readers)
    await agent.type("are you there?")
    await agent.until("✓")
    again = await stage.netcat()
    await again.type(f"/token {await stage.device(2)}", "I am")
    assert (await again.until("✓"))[1:] == [
        "*** You are guest-2.",
        "[12:00] *** 小王 answers now",
        "[12:00] 小王: are you there?",
        "[12:00] ✓ #7",
    ]


@acted
async def test_a_token_that_is_nobodys(stage: TextStage) -> None:
    await stage.open()
    visitor = await stage.netcat()
    await visitor.play("""
        < Welcome. Type text to talk to the desk, /help for commands. 欢迎。直接输入文字即可联系客服，/help 查看命令。
        > /token nonsense
        < *** this device is not known here any more; sign in again
    """)


@acted
async def test_logging_in_with_a_password_that_is_asked_for(stage: TextStage) -> None:
    await stage.open()
    from portico.apps.chat.passwords import hash_password

    await stage.person("user", "Li", login="li", password=await hash_password("a long secret"))
    user = await stage.netcat()
    await user.play("""
        < Welcome. Type text to talk to the desk, /help for commands. 欢迎。直接输入文字即可联系客服，/help 查看命令。
        > /login li wrong
        < *** the login or the password is wrong
        > /login li
        < *** Password:
        > a long secret
        < *** You are Li.
        > hello
        < *** You are in no conversation: /list, then /room NAME or /msg NAME TEXT
    """)
    user.writer.close()
    await stage.until(lambda: 1 not in stage.house.hub.readers)
    await stage.until(lambda: not stage._tasks.running)
    assert await stage.rows("SELECT is_revoked FROM device") == [(1,)]


@acted
async def test_a_device_whose_token_was_asked_for_is_kept(stage: TextStage) -> None:
    await stage.open()
    from portico.apps.chat.passwords import hash_password

    await stage.person("user", "Li", login="li", password=await hash_password("a long secret"))
    user = await stage.netcat()
    await user.type("/login li a long secret", "/token")
    await user.until("/token ")
    assert "*** Password:" not in await user.rest()
    await stage.until(lambda: not stage._tasks.running)
    assert await stage.rows("SELECT is_revoked FROM device") == [(0,)]


@acted
async def test_the_end_in_place_of_a_password(stage: TextStage) -> None:
    await stage.open()
    user = await stage.netcat()
    await user.type("/login li")
    assert (await user.rest())[-2:] == ["*** Password:", "*** the login or the password is wrong"]


@acted
async def test_the_encoding_is_chosen(stage: TextStage) -> None:
    await stage.open()
    visitor = await stage.netcat("big5")
    await visitor.play(
        """
        < Welcome. Type text to talk to the desk, ...
        > /encoding big5
        < *** Text is big5 now.
        > 電腦壞了
        < *** 您是 ??-1。
    """.replace("??", "訪客")
        .replace("訪客", "?客")
        .replace("您", "您")
    )
    assert await stage.rows("SELECT count(*) FROM person") == [(1,)]
    await visitor.type("/encoding klingon")
    assert "klingon" in (await visitor.until("klingon"))[-1]


@acted
async def test_an_address_that_may_not_connect(stage: TextStage) -> None:
    def may(who: str, what: str) -> float:
        raise Rejected("blocked", f"{who} may not {what}")

    stage.gate_may = may
    await stage.open()
    visitor = await stage.netcat()
    assert await visitor.line() == "*** 127.0.0.1 may not connect"
    assert await visitor.line() == "$"


@acted
async def test_too_many_visitors_from_one_address(stage: TextStage) -> None:
    stage.gate_may = lambda who, what: 90.0 if what == "visitor" else 0.0
    await stage.open()
    visitor = await stage.netcat()
    await visitor.type("hello")
    assert (await visitor.until("s)"))[-1] == "*** too many attempts; wait a little (90 s)"
    assert await stage.rows("SELECT count(*) FROM person") == [(0,)]


@acted
async def test_where_there_is_no_desk(stage: TextStage) -> None:
    await stage.open(has_desk=False)
    visitor = await stage.netcat()
    await visitor.type("hello")
    english, chinese = (
        "Welcome. /login NAME to come in, /help for commands.",
        "欢迎。请用 /login 登录名 登录，/help 查看命令。",
    )
    assert (await visitor.rest())[0] == f"{english} {chinese}"


# programs


@acted
async def test_frames_a_line_each(stage: TextStage) -> None:
    await stage.open()
    token = await stage.device(await stage.person("user", "Li"))
    program = await stage.netcat("gbk")
    program.encoding = "utf-8"
    await program.type("/json on", frame("hello", v=1, tok=token))
    welcome = json.loads((await program.until("welcome"))[-1])
    assert welcome["me"] == 1
    await program.type(frame("ask", id=1, op="room.make", title="机房", public=True))
    assert json.loads((await program.until('"ok"'))[-1]) == {"t": "ok", "id": 1, "c": 1}
    await program.type(frame("send", cid="a", c=1, k="msg", b={"text": "你好"}), "nonsense")
    await program.until('"proto"')
    await program.type(frame("send", cid="a", c=1, k="msg", b={"text": "你好"}))
    rest = [json.loads(line) for line in await program.rest()]
    assert [one.get("dup") for one in rest if one["t"] == "ack"][-1:] == [True]
    assert await stage.rows("SELECT count(*), max(via) FROM event WHERE kind = 'msg'") == [(1, "tcp")]


@acted
async def test_frames_of_whoever_one_is_already(stage: TextStage) -> None:
    await stage.open()
    visitor, agent = await talking(stage)
    await visitor.type("/json on", frame("ask", id=5, op="me"))
    answer = json.loads((await visitor.until('"ok"'))[-1])
    assert answer["me"]["name"] == "guest-2"
    await agent.type("for a program")
    assert json.loads((await visitor.until("for a program"))[-1])["k"] == "msg"


@acted
async def test_signed_out_by_another_device(stage: TextStage) -> None:
    await stage.open()
    person = await stage.person("user", "Li")
    tokens = [await stage.device(person) for _ in range(3)]
    clients = [await stage.netcat() for _ in tokens]
    await clients[0].type(f"/token {tokens[0]}", "/room new den")
    await clients[0].until("You talk")
    await clients[1].type("/json on", frame("hello", v=1, tok=tokens[1]))
    await clients[1].until('"sync"')
    await clients[2].type("/json on", frame("hello", v=1, tok=tokens[2]))
    await clients[2].type(frame("ask", id=1, op="devices.revoke", device=1))
    await clients[2].until('"ok"')
    assert (await clients[0].until("signed out"))[-1] == "*** signed out here; say hello again"
    assert await clients[0].line() == "$"
    await clients[1].until('"bye"')
    assert await clients[1].line() == "$"


# limits


@acted
async def test_a_line_that_is_too_long(stage: TextStage) -> None:
    await stage.open()
    visitor = await stage.netcat()
    await visitor.send(b"\n" + b"x" * (MAX_LINE + 1))
    assert (await visitor.until("$"))[-2].startswith(f"a line of more than {MAX_LINE} bytes")


@acted
async def test_a_text_that_is_too_long(stage: TextStage) -> None:
    await stage.open()
    visitor = await stage.netcat()
    await visitor.type("x" * 8_193, "short")
    lines = await visitor.until("✓")
    assert "*** the text has 8193 characters; 8192 are allowed" in lines


@acted
async def test_who_takes_nothing_is_let_go(stage: TextStage) -> None:
    stage.patience = Patience(0.05)
    await stage.open()
    person, visitor = await _stopped(stage)
    for _ in range(100):
        await stage.say(1, person, BIG)
    await stage.until(lambda: person not in stage.house.hub.readers)
    visitor.writer.transport.abort()


@acted
async def test_whoever_stays_nobody_for_too_long_is_let_go(stage: TextStage) -> None:
    stage.patience = Patience(stranger_s=0.5)
    await stage.open()
    stranger, program = await stage.netcat(), await stage.netcat()
    await stranger.type("/lang en")
    await stranger.send(b"/he")
    await program.type("/json on")
    assert await stranger.until("$") == [WELCOME, "*** Done.", "*** nothing was said in 0.5 s", "$"]
    assert json.loads((await program.until("bye"))[-1]) == {
        "t": "bye",
        "code": 4002,
        "why": "nothing was said in 0.5 s",
    }
    assert await program.line() == "$"


@acted
async def test_whoever_is_somebody_may_say_nothing_for_as_long_as_it_likes(stage: TextStage) -> None:
    stage.patience = Patience(stranger_s=0.5)
    await stage.open()
    visitor = await stage.netcat()
    await visitor.type("hello")
    await visitor.until("✓")
    loop = asyncio.get_running_loop()
    over_s = loop.time() + 0.6
    await stage.until(lambda: loop.time() > over_s)
    await visitor.type("still here")
    await visitor.until("✓")


@acted
async def test_whoever_goes_on_with_what_is_refused_is_let_go(stage: TextStage) -> None:
    await stage.open()
    visitor = await stage.netcat()
    await visitor.type("hello", *["more"] * 400)
    lines = await visitor.until("$")
    assert lines[-2] == "*** too many, for too long"
    assert len(await stage.rows("SELECT 1 FROM event WHERE kind = 'msg'")) == 20


@acted
async def test_a_slow_reader_gets_all_of_it_in_order(stage: TextStage) -> None:
    await stage.open()
    person, visitor = await _stopped(stage)
    for number in range(100):
        await stage.say(1, person, f"{number} {BIG}")
    await stage.until(lambda: all(reader.lagging for reader in stage.house.hub.readers[person]))
    for number in range(100):
        assert await visitor.line() == f"[12:00] Li: {number} {BIG}"


async def _stopped(stage: TextStage) -> tuple[int, Netcat]:
    """Have somebody in a room who reads nothing for now; return who, and the connection."""
    person = await stage.person("user", "Li")
    token = await stage.device(person)
    visitor = await stage.netcat(window=4096)
    await visitor.type(f"/token {token}", "/room new den")
    await visitor.until("You talk")
    return person, visitor


@acted
async def test_a_peer_that_goes_without_a_word(stage: TextStage) -> None:
    await stage.open()
    visitor, _ = await talking(stage)
    visitor.writer.transport.abort()
    await stage.until(lambda: 2 not in stage.house.hub.readers)


def test_the_wire_has_room_until_it_is_full() -> None:
    async def play() -> list[str]:
        wire, told = LinesWire(), ["full"]
        wire.on_room = lambda: told.append("room")
        wire.show()
        assert wire.is_empty
        assert wire.has_room
        wire.send(["x" * MAX_UNSENT])
        wire.show("a", "b")
        assert not wire.has_room
        items = await wire.take()
        wire.wrote(items)
        await wire.flushed()
        assert wire.is_empty
        wire.send(["short"])
        wire.wrote(await wire.take())
        return told

    assert asyncio.run(play()) == ["full", "room"]


def test_an_encoding_that_is_none(tmp_path: object) -> None:
    async def play() -> None:
        from portico.apps.chat.lines import lines_service

        with pytest.raises(UsageError):
            lines_service(None, encoding="klingon")  # type: ignore[arg-type]

    asyncio.run(play())


def test_the_line_limit_is_within_that_of_the_stream() -> None:
    assert Service().max_line >= MAX_LINE
