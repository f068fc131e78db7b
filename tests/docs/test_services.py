"""What the pages on services list, compared with the code."""

import re
from pathlib import Path

import pytest

from portico.server.buckets import LARGER, LOOPING, TOO_MANY
from portico.server.datagrams import FAILED, OVERLOAD, TOO_LONG, UNSENT
from portico.server.service_log import NOTES

ROOT = Path(__file__).parents[2]
REMARKS = [LARGER, TOO_MANY, LOOPING, UNSENT, FAILED, OVERLOAD, TOO_LONG]


@pytest.mark.parametrize(
    ("language", "shown"), [("en", REMARKS), ("zh", [NOTES[remark] for remark in REMARKS])], ids=["en", "zh"]
)
def test_the_remarks_on_datagrams_are_those_of_the_log(language: str, shown: list[str]) -> None:
    page = (ROOT / f"docs/{language}/behaviour/datagrams.md").read_text("utf-8")
    assert re.findall(r"(?m)^\| `([^`]+)` \|", page) == shown
