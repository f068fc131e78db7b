"""The tables of the operations page, compared with the code, and what HAProxy is told."""

import re
from pathlib import Path

import pytest

from portico.server.metrics import DROP_REASONS
from portico.server.samples import FAMILIES

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / f"docs/{language}/operations.md" for language in ("en", "zh")]


def first_cells(page: Path) -> list[str]:
    """Return what stands in code marks at the beginning of each row."""
    return re.findall(r"(?m)^\| `([^`]+)` \|", page.read_text("utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=["en", "zh"])
def test_the_figures_are_those_that_are_kept(page: Path) -> None:
    assert [cell for cell in first_cells(page) if cell.startswith(("portico_", "process_"))] == list(FAMILIES)


@pytest.mark.parametrize("page", PAGES, ids=["en", "zh"])
def test_the_reasons_are_those_that_are_counted(page: Path) -> None:
    assert [cell for cell in first_cells(page) if re.fullmatch(r"[a-z]+", cell)] == list(DROP_REASONS)


@pytest.mark.parametrize("page", PAGES, ids=["en", "zh"])
def test_the_paths_are_those_of_the_operators_pages(page: Path) -> None:
    source = (ROOT / "src/portico/apps/admin/handler.py").read_text("utf-8")
    paths = [cell for cell in first_cells(page) if cell.startswith("/")]
    assert paths == re.findall(r'(?m)^        "(/[^"]+)": ', source)
