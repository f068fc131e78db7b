"""The store: answers after their commit, in groups; what fails undoes itself alone; what was acknowledged stays."""

import asyncio
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from portico.apps.chat import people, rooms
from portico.apps.chat.events import Claim, Event, Rejected, check
from portico.apps.chat.log import Appended, Change, append
from portico.apps.chat.store import Store
from portico.errors import ConfigError

Play = Callable[[Store], Coroutine[Any, Any, None]]


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[Store]:
    store = Store(path)
    try:
        yield store
    finally:
        store.close()


def said(text: str, cid: str | None = None) -> Callable[[Change], Appended]:
    entry = check(Claim(1, "msg", {"text": text}, cid=cid), 1, "ws")
    return lambda change: append(change, entry)


async def settle(store: Store) -> None:
    await store.write(lambda change: people.add_person(change, "user", "a"))
    await store.write(lambda change: rooms.make_room(change, 1, "room", is_public=False))


def test_answers_and_events_come_in_the_order_of_the_log(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path / "db") as store:
            await settle(store)
            heard: list[Event] = []
            store.on_commit = heard.extend
            answers = await asyncio.gather(*(store.write(said(f"{n}")) for n in range(500)))
            assert [answer.event.seq for answer in answers] == list(range(2, 502))
            assert heard == [answer.event for answer in answers]

    asyncio.run(play())


def test_what_fails_undoes_itself_alone(tmp_path: Path) -> None:
    def half(change: Change) -> None:
        append(change, check(Claim(1, "msg", {"text": "half"}), 1, "ws"))
        raise ValueError("changed my mind")

    async def play() -> None:
        async with opened(tmp_path / "db") as store:
            await settle(store)
            heard: list[Event] = []
            store.on_commit = heard.extend
            works = [store.write(half) if n % 3 == 1 else store.write(said(f"{n}")) for n in range(30)]
            found = await asyncio.gather(*works, return_exceptions=True)
            assert [isinstance(answer, ValueError) for answer in found] == [n % 3 == 1 for n in range(30)]
            assert [event.seq for event in heard] == list(range(2, 22))
            (rows,) = await store.read(lambda db: db.execute("SELECT count(*), max(seq) FROM event").fetchall())
            assert rows == (21, 21)

    asyncio.run(play())


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path / "db") as store:
            with pytest.raises(Exception, match="readonly"):
                await store.read(lambda db: db.execute("DELETE FROM meta"))

    asyncio.run(play())


def test_whoever_does_not_wait_any_more_hinders_nobody(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path / "db") as store:
            await settle(store)
            waiting = asyncio.ensure_future(store.write(said("left")))
            await asyncio.sleep(0)
            waiting.cancel()
            assert (await store.write(said("stayed"))).event.seq == 3

    asyncio.run(play())


def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from tests.apps.chat.test_store import said, settle\n"
        "from portico.apps.chat.store import Store\n"
        "async def main():\n"
        "    store = Store(Path(sys.argv[1]))\n"
        "    await settle(store)\n"
        "    for n in range(100_000):\n"
        "        answers = await asyncio.gather(*(store.write(said(f'{n} {k}', f'{n}-{k}')) for k in range(10)))\n"
        "        print(answers[-1].event.seq, flush=True)\n"
        "asyncio.run(main())\n"
    )
    words = [sys.executable, "-c", program, str(tmp_path / "db"), str(Path(__file__).parents[3])]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(20)]
        process.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in process.stdout.read().split()]

    async def play() -> None:
        async with opened(tmp_path / "db") as store:
            seqs = await store.read(lambda db: [seq for (seq,) in db.execute("SELECT seq FROM event ORDER BY seq")])
            assert seqs == list(range(1, len(seqs) + 1))
            assert seqs[-1] >= max(acknowledged)
            assert (await store.write(said("19 9", "19-9"))).is_repeat

    asyncio.run(play())


async def fill(store: Store) -> None:
    for n in range(200):
        await store.write(said("x" * 8_000 + str(n)))


def test_a_full_disk_is_told_and_got_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def play() -> None:
        async with opened(tmp_path / "db") as store:
            await settle(store)
            old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
            try:
                with pytest.raises(Rejected, match="nothing can be stored now") as caught:
                    await fill(store)
                assert caught.value.code == "unavailable"
                assert store.trouble
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
                signal.signal(signal.SIGXFSZ, old)
            head = (await store.write(said("there is room again"))).event.seq
            assert not store.trouble
            assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
            assert "what people send is refused until it can" in caplog.text
            seqs = await store.read(lambda db: [seq for (seq,) in db.execute("SELECT seq FROM event ORDER BY seq")])
            assert seqs == list(range(1, head + 1))

    asyncio.run(play())


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "db").write_bytes(b"not a database, but long enough to look at " * 50)
    with pytest.raises(ConfigError, match="cannot be used as a database"):
        Store(tmp_path / "db")
    with pytest.raises(ConfigError, match="cannot be used as a database"):
        Store(tmp_path / "missing" / "db")


def test_nobody_waits_for_an_answer_when_the_loop_has_gone(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")

    async def ask_and_leave() -> None:
        waiting = asyncio.ensure_future(store.write(lambda change: None))
        await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(ask_and_leave())
    store.close()


def test_long_and_small_works_keep_their_order(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path / "db") as store:
            await settle(store)
            heard: list[Event] = []
            store.on_commit = heard.extend
            works = [(store.write_long if n % 4 == 1 else store.write)(said(f"{n}")) for n in range(40)]
            answers = await asyncio.gather(*works)
            assert [answer.event.seq for answer in answers] == list(range(2, 42))
            assert heard == [answer.event for answer in answers]
            assert await store.read_long(lambda db: db.execute("SELECT max(seq) FROM event").fetchone()) == (41,)

    asyncio.run(play())


def test_what_fails_in_a_thread_is_told(tmp_path: Path) -> None:
    def fail(of: object) -> None:
        raise ValueError("changed my mind")

    async def play() -> None:
        async with opened(tmp_path / "db") as store:
            for ask in (store.write_long, store.read_long, store.write, store.read):
                with pytest.raises(ValueError, match="changed my mind"):
                    await ask(fail)

    asyncio.run(play())


def test_a_long_work_leaves_the_loop_to_others(tmp_path: Path) -> None:
    async def play() -> None:
        go = threading.Event()
        async with opened(tmp_path / "db") as store:
            await settle(store)
            long_write = asyncio.ensure_future(store.write_long(lambda change: go.wait(20)))
            long_read = asyncio.ensure_future(store.read_long(lambda db: go.wait(20)))
            await asyncio.sleep(0)
            assert (await store.read(lambda db: db.execute("SELECT count(*) FROM event").fetchone())) == (1,)
            go.set()
            assert await long_write
            assert await long_read

    asyncio.run(play())


def test_whoever_else_writes_the_file_is_waited_for_in_the_thread(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path / "db") as store:
            await settle(store)
            other = sqlite3.connect(tmp_path / "db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            writing = asyncio.ensure_future(store.write(said("behind it")))
            for _ in range(100):
                await asyncio.sleep(0)
            assert not writing.done()
            other.execute("COMMIT")
            other.close()
            assert (await writing).event.seq == 2

    asyncio.run(play())


def test_a_read_lets_others_have_a_turn(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path / "db") as store:
            turns: list[int] = []
            asyncio.get_running_loop().call_soon(turns.append, 1)
            await store.read(lambda db: turns.append(2))
            assert turns == [1, 2]

    asyncio.run(play())


def test_a_broken_statement_fails_its_group_and_nothing_else(tmp_path: Path) -> None:
    async def play() -> None:
        async with opened(tmp_path / "db") as store:
            await settle(store)
            for ask in (store.write, store.write_long):
                with pytest.raises(Rejected, match="nothing can be stored now"):
                    await ask(lambda change: change.db.execute("SELECT 1 FROM nowhere"))
            assert (await store.write(said("goes on"))).event.seq == 2

    asyncio.run(play())
