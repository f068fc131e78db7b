"""The files that every server serves, made anew for each run."""

import random
from pathlib import Path

KIB = 1024
MIB = 1024 * KIB

# `.bin` is a type that nobody compresses, so every server sends the same bytes.
SIZES = {"1k.bin": KIB, "64k.bin": 64 * KIB, "1m.bin": MIB, "100m.bin": 100 * MIB}
LISTED = "many"
LISTED_ENTRIES = 1_000


def make_site(folder: Path) -> None:
    """Fill an empty folder with the files of `SIZES` and a folder of `LISTED_ENTRIES` small files."""
    noise = random.Random(1).randbytes(MIB)
    for name, size in SIZES.items():
        with open(folder / name, "wb") as file:
            for start in range(0, size, MIB):
                file.write(noise[: min(MIB, size - start)])
    (folder / LISTED).mkdir()
    for number in range(LISTED_ENTRIES):
        (folder / LISTED / f"entry-{number:04}.txt").write_bytes(b"x" * number)
