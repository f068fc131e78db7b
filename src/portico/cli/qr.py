"""A QR code in half blocks: a URL in, lines of text out.

Two modules stand in one character. Light modules are drawn and dark ones left out, which is right on a dark
terminal; most cameras read the inverse too, and where there are colours they are set, so that it does not matter.
"""

_HALVES = {(True, True): "█", (True, False): "▀", (False, True): "▄", (False, False): " "}
_QUIET = 2  # modules around the code; ISO 18004 asks for four, cameras are content with two


def lines_of(text: str, *, colour: bool) -> list[str]:
    """Draw a QR code. colour: set black and white. Each line is as wide as the code has modules, plus four."""
    import segno

    rows = [[not module for module in row] for row in segno.make(text, micro=False).matrix_iter(border=_QUIET)]
    rows.append([True] * len(rows[0]))  # a code has an odd number of modules on each side (ISO 18004)
    lines = [
        "".join(_HALVES[pair] for pair in zip(*two, strict=True)) for two in zip(rows[::2], rows[1::2], strict=True)
    ]
    return [f"\x1b[97;40m{line}\x1b[0m" for line in lines] if colour else lines
