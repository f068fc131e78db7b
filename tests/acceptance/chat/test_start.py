"""Acceptance 1: one command in an empty folder is a chat that works: soon, alone, its data in one place."""

import time
from pathlib import Path

import httpx
from tests.acceptance.chat.acting import acted
from tests.acceptance.chat.clients import become_visitor, socket_client
from tests.acceptance.chat.process import Chat
from tests.acceptance.chat.text_clients import netcat, program

# Processor time, which other work on the machine does not change; a quiet machine starts it well within a second.
MOST_CPU_S = 2.0
PAGES = ("/", "/desk", "/widget", "/admin")


@acted(Chat)
async def test_a_chat_in_an_empty_folder_works_within_two_seconds(chat: Chat) -> None:
    async with httpx.AsyncClient(base_url=chat.door.origin, trust_env=False) as http:
        first = await http.get("/")
        until_page_s = time.monotonic() - chat.started_s
        assert first.status_code == 200
        assert chat.cpu_s() < MOST_CPU_S, f"{chat.cpu_s():.2f} s of processor time, {until_page_s:.2f} s in all"
        for page in PAGES:
            assert (await http.get(page)).headers["content-type"].startswith("text/html"), page


@acted(Chat)
async def test_every_way_in_is_open_from_the_start(chat: Chat) -> None:
    async with (
        socket_client(chat.door, await become_visitor(chat.door)) as browser,
        netcat(chat.door, "gbk") as terminal,
        program(chat.door) as sender,
    ):
        case = await browser.ask("desk.start")
        assert (await browser.say(case["c"], "hello"))["s"] == 3
        await terminal.type("你好")
        await terminal.until("√ #3")
        assert await sender.say("1", "hello") == "#1 ok 3"


@acted(Chat)
async def test_it_needs_no_other_process_and_writes_nowhere_else(chat: Chat) -> None:
    await become_visitor(chat.door)
    assert children_of(chat.process.pid) == []
    assert names_in(chat.folder.parent) == {"data", "data.errors"}
    assert {name.partition("-")[0] for name in names_in(chat.folder)} == {"chat.db"}


def children_of(pid: int) -> list[str]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [child for task in tasks for child in task.read_text().split()]


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
