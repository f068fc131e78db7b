"""A picture of a suite: CPU time as bars, a group for each case, readable in light and dark."""

from collections.abc import Iterable
from html import escape
from statistics import median

from bench.bars import CORE, Results

WIDTH, LABEL, BAR, GAP, TITLE = 720, 110, 18, 6, 34
STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #333 } .title { font-weight: 600 } .value { fill: #666 }
  .bar { fill: #b8c0cc } .own { fill: #2563a8 }
  @media (prefers-color-scheme: dark) {
    text { fill: #ddd } .value { fill: #aaa } .bar { fill: #56606e } .own { fill: #6ea8e8 }
  }
"""


def bars(values: dict[str, float], top: int, most: float) -> Iterable[str]:
    """Yield the elements of one group. most: the value as wide as the picture."""
    for row, (name, value) in enumerate(sorted(values.items(), key=lambda item: item[1])):
        y = top + row * (BAR + GAP)
        width = max(1.0, (WIDTH - LABEL - 90) * value / most)
        kind = "bar own" if name == CORE else "bar"
        yield f'<text x="{LABEL - 8}" y="{y + 13}" text-anchor="end">{escape(name)}</text>'
        yield f'<rect class="{kind}" x="{LABEL}" y="{y}" width="{width:.1f}" height="{BAR}" rx="2"/>'
        yield f'<text class="value" x="{LABEL + width + 6:.1f}" y="{y + 13}">{value:.1f} us</text>'


def draw(results: Results, cases: Iterable[str]) -> str:
    """Return the picture of these cases; one that was not measured is left out."""
    parts: list[str] = []
    y = 10
    for name in cases:
        outcome = results.outcomes.get(name)
        if outcome is None or not outcome.samples:
            continue
        values = {server: median(s.cpu_us for s in samples) for server, samples in outcome.samples.items()}
        title = f"CPU time per {outcome.case.unit}: {outcome.case.title}"
        parts.append(f'<text class="title" x="{LABEL}" y="{y + 14}">{escape(title)}</text>')
        parts += bars(values, y + TITLE - 8, max(values.values()))
        y += TITLE + len(values) * (BAR + GAP) + 12
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" role="img">'
    return "\n".join([head, f"<style>{STYLE}</style>", *parts, "</svg>", ""])
