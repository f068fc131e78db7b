"""The text that the members of a conversation write together: what an edit is, and how two that met become one text.

    read_edit(value, length)                   from JSON -> Edit
    apply(text, edit)                          -> text
    transform(edit, over, is_first=...)        the same edit, on the text that `over` has changed already
    credit(runs, edit, person)                 who wrote which part

An edit goes through the old text from its start: a number keeps so many characters, a text is inserted, a number below
0 leaves so many out; what is behind the last part is kept. [5, "ab", -2] puts ab for the two characters behind the
first five. Everything is counted in code points, here and in the page, so that no edit can tear a character in two.

The server gives the edits of a note one order. An edit that was made on an older text is transformed over those that
came in between, here by the server and in the page by whoever has edits of its own under way. The invariant that makes
both agree, for two edits of the same text of which one is first:

    apply(apply(text, one), transform(other, one)) == apply(apply(text, other), transform(one, other))

What somebody has inserted is never lost by that: only what a person takes out is gone.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from portico.apps.chat.events import Rejected

MAX_NOTE: Final = 65_536  # characters
MAX_INSERTED: Final = 8_192  # characters of one edit, so that it fits into a frame
MAX_PARTS: Final = 1_000

Part = int | str
Edit = tuple[Part, ...]
Run = tuple[int, int]  # a person, and how many characters in a row are the person's


def read_edit(value: object) -> Edit:
    """Return an edit in its one form. Raises Rejected: "bad_body" for what is none, "empty", "too_big"."""
    if not isinstance(value, list) or not all(_is_part(part) for part in value):
        raise Rejected("bad_body", "an edit is a list of numbers and of texts without line ends but \\n")
    if len(value) > MAX_PARTS or sum(len(part) for part in value if isinstance(part, str)) > MAX_INSERTED:
        raise Rejected("too_big", f"an edit has at most {MAX_PARTS} parts and {MAX_INSERTED} characters; send several")
    edit = tidy(value)
    if not edit:
        raise Rejected("empty", "the edit changes nothing")
    return edit


def _is_part(value: object) -> bool:
    if isinstance(value, str):
        return not set("\0\r") & set(value)
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_NOTE


def tidy(parts: Sequence[Part]) -> Edit:
    """Return the one form of an edit: no empty part, no two of a kind in a row, an insertion before what goes."""
    made: list[Part] = []
    for part in parts:
        _add(made, part)
    if made and isinstance(made[-1], int) and made[-1] > 0:
        made.pop()
    return tuple(made)


def _add(made: list[Part], part: Part) -> None:
    if not part:
        return
    last = made[-1] if made else 0
    if isinstance(part, str) and isinstance(last, int) and last < 0:
        made.pop()
        _add(made, part)
        made.append(last)
    elif isinstance(part, str) and isinstance(last, str) and last:
        made[-1] = last + part
    elif isinstance(part, int) and isinstance(last, int) and part * last > 0:
        made[-1] = last + part
    else:
        made.append(part)


def reach(edit: Edit) -> int:
    """Return how many characters of the old text an edit goes through: the text has at least as many."""
    return sum(abs(part) for part in edit if isinstance(part, int))


def growth(edit: Edit) -> int:
    """Return by how many characters an edit makes the text longer."""
    return sum(len(part) if isinstance(part, str) else min(part, 0) for part in edit)


def apply(text: str, edit: Edit) -> str:
    """Return a text as an edit makes it. The edit reaches no further than the text."""
    made: list[str] = []
    at = 0
    for part in edit:
        if isinstance(part, str):
            made.append(part)
            continue
        if part > 0:
            made.append(text[at : at + part])
        at += abs(part)
    return "".join([*made, text[at:]])


def transform(edit: Edit, over: Edit, *, is_first: bool) -> Edit:
    """Return an edit as it is on the text that `over`, made on the same text, has changed already.

    is_first: where both insert at one place, whether this one's stands in front.
    """
    made: list[Part] = []
    rest = _Rest(edit)
    for part in over:
        if isinstance(part, str):
            if is_first:
                made += rest.insertions()
            made.append(len(part))
        elif part > 0:
            made += rest.take(part)
        else:  # what the other has taken out is neither kept nor taken out a second time
            made += (mine for mine in rest.take(-part) if isinstance(mine, str))
    return tidy([*made, *rest.all()])


class _Rest:
    """What is left of an edit that is being gone through."""

    def __init__(self, edit: Edit) -> None:
        self._parts = list(reversed(edit))

    def insertions(self) -> Iterator[Part]:
        """Take what is inserted at this place."""
        while self._parts and isinstance(self._parts[-1], str):
            yield self._parts.pop()

    def take(self, count: int) -> Iterator[Part]:
        """Take what goes through the next characters of the old text, insertions in front of and between them."""
        while count and self._parts:
            part = self._parts.pop()
            if isinstance(part, str):
                yield part
                continue
            step = min(abs(part), count)
            count -= step
            if step < abs(part):
                self._parts.append(part - step if part > 0 else part + step)
            yield step if part > 0 else -step
        yield count  # behind the last part everything is kept

    def all(self) -> Iterator[Part]:
        """Take the rest."""
        yield from reversed(self._parts)


def credit(runs: Sequence[Run], edit: Edit, person: int) -> list[Run]:
    """Return who wrote what after an edit of a person. runs: before it; the sum of their lengths is the text's."""
    made: list[Run] = []
    left = list(reversed(runs))
    for part in edit:
        if isinstance(part, str):
            _add_run(made, (person, len(part)))
            continue
        for run in _take_runs(left, abs(part)):
            if part > 0:
                _add_run(made, run)
    for run in reversed(left):
        _add_run(made, run)
    return made


def _take_runs(left: list[Run], count: int) -> Iterator[Run]:
    while count:
        person, length = left.pop()
        step = min(length, count)
        count -= step
        if step < length:
            left.append((person, length - step))
        yield person, step


def _add_run(made: list[Run], run: Run) -> None:
    if made and made[-1][0] == run[0]:
        made[-1] = (run[0], made[-1][1] + run[1])
    else:
        made.append(run)


def without(runs: Sequence[Run], person: int) -> Edit:
    """Return the edit that takes out what a person wrote."""
    return tidy([-length if who == person else length for who, length in runs])
