"""The chat over UDP: programs of the course, programs that number and acknowledge, strangers."""

import asyncio

import pytest
from tests.apps.chat.text_stage import Netcat, Sender, TextStage, acted

from portico.apps.chat import datagrams
from portico.apps.chat.datagrams import MAX_PAYLOAD
from portico.server.buckets import Reach
from portico.server.peer import Peer


async def talking(stage: TextStage, encoding: str = "utf-8", text: str = "hello") -> tuple[Sender, Netcat]:
    """Have a sender, person 2, in conversation 1, and an agent who answers there."""
    await stage.open()
    await stage.open_datagrams()
    agent = await stage.come("agent", "Wang")
    sender = stage.sender(encoding)
    sender.send(text)
    await agent.until("waits")
    await agent.type("/take")
    await agent.until("You talk to")
    return sender, agent


# text


@acted
async def test_text_as_programs_of_the_course_send_it(stage: TextStage) -> None:
    sender, agent = await talking(stage, "gbk", "你好，打印机坏了")
    await agent.type("哪一台？")
    found = await sender.until("哪一台？")
    assert found[-1] == "哪一台？"
    assert all("***" in line for line in found[:-1])
    sender.send("左边那台")
    assert (await agent.until("左边"))[-1] == f"[12:00] {sender.peer}: 左边那台"
    assert await stage.rows("SELECT kind, login FROM person WHERE id = 2") == [
        ("peer", f"udp-127.0.0.1-{sender.peer.port}")
    ]
    assert await stage.rows("SELECT DISTINCT via FROM event WHERE sender = 2 AND kind = 'msg'") == [("udp",)]


@acted
async def test_a_name_is_taken_and_each_answer_goes_to_its_sender(stage: TextStage) -> None:
    await stage.open()
    await stage.open_datagrams()
    agent = await stage.come("agent", "Wang")
    senders = {name: stage.sender() for name in ("A", "B", "C")}
    for name, sender in senders.items():
        sender.send(f"/name {name}")
        assert await sender.receive() == f"*** You are {name}."
        sender.send(f"I am {name}")
        await agent.until(f"{name} waits")
        await agent.type("/take")
        await agent.until(f"You talk to {name}")
    await agent.type(*(f"{name}: yours, {name}" for name in senders))
    for name, sender in senders.items():
        answers = [line for line in await sender.until("yours, ") if "***" not in line]
        assert answers == [f"yours, {name}"]


@acted
async def test_lines_and_long_texts_are_datagrams_that_fit(stage: TextStage) -> None:
    sender, _ = await talking(stage)
    await stage.say(1, 1, "one\ntwo\x1b[2J")
    assert (await sender.until("one"))[-1] == "one"
    assert await sender.receive() == "two\\x1b[2J"
    text = "".join(chr(0x4E00 + number % 2_000) for number in range(3_000))
    await stage.say(1, 1, text)
    received = ""
    while len(received) < len(text):
        piece = await sender.receive()
        assert len(piece.encode()) <= MAX_PAYLOAD
        received += piece
    assert received == text


@acted
async def test_q_ends_and_what_is_said_then_waits(stage: TextStage) -> None:
    sender, agent = await talking(stage)
    sender.send("q")
    await stage.until(lambda: 2 not in stage.house.hub.readers)
    await agent.type("are you there?")
    await agent.until("✓")
    sender.send("here I am")
    assert (await sender.until("there?"))[-1] == "are you there?"


@acted
async def test_who_is_silent_is_not_there_any_more(stage: TextStage) -> None:
    stage.idle_s = 0.05
    sender, _ = await talking(stage)
    await stage.until(lambda: 2 not in stage.house.hub.readers)
    await stage.say(1, 1, "when you are back")
    sender.send("back")
    assert (await sender.until("when you"))[-1] == "when you are back"


@acted
async def test_the_person_goes_along_to_another_address(stage: TextStage) -> None:
    sender, _ = await talking(stage)
    sender.send("/token")
    told = (await sender.until("/token "))[-1]
    sender.send("q")
    await stage.until(lambda: 2 not in stage.house.hub.readers)
    await stage.say(1, 1, "where are you?")
    other = stage.sender()
    other.send(told.partition("conversation: ")[2])
    await other.until("where are you?")
    other.send("here")
    await stage.until(lambda: not stage._tasks.running)
    logins = dict(await stage.rows("SELECT id, login FROM person WHERE kind = 'peer'"))
    assert logins == {2: f"udp-127.0.0.1-{other.peer.port}"}
    other.send("/token nonsense")
    assert (await other.until("not known"))[-1].startswith("*** this device is not known here")


@acted
async def test_nobody_is_made_of_nothing(stage: TextStage) -> None:
    await stage.open()
    await stage.open_datagrams()
    sender = stage.sender()
    sender.send("", "\n", "#hello", "#have 3", "#s3 ok")
    assert await sender.receive() == "#hello ok"
    assert await sender.receive() == "#have no no_conversation"
    assert await stage.rows("SELECT count(*) FROM person") == [(0,)]


@acted
async def test_an_account_with_the_login_of_an_address_is_not_the_address(stage: TextStage) -> None:
    await stage.open()
    await stage.open_datagrams()
    sender = stage.sender()
    await stage.person("user", "Li", login=f"udp-127.0.0.1-{sender.peer.port}")
    assert await sender.ask("#1 hello") == "#1 no taken"


@acted
async def test_conversations_beside_the_own_one_are_named(stage: TextStage) -> None:
    sender, _ = await talking(stage)
    await stage.write("INSERT INTO setting (key, value) VALUES ('guests', 'true')")
    li = await stage.come("user", "Li")
    await li.type("/room new den")
    await li.until("You talk")
    sender.send("/join den")
    await sender.until("You talk to den")
    sender.send("/to #1 hi")
    await stage.say(1, 1, "at the desk")
    assert (await sender.until("at the desk"))[-1] == "[12:00] (the desk) Wang: at the desk"
    sender.send("#have 0")
    await sender.until("#have ok")
    sender.send("#have 99")
    await sender.until("#have no ahead")


# numbers


@acted
async def test_numbered_texts_are_acknowledged_once_they_are_stored(stage: TextStage) -> None:
    await stage.open()
    await stage.open_datagrams()
    sender = stage.sender()
    assert await sender.ask("#7 hello") == "#7 ok 3"
    assert await sender.ask("#7 hello") == "#7 ok 3"
    assert await sender.ask("#8 again") == "#8 ok 4"
    assert await sender.ask("#8 something else") == "#8 no cid_reuse"
    assert await sender.ask("#9 " + "x" * 8_193) == "#9 no too_big"
    assert await stage.rows("SELECT cid, seq FROM event WHERE cid IS NOT NULL") == [("7", 3), ("8", 4)]


@acted
async def test_answers_are_repeated_until_they_are_acknowledged_and_come_in_order(stage: TextStage) -> None:
    sender, _ = await talking(stage, text="#1 hello")
    assert await sender.receive() == "#1 ok 3"
    first, second = await stage.say(1, 1, "one"), await stage.say(1, 1, "two\nlines")
    assert [await sender.receive() for _ in range(2)] == [f"#s{first} one"] * 2
    sender.send(f"#s{second} ok", f"#s{first} ok", f"#s{first} ok")
    assert (await sender.until(f"#s{second}"))[-1] == f"#s{second} two\nlines"
    sender.send(f"#s{second} ok")
    await stage.until(lambda: stage.house.hub.readers[2])
    third = await stage.say(1, 1, "three")
    assert (await sender.until(f"#s{third}"))[-1] == f"#s{third} three"


@acted
async def test_who_acknowledges_nothing_gets_it_when_it_speaks_again(stage: TextStage) -> None:
    stage.repeats_s = (0.01,)
    sender, _ = await talking(stage, text="#1 hello")
    await sender.receive()
    seq = await stage.say(1, 1, "one")
    await stage.until(lambda: 2 not in stage.house.hub.readers)
    while not sender.hears_nothing():
        pass
    sender.send("#s99 ok")
    assert await sender.receive() == f"#s{seq} one"


@acted
async def test_asking_for_everything_behind_a_number(stage: TextStage) -> None:
    sender, _ = await talking(stage, text="#1 hello")
    await sender.receive()
    seqs = []
    for text in ("one", "two"):
        seqs.append(await stage.say(1, 1, text))
        assert (await sender.until(text))[-1] == f"#s{seqs[-1]} {text}"
        sender.send(f"#s{seqs[-1]} ok")
    sender.send(f"#have {seqs[0] - 1}")
    found = await sender.until(f"#s{seqs[0]} one")
    assert "#have ok" in found
    sender.send(f"#s{seqs[0]} ok")
    await sender.until(f"#s{seqs[1]} two")


@acted
async def test_what_is_not_acknowledged_when_the_server_stops_waits_in_the_log(stage: TextStage) -> None:
    sender, _ = await talking(stage, text="#1 hello")
    await sender.receive()
    (writing,) = [task for task in asyncio.all_tasks() if "Correspondent._write" in repr(task.get_coro())]
    assert stage._datagrams is not None
    await stage._datagrams.drain(10)
    await stage.say(1, 1, "too late")
    await asyncio.wait((writing,), timeout=10)
    assert writing.exception() is None


@acted
async def test_who_says_what_it_has_gets_nothing_else_in_front_of_the_rest(stage: TextStage) -> None:
    stage.repeats_s = (0.2, 0.2)
    sender, _ = await talking(stage, text="#1 hello")
    await sender.receive()
    texts = ("zero", "one" + "x" * 2_000, "two", "three")
    seqs = [await stage.say(1, 1, text) for text in texts]
    await sender.until(f"#s{seqs[0]} zero")
    sender.send(f"#s{seqs[0]} ok")
    await sender.until(f"#s{seqs[1]} one")  # which is under way, with all behind it
    sender.send(f"#have {seqs[0] - 1}")
    keys = []
    while f"#s{seqs[3]}" not in keys:
        keys.append((await sender.receive()).partition(" ")[0])
        sender.send(f"{keys[-1]} ok" if keys[-1] != "#have" else "")
    behind = dict.fromkeys(keys[keys.index("#have") + 1 :])
    assert list(behind) == [f"#s{key}" for key in (seqs[0], seqs[1], f"{seqs[1]}.2", seqs[2], seqs[3])]


@acted
async def test_what_is_left_out_is_announced_and_that_is_acknowledged_too(stage: TextStage) -> None:
    sender, _ = await talking(stage, text="#1 hello")
    seqs = []
    for text in ("one", "two"):
        seqs.append(await stage.say(1, 1, text))
        await sender.until(f"#s{seqs[-1]} {text}")
        sender.send(f"#s{seqs[-1]} ok")
    await stage.write("UPDATE conversation SET first = ?", seqs[1])
    sender.send("#have 2")
    heard = await sender.until("*** ")
    assert heard[-1] == f"#s{seqs[0]} *** what was said before is not kept any more"
    sender.send(f"#s{seqs[0]} ok")
    assert (await sender.until("two"))[-1] == f"#s{seqs[1]} two"
    sender.send(f"#s{seqs[1]} ok")


@acted
async def test_what_is_too_long_has_parts(stage: TextStage) -> None:
    sender, _ = await talking(stage, text="#1 hello")
    await sender.receive()
    text = "x" * 2_000
    seq = await stage.say(1, 1, text)
    parts = []
    for key in (f"{seq}", f"{seq}.2"):
        parts.append((await sender.until(f"#s{key} "))[-1].removeprefix(f"#s{key} "))
        sender.send(f"#s{key} ok")
    assert "".join(parts) == text


@acted
async def test_what_is_no_text_is_passed_over(stage: TextStage) -> None:
    sender, agent = await talking(stage, text="#1 hello")
    await sender.receive()
    await agent.type("/close")
    await agent.until("over")
    sender.send("#2 back again")
    assert "#2 ok" in (await sender.until("#2 ok"))[-1]


# strangers


@acted
async def test_a_stranger_gets_nothing_larger_than_it_sent_until_it_has_shown_that_it_is_there(
    stage: TextStage,
) -> None:
    stage.reach = lambda host: Reach.PUBLIC
    await stage.open()
    await stage.open_datagrams()
    sender = stage.sender()
    sender.send("hi", "/help", "#1 hello", "#hello")
    cookie = await sender.ask("#hello" + " " * 17)
    assert len(cookie) == 23
    assert await stage.rows("SELECT count(*) FROM person") == [(0,)]
    assert await sender.ask("#hello 0123456789abcdef") == cookie
    assert await sender.ask(cookie) == "#hello ok"
    assert await sender.ask("#1 hi") == "#1 ok 3"
    stranger = stage.sender()
    assert await stranger.ask(cookie) != "#hello ok"


@acted
async def test_a_cookie_grows_old(stage: TextStage) -> None:
    stage.reach = lambda host: Reach.PUBLIC
    await stage.open()
    await stage.open_datagrams()
    sender = stage.sender()
    cookie = await sender.ask("x" * 23)
    stage.now_ms += datagrams.COOKIE_MS
    fresh = await sender.ask("x" * 23)
    assert fresh != cookie
    stage.now_ms += datagrams.COOKIE_MS
    assert (await sender.ask(cookie)).startswith("#hello ")
    assert await sender.ask(fresh) == "#hello ok"


@pytest.mark.parametrize(
    "datagram",
    [
        b"\xff\xfe\x00",
        b"\x00" * 50,
        b"#",
        b"##",
        b"#s ok",
        b"#have x",
        b"#have 99999999999999999",
        b"#s" + b"9" * 60,
        b"/",
    ],
)
@acted
async def test_nothing_that_can_be_sent_harms(stage: TextStage, datagram: bytes) -> None:
    await stage.open()
    await stage.open_datagrams()
    sender = stage.sender()
    sender.sock.send(datagram)
    sender.send("#1 hello")
    assert "#1 ok" in (await sender.until("#1 "))[-1]


@acted
async def test_too_many_addresses(stage: TextStage) -> None:
    stage.gate_may = lambda who, what: 60.0
    await stage.open()
    await stage.open_datagrams()
    sender = stage.sender()
    assert await sender.ask("#1 hello") == "#1 no rate"


@acted
async def test_an_address_that_is_blocked_is_not_answered(stage: TextStage) -> None:
    await stage.open()
    await stage.open_datagrams()
    stage.limits.keep_out("address", "127.0.0.0/8", stage.now_ms + 1)
    sender = stage.sender()
    sender.send("#1 hello")
    await stage.until(lambda: stage.datagrams_taken == 1)
    assert sender.hears_nothing()
    assert await stage.rows("SELECT 1 FROM person") == []
    stage.now_ms += 1
    assert (await sender.ask("#1 hello")).startswith("#1 ok ")


def test_long_addresses_have_a_login_of_their_own() -> None:
    host = "2001:db8:1111:2222:3333:4444:5555:6666"
    found = {datagrams._login(Peer(host, port)) for port in (4_000, 4_001)}
    assert len(found) == 2
    assert all(len(login) <= 40 for login in found)
    assert datagrams._login(Peer("fe80::1%eth0", 9)) == "udp-fe80__1_eth0-9"


@acted
async def test_the_one_who_was_silent_longest_makes_room(stage: TextStage) -> None:
    await stage.open()
    await stage.open_datagrams()
    first = stage.sender()
    assert await first.ask("#1 hello") == "#1 ok 3"
    for port in range(1, datagrams.MAX_PEERS + 1):
        await stage.book.take(b"#hello", Peer("127.0.0.2", port))
    await stage.until(lambda: 1 not in stage.house.hub.readers)
    assert await first.ask("#2 hello again") == "#2 ok 4"


@acted
async def test_of_those_who_have_shown_that_they_are_there_so_many_are_known(stage: TextStage) -> None:
    stage.reach = lambda host: Reach.PUBLIC
    await stage.open()
    await stage.open_datagrams()
    for port in range(1, datagrams.MAX_PROVEN + 3):
        peer = Peer("127.0.0.2", port)
        cookie = await stage.book.take(b"x" * 23, peer)
        assert cookie is not None
        assert await stage.book.take(cookie, peer) == b"#hello ok"
    assert len(stage.book._proven) == datagrams.MAX_PROVEN
