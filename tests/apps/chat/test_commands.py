"""Commands, typed at netcat: rooms and people, the desk from both sides, and what is refused."""

import pytest
from tests.apps.chat.text_stage import WELCOME, Netcat, TextStage, acted

from portico.apps.chat import commands
from portico.apps.chat.wording import LANGUAGES


async def at_the_desk(stage: TextStage) -> tuple[Netcat, Netcat]:
    """Have visitor A, person 2, in conversation 1, and agent Wang, person 1, who has taken it."""
    await stage.open()
    agent = await stage.come("agent", "Wang")
    visitor = await stage.netcat()
    await visitor.type("/nick A", "hello")
    await visitor.until("✓ #3")
    await agent.until("A waits")
    await agent.type("/take 1")
    await agent.until("You talk to A now.")
    await visitor.until("Wang answers now")
    return visitor, agent


# help


@acted
async def test_help_shows_what_one_may_use(stage: TextStage) -> None:
    await stage.open()
    visitor, agent = await stage.netcat(), await stage.come("agent", "Wang")
    await visitor.type("/help")
    shown = {line.split()[0] for line in (await visitor.rest())[1:]}
    assert {"/nick", "/login", "/queue", "/rate", "/json", "/token", "/quit"} <= shown
    assert shown.isdisjoint({"/take", "/transfer", "/note", "/canned", "/join", "/invite", "/room", "/msg"})
    await agent.type("/help")
    assert {"/take", "/transfer", "/note", "/canned"} <= {line.split()[0] for line in await agent.rest()}


@acted
async def test_guests_are_told_why_they_may_not_and_see_what_they_may(stage: TextStage) -> None:
    await stage.open()
    visitor = await stage.netcat()
    await visitor.type("hello", "/invite Li", "/join den", "/lang zh", "/msg Li hi", "/join den")
    await visitor.until("✓")
    lines = await visitor.until("管理员可以")
    assert [line for line in lines if line.startswith("*** ")] == [
        "*** this is for who has an account here; administrators make one",
        "*** guests may not enter rooms here; an administrator can allow it",
        "*** 好了。",
        "*** 需要本站的账号，可请管理员开通",
        "*** 这里的房间不对访客开放，管理员可以在设置里放开",
    ]
    await stage.write("INSERT INTO setting (key, value) VALUES ('guests', 'true')")
    await visitor.type("/help")
    shown = {line.split()[0] for line in await visitor.rest() if line.startswith("  /")}
    assert "/join" in shown
    assert "/invite" not in shown


@acted
async def test_help_without_a_desk_and_in_chinese(stage: TextStage) -> None:
    await stage.open(has_desk=False)
    visitor = await stage.netcat()
    await visitor.type("/queue", "/lang zh", "/help", "/lang klingon", "/nonsense")
    lines = await visitor.rest()
    assert lines[1] == "*** There is no command /queue; /help shows all"
    assert lines[2] == "*** 好了。"
    assert "  /nick NAME                 改名" in lines
    assert lines[-2:] == ["*** 用法：/lang en | zh", "*** 没有 /nonsense 这个命令，/help 查看全部"]


@acted
async def test_a_command_that_lacks_something(stage: TextStage) -> None:
    await stage.open()
    visitor = await stage.netcat()
    await visitor.type("/nick", "/login", "/encoding klingon", "/json off", "/rate well")
    assert (await visitor.rest())[1:] == [
        "*** Say it so: /nick NAME",
        "*** Say it so: /login NAME",
        "*** 'klingon' is not the name of a charset; use utf-8, gb18030 or auto",
        "*** This is for programs: /json on, a frame a line",
        "*** Say it so: /rate 1-5 TEXT",
    ]


# rooms and people


@acted
async def test_rooms(stage: TextStage) -> None:
    await stage.open()
    li, wu = await stage.come("user", "Li"), await stage.come("user", "Wu")
    await li.play("""
        > /list
        < *** There is nothing yet.
        > /room new den
        < [12:00] *** Li has joined
        < *** You talk to den now.
        > anybody here?
        < [12:00] ✓ #2
    """)
    await wu.play("""
        > hello
        < *** You are in no conversation: /list, then /room NAME or /msg NAME TEXT
        > /list
        < *** Public rooms, /join NUMBER:
        <   #1 den (1)
        > /join attic
        < *** There is no conversation attic of yours; /list shows all
        > /join #1
        < [12:00] *** Li has joined
        < [12:00] Li: anybody here?
        < [12:00] *** Wu has joined
        < *** You talk to den now.
        > I am
        < [12:00] ✓ #4
        > /who
        <   Li (here)
        <   Wu (here)
        > /list
        < *** Your conversations:
        < * #1 den
        > /history 2
        < [12:00] *** Wu has joined
        < #4 [12:00] Wu: I am
        > /history x
        < [12:00] *** Li has joined
        < #2 [12:00] Li: anybody here?
        < [12:00] *** Wu has joined
        < #4 [12:00] Wu: I am
        > /leave
        < *** You have left den.
        > hello?
        < *** You are in no conversation: /list, then /room NAME or /msg NAME TEXT
    """)
    await li.play("""
        < [12:00] *** Wu has joined
        < [12:00] Wu: I am
        < [12:00] *** Wu has left
    """)


@acted
async def test_messages_are_changed_and_deleted_by_who_wrote_them(stage: TextStage) -> None:
    await stage.open()
    li, wu = await stage.come("user", "Li"), await stage.come("user", "Wu")
    await li.play("""
        > /edit nothing yet
        < *** You are in no conversation: /list, then /room NAME or /msg NAME TEXT
        > /room new den
        < [12:00] *** Li has joined
        < *** You talk to den now.
        > /delete
        < *** there is no message of yours
        > hallo
        < [12:00] ✓ #2
        > 3 appels
        < [12:00] ✓ #3
    """)
    await wu.play("""
        > /join den
        < [12:00] *** Li has joined
        < [12:00] Li: hallo
        < [12:00] Li: 3 appels
        < [12:00] *** Wu has joined
        < *** You talk to den now.
        > /edit #2 ciao
        < *** only who wrote a message can change it
        > /delete 2
        < *** only who wrote a message, or an owner of the room, can delete it
        > /delete
        < *** there is no message of yours
        > /delete all
        < *** Say it so: /delete [#N]
        > /edit
        < *** Say it so: /edit [#N] TEXT
    """)
    await li.play("""
        < [12:00] *** Wu has joined
        > /edit 3 apples
        < [12:00] ✓ #5
        > /edit #2 hello
        < [12:00] ✓ #6
        > /delete
        < [12:00] ✓ #7
        > /delete #3
        < *** the message is not there, or has been deleted
        > /delete
        < [12:00] ✓ #8
        > /lang zh
        < *** 好了。
        > /delete #3
        < *** 没有这条消息，或已被删除
    """)
    await wu.play("""
        < [12:00] *** Li has changed #3: 3 apples
        < [12:00] *** Li has changed #2: hello
        < [12:00] *** Li has deleted #3
        < [12:00] *** Li has deleted #2
    """)


@acted
async def test_somebody_is_brought_in_and_what_was_said_is_found(stage: TextStage) -> None:
    await stage.open()
    li, _ = await stage.come("user", "Li"), await stage.come("user", "Wu")
    await li.play("""
        > /room new den
        < [12:00] *** Li has joined
        < *** You talk to den now.
        > /invite nobody
        < *** Nobody here is called nobody
        > /invite Wu
        < [12:00] *** Li has brought Wu in
        > 打印机坏了
        < [12:00] ✓ #3
        > /search 打印
        < #3 [12:00] (den) Li: 打印机坏了
        > /search 咖啡
        < *** 没有找到。
    """)


@acted
async def test_guests_enter_rooms_where_the_house_is_open_to_them(stage: TextStage) -> None:
    await stage.open(has_desk=False)
    li = await stage.come("user", "Li")
    await li.type("/room new den")
    await li.until("You talk")
    visitor = await stage.netcat()
    await visitor.type("/join den", "/list")
    assert "*** guests may not enter rooms here; an administrator can allow it" in await visitor.until("nothing yet")
    await stage.write("INSERT INTO setting (key, value) VALUES ('guests', 'true')")
    await visitor.type("/join den", "hello")
    await visitor.until("✓")
    assert (await li.until("hello"))[-1] == "[12:00] guest-2: hello"


@acted
async def test_one_to_one(stage: TextStage) -> None:
    await stage.open()
    li, wu = await stage.come("user", "Li"), await stage.come("user", "Wu")
    await stage.person("user", "Wu")
    await stage.write("UPDATE person SET login = 'wu' WHERE id = 2")
    await li.play("""
        > /msg nobody hello
        < *** Nobody here is called nobody
        > /msg wu hello
        < [12:00] *** Li has joined
        < [12:00] *** Li has brought Wu in
        < [12:00] ✓ #3
        > and more
        < [12:00] ✓ #4
    """)
    assert (await wu.until("and more"))[-2:] == ["[12:00] Li: hello", "[12:00] Li: and more"]
    await wu.play("""
        > /room den
        < *** There is no conversation den of yours; /list shows all
        > /room Li
        < *** You talk to Li now.
        > yes?
        < [12:00] ✓ #5
        > /msg Li
        < *** You talk to Li now.
        > /to Li
        < *** You talk to Li now.
    """)


@acted
async def test_what_is_said_elsewhere_says_where(stage: TextStage) -> None:
    await stage.open()
    li, wu = await stage.come("user", "Li"), await stage.come("user", "Wu")
    await li.type("/room new den")
    await li.until("You talk")
    await wu.type("/join den", "/room new attic")
    await wu.until("You talk to attic")
    await li.until("Wu")
    await li.type("over here")
    await li.until("✓")
    await wu.play("""
        < [12:00] (den) Li: over here
        > /to #1 coming
        < [12:00] ✓ #4 → den
        > /to 1 nearly there
        < [12:00] ✓ #5 → den
        > still here
        < [12:00] ✓ #2
    """)


# the desk


@acted
async def test_the_place_in_the_queue(stage: TextStage) -> None:
    await stage.open()
    visitors = [await stage.netcat() for _ in range(2)]
    for number, visitor in enumerate(visitors, 1):
        await visitor.type("hello")
        await visitor.until(f"you are number {number} in the queue")
        await visitor.type("/queue")
        assert await visitor.line() == f"*** you are number {number} in the queue"
    agent = await stage.come("agent", "Wang")
    await agent.type("/queue")
    found = await agent.until("  #3 guest-2 waits, /take 3: hello")
    assert "  #1 guest-1 waits, /take 1: hello" in found
    await agent.type("/take 9", "/take guest-2", "/queue", "/close", "/take", "/take")
    assert "*** there is no visitor's conversation of this number" in await agent.until("You talk to guest-2 now.")
    await agent.until("You talk to guest-1 now.")
    assert await agent.line() == "*** Nobody waits."
    await agent.type("/queue")
    assert await agent.line() == "*** Nobody waits."


@acted
async def test_a_visitor_is_handed_on(stage: TextStage) -> None:
    visitor, agent = await at_the_desk(stage)
    other = await stage.come("agent", "Zhou")
    await other.play("""
        > /take 1
        < *** taken by Wang
        > /take one
        < *** There is no conversation one of yours; /list shows all
    """)
    await agent.type("/transfer Nobody", "/transfer Zhou")
    assert "*** Nobody here is called Nobody" in await agent.until("Zhou is asked to take over")
    assert await other.line() == "*** #1 A waits, /take 1: hello"
    await other.type("/take", "what is it?")
    await other.until("✓")
    assert (await visitor.until("what is it?"))[-2:] == [
        "[12:00] *** Zhou has taken over",
        "[12:00] Zhou: what is it?",
    ]
    await agent.type("and now?")
    assert "*** you are not in this conversation" in await agent.until("not in this")


@acted
async def test_a_visitor_is_handed_on_by_name_to_a_login(stage: TextStage) -> None:
    _, agent = await at_the_desk(stage)
    other = await stage.come("agent", "Zhou")
    await stage.write("UPDATE person SET login = 'zhou2' WHERE name = 'Zhou'")
    await agent.type("/transfer A zhou2")
    await agent.until("zhou2 is asked to take over")
    assert await other.line() == "*** #1 A waits, /take 1: hello"


@acted
async def test_notes_are_for_the_staff(stage: TextStage) -> None:
    visitor, agent = await at_the_desk(stage)
    await agent.type("/note the canary sings")
    await agent.until("→ notes on A")
    await agent.type("/note #1 and once more")
    await agent.until("→ notes on A")
    await agent.type("hello A")
    await agent.until("✓")
    assert (await visitor.until("hello A"))[-1] == "[12:00] Wang: hello A"
    await visitor.type("/history 99", "/list", "/to 2 hello", "/note mine", "/search canary")
    lines = await visitor.rest()
    assert "*** There is no conversation 2 of yours; /list shows all" in lines
    assert not any("canary sings" in line for line in lines)
    await agent.type("/list", "/to #2 another note")
    assert "  #2 notes on A" in await agent.until("→ notes on A")


@acted
async def test_a_room_shares_a_note(stage: TextStage) -> None:
    await stage.open()
    li, wang = await stage.come("user", "Li"), await stage.come("agent", "王")
    await li.type("/room new Hall")
    await li.until("You talk to Hall now")
    await li.play("""
        > /note
        < *** Nobody has written a shared note in Hall yet; /note TEXT begins it
        > /note low water: 9:15
        < [12:00] *** Li has changed the shared note, /note shows it
        < *** Added to the shared note of Hall.
    """)
    await wang.type("/join Hall")
    await wang.until("You talk to Hall now")
    await wang.type("/lang zh", "/note 缆绳：王")
    await wang.until("已写入 Hall 的共享笔记。")
    await li.type("/note")
    assert (await li.until("缆绳"))[-3:] == ["*** The shared note of Hall:", "  low water: 9:15", "  缆绳：王"]
    await li.type("/msg 王 hello")
    await li.until("✓")
    await li.type("/note for us two", "/note")
    assert (await li.until("  for us two"))[-2] == "*** 王 的共享笔记："  # who writes Chinese is answered in it


@acted
async def test_a_note_on_a_visitor_has_a_text(stage: TextStage) -> None:
    _, agent = await at_the_desk(stage)
    await agent.type("/note")
    assert "/note [#N] TEXT" in (await agent.until("/note"))[-1]


@acted
async def test_answers_kept_ready(stage: TextStage) -> None:
    visitor, agent = await at_the_desk(stage)
    await agent.type("/canned")
    assert (await agent.until("nothing yet"))[-1] == "*** There is nothing yet."
    await stage.write(
        "INSERT INTO desk_canned (short, title, text) VALUES ('hi', 'Greeting', 'Hello {{visitor.name}}!')"
    )
    await agent.play("""
        > /canned
        <   hi           Greeting
        > /canned bye
        < *** There is nothing yet.
        > /canned hi
        < [12:00] ✓ #6 → A
    """)
    assert await visitor.line() == "[12:00] Wang: Hello A!"


@acted
async def test_the_end_the_rating_and_a_new_beginning(stage: TextStage) -> None:
    visitor, agent = await at_the_desk(stage)
    await visitor.play("""
        > /rate 5 good
        < *** a conversation is rated when it is over
    """)
    await agent.type("/close A")
    await agent.until("the conversation is over; write on to open it again")
    await visitor.until("the conversation is over; write on to open it again")
    await visitor.type("/rate 5 good", "/rate 9")
    lines = await visitor.until("a rating is 1 to 5")
    assert "*** Done." in lines
    assert "[12:00] *** A rates 5/5 good" in lines
    await agent.type("hello?")
    assert (await agent.until("You are in no"))[-1].startswith("*** You are in no conversation")
    await visitor.type("one more thing")
    await visitor.until("✓")
    await agent.until("A waits")


@acted
async def test_a_visitor_ends_it(stage: TextStage) -> None:
    visitor, agent = await at_the_desk(stage)
    await visitor.type("/close", "/queue")
    await visitor.until("the conversation is over")
    await agent.until("the conversation is over")
    assert "*** There is nothing yet." in await visitor.until("nothing yet")


@acted
async def test_a_name_of_two_visitors_means_neither(stage: TextStage) -> None:
    visitor, agent = await at_the_desk(stage)
    other = await stage.netcat()
    await other.type("/nick A", "me too")
    await agent.until("waits")
    await agent.type("/take 3")
    await agent.until("You talk to A now.")
    await agent.type("a: which of you?", "/to A hello", "10:30 is a time")
    lines = await agent.until("→ A")
    refused = "*** More than one is called A: #1, #3. Give the number: /to 1 TEXT"
    assert sum(line.casefold() == refused.casefold() for line in lines) == 2
    assert (await other.until("10:30"))[-1] == "[12:00] Wang: 10:30 is a time"
    assert not any("Wang:" in line for line in await visitor.rest())


@acted
async def test_too_fast(stage: TextStage) -> None:
    await stage.open()
    visitor = await stage.netcat()
    await visitor.type(*(f"line {number}" for number in range(30)))
    assert (await visitor.until("slow down"))[-1] == "*** too many at once; slow down (1 s)"
    await visitor.type(*("/queue" for _ in range(60)))
    await visitor.until("slow down")


@acted
async def test_the_end(stage: TextStage) -> None:
    await stage.open()
    for word in ("q", "/quit", "/bye", "/EXIT"):
        visitor = await stage.netcat()
        await visitor.type(word, "never read")
        assert [await visitor.line() for _ in range(3)] == [WELCOME, "*** Bye.", "$"]


@pytest.mark.parametrize(("word", "row"), list(commands.COMMANDS.items()))
def test_every_command_is_explained_in_each_language(word: str, row: commands.Command) -> None:
    assert len(row.help) == len(LANGUAGES)
    assert all(row.help)
    assert not any(line.endswith(".") for line in row.help)
    assert word == word.lower()
