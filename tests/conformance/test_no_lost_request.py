"""No accepted request is lost, or answered twice, while workers are replaced, and when it all ends.

`python -m bench.reloads` does the same a hundred times.
"""

import asyncio
from pathlib import Path

import pytest
from bench.reloads import ASGI_APP, CLIENTS, WSGI_APP, trial


@pytest.mark.parametrize("source", [ASGI_APP, WSGI_APP], ids=["asgi", "wsgi"])
@pytest.mark.parametrize("reloads", [0, 3], ids=["end", "reloads"])
def test_no_accepted_request_is_lost_or_answered_twice(tmp_path: Path, source: str, reloads: int) -> None:
    tally, twice, code = asyncio.run(trial(tmp_path, source, reloads))
    assert tally.lost == []
    assert twice == {}
    assert code == 0
    assert tally.refused == CLIENTS  # each saw the end as a closed port
    assert tally.answered >= CLIENTS
