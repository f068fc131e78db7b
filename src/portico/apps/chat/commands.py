"""What one can type where there are only lines: a table of commands, and what a line without one means.

    obey(talker, line)
      /word rest          a row of COMMANDS
      A: text             an agent to the visitor who is called A
      text                to where the talker talks
      q                   the end

In: a line as somebody typed it. Out: what it led to, shown by the talker; a `Rejected` becomes a line too.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple

from portico.apps.chat import audit, log
from portico.apps.chat.events import Event, Rejected
from portico.apps.chat.frames import write_event
from portico.apps.chat.operations import NO_GUESTS, NOT_FOR_YOU, is_allowed
from portico.apps.chat.talker import STAFF, Place, Talker
from portico.apps.chat.wording import LANGUAGES, TICK, clock, lines_of, parse_event, phrase
from portico.errors import UsageError

QUIT: Final = "q"
HISTORY: Final = 20
MAX_HISTORY: Final = 200

_MAX_DIGITS: Final = 16
_NUMBERED: Final = re.compile(r"#([0-9]{1,15})\s+(.+)", re.DOTALL)
_ADDRESSED: Final = re.compile(r"([^:：]{1,60})[:：](.*\S)", re.DOTALL)

Run = Callable[[Talker, str], Awaitable[None]]


class Command(NamedTuple):
    """One row. usage: what stands behind the word. help: what it is for, in each language. needs: an operation.

    kinds: of people whom it is shown to, empty for all. asks: whether it must have something behind it.
    """

    run: Run
    usage: str
    help: tuple[str, str]
    needs: str = ""
    kinds: frozenset[str] = frozenset()
    asks: bool = False


async def obey(talker: Talker, line: str, also: "Mapping[str, Command] | None" = None) -> None:
    """Do what a line says. What cannot be done is shown. also: commands of the transport."""
    table = {**COMMANDS, **(also or {})}
    text = line.strip()
    talker.notice(text)
    try:
        if text == QUIT:
            await leave_all(talker, "")
        elif text.startswith("/"):
            await _command(talker, text, table)
        elif text:
            await _say(talker, text)
    except Rejected as exc:
        talker.complain(exc)
    except UsageError as exc:
        talker.show(f"*** {exc}")


async def _command(talker: Talker, text: str, table: Mapping[str, Command]) -> None:
    word, _, rest = text[1:].partition(" ")
    found = table.get(ALIASES.get(word.lower(), word.lower()))
    if word.lower() == "help":
        await show_help(talker, table)
    elif found is None or (found.needs and found.needs not in talker.setting.house.operations):
        talker.tell("unknown_command", word=word)
    elif found.asks and not rest.strip():
        talker.tell("usage", usage=f"/{word} {found.usage}")
    else:
        try:
            await found.run(talker, rest.strip())
        except Rejected as exc:
            raise _explained(talker, exc) from exc


def _explained(talker: Talker, exc: Rejected) -> Rejected:
    """Return a refusal that says what would help; the bare word is for programs."""
    word = {NO_GUESTS: "no_guests", NOT_FOR_YOU: "members_only"}.get(str(exc))
    is_guest = talker.me is not None and talker.me.kind not in STAFF | {"user"}
    return exc if word is None or not is_guest else Rejected(word, phrase(word, talker.language))


async def _say(talker: Talker, text: str) -> None:
    """Say something, to the visitor whose name it begins with, where an agent writes."""
    match = _ADDRESSED.fullmatch(text)
    if match is not None and _is_busy(talker) and not match[1].strip().isdigit():  # 10:30 is a time
        place = await talker.find(match[1])
        if place is not None:
            await _say_to(talker, place, match[2].strip())
            return
    await _say_to(talker, None, text)


async def _say_to(talker: Talker, place: Place | None, text: str) -> None:
    is_elsewhere = place is not None and place.conversation != talker.current
    event = await talker.say(text, None if place is None else place.conversation)
    _tick(talker, event, is_elsewhere=is_elsewhere)


def _tick(talker: Talker, event: Event, *, is_elsewhere: bool = False) -> None:
    """Show that something is on the disk, where there are ticks."""
    if not talker.setting.manner.has_ticks:
        return
    where = f" → {talker.label_of(event.conversation)}" if is_elsewhere or _is_busy(talker) else ""
    talker.show(f"[{clock(event.at_ms, talker.setting.zone)}] {TICK} #{event.seq}{where}")


def _is_busy(talker: Talker) -> bool:
    """Tell whether somebody talks to several, so that it is worth saying to whom."""
    return talker.me is not None and talker.me.kind in STAFF


# Oneself


async def show_help(talker: Talker, table: Mapping[str, Command]) -> None:
    """Show the commands that the person may use."""
    kind = talker.me.kind if talker.me is not None else "visitor"
    house = talker.setting.house
    are_welcome = bool((await house.hub.store.read(audit.settings))["guests"])
    for word, found in table.items():
        is_offered = not found.needs or (
            found.needs in house.operations and is_allowed(found.needs, kind, are_guests_welcome=are_welcome)
        )
        if is_offered and (not found.kinds or kind in found.kinds):
            usage = f"/{word} {found.usage}".rstrip()
            talker.show(f"  {usage:<26} {found.help[LANGUAGES.index(talker.language)]}")


async def nick(talker: Talker, rest: str) -> None:
    """Take another name."""
    await talker.ask("me.set", name=rest)
    me = talker.me
    talker.tell("you_are", name=me.name if me is not None else rest)


async def token(talker: Talker, rest: str) -> None:
    """Come back as whoever one was; or show how to."""
    if rest:
        me = await talker.enter(rest)
        talker.tell("you_are", name=me.name)
    else:
        await talker.visit()
        talker.keeps_device = True
        talker.tell("come_back", token=talker.token)


async def language(talker: Talker, rest: str) -> None:
    """Be spoken to in a language."""
    if rest.lower() not in LANGUAGES:
        talker.tell("usage", usage="/lang en | zh")
        return
    talker.choose_language(rest.lower())
    talker.tell("done")


async def leave_all(talker: Talker, rest: str) -> None:
    """End."""
    talker.tell("bye")
    talker.is_ended = True


# Rooms and people


async def who(talker: Talker, rest: str) -> None:
    """Show who is in the conversation."""
    place = await talker.place(rest)
    members = (await talker.ask("room.members", c=place.conversation))["members"]
    for member in members:
        shown = phrase("is_here", talker.language, name=member["name"]) if member["online"] else member["name"]
        talker.show(f"  {shown}")


async def list_all(talker: Talker, rest: str) -> None:
    """Show the conversations that one is in, and the rooms that one may enter."""
    places = await talker.places()
    if places:
        talker.tell("own_rooms")
    for place in places:
        mark = "*" if place.conversation == talker.current else " "
        talker.show(f"{mark} #{place.conversation} {talker.label_of(place.conversation)}")
    own = {place.conversation for place in places}
    try:
        found = (await talker.ask("room.list"))["rooms"] if talker.me is not None else []
    except Rejected:  # not for guests here
        found = []
    rooms = [room for room in found if room["c"] not in own]
    if rooms:
        talker.tell("public_rooms")
    for room in rooms:
        talker.show(f"  #{room['c']} {room['title']} ({room['members']})")
    if not places and not rooms:
        talker.tell("empty")


async def join(talker: Talker, rest: str) -> None:
    """Enter a public room, by its number or its title."""
    found = (await talker.ask("room.list"))["rooms"]
    wanted = rest.removeprefix("#").casefold()
    room = next((room for room in found if wanted in (str(room["c"]), room["title"].casefold())), None)
    if room is None:
        raise Rejected("no_place", phrase("no_place", talker.language, name=rest))
    await talker.ask("room.join", c=room["c"])
    await talker.follow(room["c"])
    await _talk_in(talker, room["c"])


async def invite(talker: Talker, rest: str) -> None:
    """Bring somebody into the room that one talks in."""
    place = await talker.place("")
    await talker.ask("room.invite", c=place.conversation, person=await _person(talker, rest))


async def search(talker: Talker, rest: str) -> None:
    """Find what was said by words in it."""
    found = (await talker.ask("search", text=rest))["found"]
    if not found:
        talker.tell("not_found")
    names = await talker.names_of([one["f"] for one in found])
    for one in found:
        event = {"k": "msg", "f": one["f"], "at": one["at"], "b": {"text": one["text"]}}
        where = talker.label_of(one["c"])
        lines = lines_of(event, names, talker.language, zone=talker.setting.zone, where=where)
        talker.show(f"#{one['s']} {lines[0]}", *lines[1:])


async def leave(talker: Talker, rest: str) -> None:
    """Leave a room."""
    place = await talker.place(rest)
    await talker.ask("room.leave", c=place.conversation)
    talker.tell("you_left", place=place.label)
    if talker.current == place.conversation:
        talker.current = None


async def message(talker: Talker, rest: str) -> None:
    """Say something to one person, by login or name."""
    name, _, text = rest.partition(" ")
    person = await _person(talker, name)
    conversation = (await talker.ask("direct", person=person))["c"]
    await talker.follow(conversation)
    talker.current = conversation
    await talker.places()
    if text.strip():
        await _say_to(talker, None, text.strip())
    else:
        talker.tell("talking", place=talker.label_of(conversation))


async def _person(talker: Talker, name: str) -> int:
    """Return whom a login or a name means. Raises Rejected for nobody, and for a name of several."""
    found = (await talker.ask("people.find", text=name))["people"]
    same = [one for one in found if name.casefold() in (one["login"], one["name"].casefold())]
    chosen = [one for one in same if one["login"] == name.casefold()] or same or found
    if len(chosen) != 1:
        raise Rejected("nobody", phrase("no_person", talker.language, name=name))
    return int(chosen[0]["id"])


async def room(talker: Talker, rest: str) -> None:
    """Talk in another conversation from now on; one that is new is made."""
    word, _, title = rest.partition(" ")
    if word == "new" and title.strip():
        number = int((await talker.ask("room.make", title=title.strip(), public=True))["c"])
        await talker.follow(number)
    else:
        number = (await talker.place(rest)).conversation
    await _talk_in(talker, number)


async def _talk_in(talker: Talker, number: int) -> None:
    talker.current = number
    await talker.places()
    talker.tell("talking", place=talker.label_of(number))


async def to(talker: Talker, rest: str) -> None:
    """Say something in one of one's conversations, by name or number."""
    name, _, text = rest.partition(" ")
    place = await talker.place(name)
    if text.strip():
        await _say_to(talker, place, text.strip())
    else:
        await _talk_in(talker, place.conversation)


async def history(talker: Talker, rest: str) -> None:
    """Show what was said before."""
    count = _count(rest, HISTORY, MAX_HISTORY)
    place, me = await talker.place(""), await talker.visit()
    last = 1 << 53
    span = await talker.setting.house.hub.store.read(
        lambda db: log.read_before(db, me.person, place.conversation, last, count)
    )
    for event in span.events:
        lines = await talker.event_lines(parse_event(write_event(event)))
        if lines and event.kind == "msg":  # the number, for /edit and /delete
            lines[0] = f"#{event.seq} {lines[0]}"
        talker.show(*lines)


async def edit(talker: Talker, rest: str) -> None:
    """Change a message: the one of a number, or one's own last one here."""
    match = _NUMBERED.fullmatch(rest)
    number, text = (int(match[1]), match[2]) if match is not None else (None, rest)
    _tick(talker, await talker.amend("edit", {"text": text}, number))


async def delete(talker: Talker, rest: str) -> None:
    """Delete a message: the one of a number, or one's own last one here."""
    digits = rest.removeprefix("#")
    if rest and not (digits.isascii() and digits.isdigit() and len(digits) < _MAX_DIGITS):
        talker.tell("usage", usage="/delete [#N]")
        return
    _tick(talker, await talker.amend("del", {}, int(digits) if digits else None))


def _count(text: str, default: int, most: int) -> int:
    return min(int(text[:9]), most) if text.isascii() and text.isdigit() and int(text[:9]) else default


# The desk


async def queue(talker: Talker, rest: str) -> None:
    """Show who waits, to an agent; to a visitor, where one is."""
    if talker.me is not None and talker.me.kind in STAFF:
        items = await talker.waiting()
        if not items:
            talker.tell("nobody_waits")
        for item in items:
            talker.show(f"  {talker.waiting_line(item)}")
        return
    found = await talker.ask("desk.status")
    talker.status = found.get("desk", {})
    lines = talker.status_lines()
    talker.show(*lines)
    if not lines:
        talker.tell("empty")


async def take(talker: Talker, rest: str) -> None:
    """Have a visitor who waits, or whom a colleague hands on: the one of a number, or the first."""
    items, number = await talker.waiting(), rest.removeprefix("#")
    if number.isascii() and number.isdigit() and all(str(item["c"]) != number for item in items):
        await talker.ask("desk.take", c=int(number[:15]), rev=0)  # somebody was faster: the refusal says who
    item = _item(talker, items, rest) if rest else next(iter(items), None)
    if item is None:
        talker.tell("nobody_waits")
        return
    if talker.is_asked(item):
        await talker.ask("desk.accept", c=item["c"])
    else:
        await talker.ask("desk.take", c=item["c"], rev=item["rev"])
    await talker.follow(item["c"])
    await _talk_in(talker, item["c"])


async def transfer(talker: Talker, rest: str) -> None:
    """Hand a visitor on to a colleague."""
    name, _, colleague = rest.rpartition(" ")
    item = await _case(talker, name.strip())
    agents = (await talker.ask("desk.agents"))["agents"]
    person = next((one["id"] for one in agents if one["name"].casefold() == colleague.casefold()), None)
    if person is None:
        person = await _person(talker, colleague)
    await talker.ask("desk.transfer", c=item["c"], to=person, rev=item["rev"])
    talker.tell("offered", who=colleague)


async def note(talker: Talker, rest: str) -> None:
    """Show the note that a room shares, or add a line to it; of a visitor, write down what only the staff reads."""
    match = _NUMBERED.fullmatch(rest)
    name, text = (match[1], match[2]) if match is not None else ("", rest)
    place = await talker.place(name)
    if place.kind in ("room", "direct"):
        await _shared_note(talker, place, text)
        return
    if not text:
        talker.tell("usage", usage="/note [#N] TEXT")
        return
    item = await _case(talker, name)
    answer = await talker.ask("desk.note", c=item["c"], text=text)
    talker.show(f"[{clock(answer['at'], talker.setting.zone)}] {TICK} #{answer['s']} → {_notes(talker, item)}")


async def _shared_note(talker: Talker, place: Place, line: str) -> None:
    if line:
        await talker.ask("note.append", c=place.conversation, text=line)
        talker.tell("note_added", place=place.label)
        return
    text = (await talker.ask("note.get", c=place.conversation, open=False))["text"]
    talker.tell("shared_note" if text else "no_note", place=place.label)
    talker.show(*(f"  {each}" for each in text.splitlines()))


def _notes(talker: Talker, item: Mapping[str, Any]) -> str:
    return phrase("notes", talker.language, name=item["visitor"]["name"])


async def close(talker: Talker, rest: str) -> None:
    """End the conversation of a visitor, or one's own with the desk."""
    if talker.me is not None and talker.me.kind in STAFF:
        item = await _case(talker, rest)
        await talker.ask("desk.close", c=item["c"], rev=item["rev"])
        if talker.current == item["c"]:
            talker.current = None
    else:
        await talker.ask("desk.close", c=(await talker.place("")).conversation)


async def canned(talker: Talker, rest: str) -> None:
    """Send an answer that is kept ready; or show all."""
    found = (await talker.ask("desk.canned.list", **({"c": talker.current} if rest and talker.current else {})))[
        "canned"
    ]
    if not rest:
        for one in found:
            talker.show(f"  {one['short']:<12} {one['title']}")
        if not found:
            talker.tell("empty")
        return
    chosen = next((one for one in found if one["short"] == rest.lstrip("/")), None)
    if chosen is None:
        raise Rejected("bad_canned", phrase("empty", talker.language))
    await _say_to(talker, None, chosen.get("filled", chosen["text"]))


async def rate(talker: Talker, rest: str) -> None:
    """Say how it was, 1 to 5."""
    score, _, text = rest.partition(" ")
    if not (score.isascii() and score.isdigit()):
        talker.tell("usage", usage="/rate 1-5 TEXT")
        return
    place = await talker.place("")
    await talker.ask("desk.rate", c=place.conversation, score=int(score[:9]), text=text.strip())
    talker.tell("done")


async def _case(talker: Talker, name: str) -> Mapping[str, Any]:
    """Return the case of a name or a number, of the current conversation for "". Raises Rejected."""
    place = await talker.place(name)
    return _item(talker, (await talker.ask("desk.list", tab="mine"))["items"], str(place.conversation))


def _item(talker: Talker, items: list[Mapping[str, Any]], name: str) -> Mapping[str, Any]:
    wanted = name.removeprefix("#").casefold()
    found = [item for item in items if wanted in (str(item["c"]), item["visitor"]["name"].casefold())]
    if len(found) != 1:
        raise Rejected("no_place", phrase("no_place", talker.language, name=name))
    return found[0]


COMMANDS: Final[Mapping[str, Command]] = {
    "nick": Command(nick, "NAME", ("be called something else", "改名"), "me.set", asks=True),
    "who": Command(who, "", ("who is here", "查看谁在这里"), "room.members"),
    "list": Command(list_all, "", ("your conversations, and public rooms", "我的会话与公开房间")),
    "join": Command(join, "ROOM", ("enter a public room", "进入公开房间"), "room.join", asks=True),
    "invite": Command(
        invite, "USER", ("bring somebody into this room", "邀请他人加入本房间"), "room.invite", asks=True
    ),
    "leave": Command(leave, "", ("leave a room", "离开房间"), "room.leave"),
    "room": Command(room, "NAME | new NAME", ("talk there from now on", "切换或新建会话"), "room.make", asks=True),
    "msg": Command(message, "USER TEXT", ("to one person alone", "私聊"), "direct", asks=True),
    "to": Command(
        to,
        "NAME TEXT",
        ("in one of your conversations; agents: NAME: TEXT", "发到指定会话，客服可写 名字: 文字"),
        asks=True,
    ),
    "history": Command(history, "[N]", ("what was said before", "查看历史")),
    "search": Command(search, "WORDS", ("find what was said", "搜索聊天记录"), "search", asks=True),
    "edit": Command(edit, "[#N] TEXT", ("change your last message, or one", "修改上一条或指定的消息"), asks=True),
    "delete": Command(delete, "[#N]", ("delete your last message, or one", "删除上一条或指定的消息")),
    "queue": Command(queue, "", ("who waits, or where you are", "查看排队情况"), "desk.list"),
    "take": Command(take, "[N]", ("have a visitor who waits", "接待排队的访客"), "desk.take", STAFF),
    "transfer": Command(transfer, "[N] AGENT", ("hand a visitor on", "转接给同事"), "desk.transfer", STAFF, asks=True),
    "note": Command(
        note,
        "[#N] [TEXT]",
        (
            "the shared note, or a line for it; of a visitor: for the staff",
            "查看共享笔记或添加一行；访客会话中为内部备注",
        ),
        kinds=STAFF | {"user"},
    ),
    "close": Command(close, "[N]", ("end the conversation", "结束会话"), "desk.close"),
    "canned": Command(canned, "[WORD]", ("answers kept ready", "常用语"), "desk.canned.list", STAFF),
    "rate": Command(rate, "1-5 TEXT", ("how was it?", "评价本次服务"), "desk.rate", asks=True),
    "token": Command(token, "[TOKEN]", ("come back after the line was cut", "断线后恢复会话")),
    "lang": Command(language, "en | zh", ("your language", "切换语言"), asks=True),
    "quit": Command(leave_all, "", ("the end; so does q", "退出，也可只输入 q")),
}
ALIASES: Final[Mapping[str, str]] = {"bye": "quit", "exit": "quit", "name": "nick", "claim": "take"}
