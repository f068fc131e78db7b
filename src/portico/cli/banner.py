"""What is said before the first request and after the last: values in, lines out.

Nothing here writes. Names come from the disk and may hold anything; they are quoted where they are not printable.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from portico.cli import qr
from portico.cli.places import Links, Moved
from portico.cli.screen import Screen
from portico.cli.words import Words
from portico.errors import excerpt
from portico.server.access_log import size_text, width

if TYPE_CHECKING:
    from portico.cli.survey import Survey
    from portico.server.accepting import Totals

_SHOWN_NAMES = 4


def greeting(version: str, what: str, notes: Sequence[str], words: Words, screen: Screen) -> list[str]:
    """Return the first line: name, version, what is served, and in brackets what more there is to know."""
    name = screen.paint(f"portico {version}", "bold")
    more = words("comma").join(notes)
    return [f"  {name}   {what}   {screen.paint(f'({more})', 'dim')}" if more else f"  {name}   {what}"]


def moved_line(moved: Moved, port: int, words: Words) -> str:
    """Say that the default port is taken, by whom, and which one is used."""
    key = "taken" if moved.holder else "taken-unknown"
    taken = words(key, port=moved.port, holder=moved.holder)
    return "  " + words("port-moved", taken=taken, port=port)


def link_lines(links: Links, lan_text: str, screen: Screen) -> list[str]:
    """Return the URLs, those for others first, each with its interface; then, where there are such, lan_text."""
    rows = [*links.lan, *((link, "") for link in links.own)]
    columns = max((width(link) for link, _ in rows), default=0)
    lines = []
    for link, interface in rows:
        padding = " " * (columns - width(link) + 3) if interface else ""
        lines.append(f"  {screen.paint('➜', 'green')}  {screen.paint(link, 'cyan')}{padding}{interface}")
    if links.lan:
        lines.append(f"     {lan_text}")
    return lines


def qr_lines(link: str, screen: Screen) -> list[str]:
    """Draw the QR code of a URL; nothing on a terminal that is too narrow for it."""
    lines = qr.lines_of(link, colour=screen.has_colour)
    if width(qr.lines_of(link, colour=False)[0]) + 2 > screen.columns():
        return []
    return [f"  {line}" for line in lines]


def survey_lines(found: "Survey", words: Words, screen: Screen) -> list[str]:
    """Say how much is served, what is not, and what perhaps should not be."""
    key = "files-more" if found.is_partial else "files"
    lines = [f"  {words(key, n=found.files, size=size_text(found.size))}"]
    if found.hidden:
        lines.append("  " + screen.paint(words("not-hidden", names=_listed(found.hidden, words)), "dim"))
    if found.outside:
        lines.append("  " + screen.paint(words("not-linked", names=_listed(found.outside, words)), "yellow"))
    if found.secrets:
        lines.append("  " + screen.paint(words("secrets", names=_listed(found.secrets, words)), "yellow"))
    return lines


def _listed(names: Sequence[str], words: Words) -> str:
    shown = [name if name.isprintable() else excerpt(name) for name in names[:_SHOWN_NAMES]]
    text = ("、" if words.language == "zh" else ", ").join(shown)
    return words("and-more", names=text, n=len(names) - len(shown)) if len(names) > len(shown) else text


def totals_line(totals: "Totals", counted: str, seconds: float, words: Words) -> str:
    """Return the last line: what was done, for how many, in how long. counted: key of the text for what was."""
    return "  " + words(
        "totals",
        requests=words(counted, n=totals.requests),
        size=size_text(totals.bytes_sent),
        devices=words("devices", n=totals.addresses),
        time=_time_text(seconds, words),
    )


def _time_text(seconds: float, words: Words) -> str:
    if seconds < 60:
        return words("seconds", n=int(seconds))
    minutes = int(seconds // 60)
    return words("minutes", n=minutes) if minutes < 60 else words("hours", hours=minutes // 60, n=minutes % 60)
