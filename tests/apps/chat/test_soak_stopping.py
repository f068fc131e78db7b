"""What a soak makes of a reader that does not answer; the rest is in test_soak and test_soak_reader."""

import asyncio
import sqlite3
from pathlib import Path

from portico.apps.chat.soak_ledger import Ledger
from portico.apps.chat.soak_plan import Account
from portico.apps.chat.soak_stopping import Stopping
from portico.apps.chat.soak_texts import Progress


def test_a_reader_that_ends_is_a_fault(tmp_path: Path) -> None:
    ledger = Ledger()

    async def run() -> Stopping:
        found = Stopping(tmp_path, Account(3, "token", (7,)), (7, []), ledger, stop_s=0.01)
        await found.end()  # there is none yet
        starting = asyncio.ensure_future(found.start(9))  # where nobody is
        while found._process is None:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        await found.end()
        async with asyncio.timeout(10):
            await starting
        found.go_on()
        db = sqlite3.connect(":memory:")
        db.execute("CREATE TABLE conversation (id, head)")
        db.execute("INSERT INTO conversation VALUES (7, 1)")
        async with asyncio.timeout(10):
            await found.settle(Progress(db))
        db.close()
        return found

    found = asyncio.run(run())
    assert dict(ledger.failed) == {"unsettled": 2}
    assert found.result.times == 0
