"""What a process used, as the benchmark reads it."""

import os
import subprocess
import sys
import time

import pytest
from bench.process import cpu_clock_s, high_water
from bench.questions import over_tcp

GONE = 1 << 22  # above the largest process id


def test_the_cpu_clock_of_a_process_is_its_own() -> None:
    before = time.process_time()
    used = cpu_clock_s(os.getpid())
    after = time.process_time()
    ended = sum(os.times()[2:4])
    assert before - 0.02 <= used - ended <= after + 0.02


def test_children_that_have_ended_count() -> None:
    before = cpu_clock_s(os.getpid())
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.2: pass"], check=True)
    assert cpu_clock_s(os.getpid()) - before >= 0.18


def test_the_peak_stays_when_the_memory_is_given_back() -> None:
    block = b"x" * (50 << 20)
    size = len(block)
    del block
    assert high_water(os.getpid()) >= size


def test_a_process_that_is_gone_used_nothing() -> None:
    assert cpu_clock_s(GONE) == 0.0
    assert high_water(GONE) == 0


def test_where_nobody_listens_there_is_no_answer() -> None:
    with pytest.raises(OSError, match="refused"):
        over_tcp(1, b"?")
