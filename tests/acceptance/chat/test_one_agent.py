"""Acceptance 2: a browser, netcat in GBK and UDP talk with one agent at once, and each reply reaches its visitor alone.

PORTICO_TEST_MESSAGES says how many messages; 10 000 take as long as the limits of the chat make them, about 5 minutes.
"""

import asyncio
import os
import random
import re
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import NamedTuple

from tests.acceptance.chat import pace
from tests.acceptance.chat.acting import acted
from tests.acceptance.chat.clients import SocketClient, become_visitor, socket_client
from tests.acceptance.chat.process import Chat
from tests.acceptance.chat.text_clients import netcat, program
from tests.acceptance.chat.visitors import Browser, Numbering, Plain, Terminal, Visitor

MESSAGES = int(os.environ.get("PORTICO_TEST_MESSAGES", "360"))
LONGEST_S = 60.0 + MESSAGES / 20
# What people write: GBK has the first row, the second only GB18030 and UTF-8 have.
COMMON = [
    *"你好，打印机坏了？谢谢！时茅",
    "abc",
    "<b>x</b>",
    "a:b",
    "'; --",
    "{{visitor.name}}",
    "привет",
    "€",
    "é",
    " ",
]
RARE = ["😀", "👩‍👩‍👧", "𠮷", "🇨🇳", "한글", "ß", "ñ", "\t"]
TAG = re.compile(r"«([A-Z])(\d+)»")


class Desk(NamedTuple):
    """An agent with visitors. cases: the conversation of each."""

    agent: SocketClient
    visitors: Mapping[str, Visitor]
    cases: Mapping[str, int]


def text_of(chance: random.Random, name: str, number: int, alphabet: list[str]) -> str:
    """Return a text with a mark of whom it is from, or for: nothing in it is a command."""
    pieces = [chance.choice(alphabet) for _ in range(chance.randrange(12))]
    at = chance.randrange(len(pieces) + 1)
    text = "".join((*pieces[:at], f"«{name}{number}»", *pieces[at:])).strip()
    return text if text[0] not in "/#" else f"·{text}"


async def welcome(chat: Chat, open_all: AsyncExitStack) -> Desk:
    """Have an agent serve one visitor of each kind; another agent looks on, and another visitor waits."""
    enter = open_all.enter_async_context
    agent = await enter(socket_client(chat.door, await chat.account("agent", "小王")))
    await agent.ask("desk.available", state="busy")  # takes, and is not asked
    visitors: dict[str, Visitor] = {
        "A": Browser(await enter(socket_client(chat.door, await become_visitor(chat.door, lang="zh-CN")))),
        "B": Terminal(await enter(netcat(chat.door, "gb18030"))),
        "C": Numbering(await enter(program(chat.door))),
        "D": Plain(await enter(program(chat.door, "gb18030"))),
        "W": Browser(await enter(socket_client(chat.door, await become_visitor(chat.door)))),
    }
    cases = {}
    for name, visitor in visitors.items():
        behind = len(agent.frames)
        await visitor.say(f"«{name}0»你好，我是{name}，打印机坏了")
        await agent.heard(lambda frame: frame.get("desk_list"), behind=behind)
        waiting = (await agent.ask("desk.list", tab="queue"))["items"]
        while not (found := [item for item in waiting if f"«{name}0»" in (item["last"] or {}).get("text", "")]):
            waiting = (await agent.ask("desk.list", tab="queue"))["items"]
        cases[name] = found[0]["c"]
        if name != "W":
            await agent.ask("desk.take", c=cases[name], rev=found[0]["rev"])
            await agent.read_to(cases[name], 3)
    return Desk(agent, visitors, cases)


async def talk(desk: Desk, chance: random.Random, count: int) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Have everybody talk at once; return what each visitor has said, and what each was answered."""
    served = [name for name in desk.visitors if name != "W"]
    said: dict[str, list[str]] = {name: [] for name in served}
    answered: dict[str, list[str]] = {name: [] for name in served}

    async def ask(name: str, most: int) -> None:
        breath, alphabet = pace.guest(), COMMON if name == "B" else COMMON + RARE
        for number in range(1, most + 1):
            await breath.turn()
            said[name].append(text_of(chance, name, number, alphabet))
            await desk.visitors[name].say(said[name][-1])

    async def answer(most: int) -> None:
        breath = pace.member()
        for number in range(1, most + 1):
            await breath.turn()
            name = chance.choice(served)
            text = text_of(chance, name, number, COMMON + RARE)
            if number % 20 == 0:
                text += "\n" + text_of(chance, name, number, COMMON)
            answered[name].append(text)
            await desk.agent.say(desk.cases[name], text)

    async with asyncio.TaskGroup() as group:
        group.create_task(answer(count // 2))
        for name in served:
            group.create_task(ask(name, count // 2 // len(served)))
    return said, answered


async def finish(desk: Desk, answered: dict[str, list[str]]) -> None:
    """Say a last word to everybody, and wait until it has come: nothing is on its way any more."""
    for name in answered:
        answered[name].append(f"«{name}999999»")
        last = await desk.agent.say(desk.cases[name], answered[name][-1])
        await desk.visitors[name].until(answered[name][-1])
        await desk.agent.read_to(desk.cases[name], last["s"])


@acted(Chat, longest_s=3 * LONGEST_S)
async def test_every_reply_reaches_its_visitor_and_nobody_else(chat: Chat) -> None:
    chance = random.Random(5)
    async with AsyncExitStack() as open_all:
        colleague = await open_all.enter_async_context(socket_client(chat.door, await chat.account("agent", "小李")))
        desk = await welcome(chat, open_all)
        before_s = chat.cpu_s()
        said, answered = await talk(desk, chance, MESSAGES)
        await finish(desk, answered)
        for name, texts in answered.items():
            assert desk.visitors[name].told == [line for text in texts for line in text.split("\n")], name
            assert {found[1] for found in TAG.finditer(desk.visitors[name].shown)} == {name}
            case = desk.cases[name]
            assert desk.agent.texts(case, desk.agent.me) == texts, name
            assert desk.agent.texts(case, -desk.agent.me)[1:] == said[name], name
        assert desk.visitors["W"].told == []
        assert {found[1] for found in TAG.finditer(desk.visitors["W"].shown)} == {"W"}
        assert TAG.findall(str([frame for frame in colleague.frames if frame["t"] in ("ev", "sync")])) == []
        print(f"{MESSAGES} messages, {chat.cpu_s() - before_s:.1f} s of the server's processor time")
        check_log(chat, desk, said, answered)


def check_log(chat: Chat, desk: Desk, said: Mapping[str, list[str]], answered: Mapping[str, list[str]]) -> None:
    """Look whether the log has each message once, in the order of its sender, and seqs without a hole."""
    query = "SELECT seq, kind, sender, json_extract(body, '$.text') FROM event WHERE conversation = ? ORDER BY seq"
    for name, case in desk.cases.items():
        rows = chat.rows(query, case)
        assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
        messages = [(sender, text) for _, kind, sender, text in rows if kind == "msg"]
        assert [text for sender, text in messages if sender == desk.agent.me] == answered.get(name, [])
        assert [text for sender, text in messages if sender != desk.agent.me][1:] == said.get(name, [])


@acted(Chat)
async def test_a_terminal_of_gbk_alone_shows_what_it_lacks_as_odd_signs_and_all_else_as_it_is(chat: Chat) -> None:
    async with AsyncExitStack() as open_all:
        desk = await welcome(chat, open_all)
        terminal = desk.visitors["B"]
        assert isinstance(terminal, Terminal)
        await desk.agent.say(desk.cases["B"], "好的😀，马上来")
        assert (await terminal.netcat.until("马上来")).endswith(" 小王: 好的😀，马上来")  # where it knows GB18030
        line = next(line for line in terminal.netcat.raw if "马上来".encode("gbk") in line)
        assert line.decode("gbk", "replace").endswith("小王: 好的\ufffd9\ufffd6，马上来")
