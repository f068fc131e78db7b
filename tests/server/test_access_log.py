"""The access log: the forms, the escaping, the folding, and what a failing write costs."""

import json
import re
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.server.access_log import (
    AccessLog,
    Apache,
    Json,
    Pretty,
    Record,
    duration_text,
    escape,
    is_loopback,
    readable,
    size_text,
    width,
)

# 10 October 2000, 13:55:36 at -0700: the example of Apache's mod_log_config.
APACHE_TIME_S = 971211336.0


def zone(hours: float) -> timezone:
    return timezone(timedelta(hours=hours))


def local(hours: float) -> object:
    """A localtime in a fixed zone."""

    def localtime(time_s: float) -> time.struct_time:
        at = datetime.fromtimestamp(time_s, zone(hours))
        return time.struct_time((*at.timetuple()[:9], "", int(hours * 3600)))

    return localtime


def record(**changes: object) -> Record:
    usual: dict[str, object] = {
        "time_s": APACHE_TIME_S,
        "peer": "127.0.0.1",
        "method": "GET",
        "target": "/apache_pb.gif",
        "version": 10,
        "status": 200,
        "body_bytes": 2326,
        "duration_s": 0.0004,
        "coding": "",
        "referer": "http://www.example.com/start.html",
        "user_agent": "Mozilla/4.08 [en] (Win98; I ;Nav)",
        "note": "",
    }
    return Record(**(usual | changes))  # type: ignore[arg-type]


COMMON = '127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326'
COMBINED = COMMON + ' "http://www.example.com/start.html" "Mozilla/4.08 [en] (Win98; I ;Nav)"'


def apache(is_combined: bool = False, hours: float = -7) -> Apache:
    return Apache(is_combined, local(hours))  # type: ignore[arg-type]


def pretty(**options: object) -> Pretty:
    return Pretty(localtime=local(0), **options)  # type: ignore[arg-type]


def test_common_is_apaches_own_example() -> None:
    assert apache()([record()]).decode() == COMMON + "\n"


def test_combined_is_apaches_own_example() -> None:
    assert apache(True)([record()]).decode() == COMBINED + "\n"


@pytest.mark.parametrize(
    ("changes", "piece"),
    [
        ({"body_bytes": 0}, '" 200 -'),
        ({"version": 11}, 'HTTP/1.1"'),
        ({"version": 20}, 'HTTP/?"'),
        ({"method": "", "target": ""}, '] "-" 200'),
        ({"method": "-", "target": "-"}, '] "-" 200'),
        ({"peer": ""}, "- - - ["),
        ({"peer": "a b"}, "a\\x20b - - ["),
        ({"peer": "fe80::1%eth0"}, "fe80::1%eth0 - - ["),
        ({"target": '/"\\'}, '"GET /\\"\\\\ HTTP/1.0"'),
        ({"target": "/\r\n\t\x1b[2J"}, "/\\r\\n\\t\\x1b[2J"),
        ({"target": "/\x7f\x85\xe9"}, "/\\x7f\\x85\\xe9"),
        ({"target": "/你\u202e"}, "/\\xe4\\xbd\\xa0\\xe2\\x80\\xae"),
        ({"target": "/\udcff"}, "/\\xed\\xb3\\xbf"),
        ({"referer": ""}, '2326 "-" "Mozilla'),
        ({"user_agent": ""}, 'html" "-"'),
        ({"user_agent": "x" * 300 + '"'}, "x" * 300 + '\\""'),
    ],
)
def test_what_apache_escapes(changes: dict[str, object], piece: str) -> None:
    assert piece in apache(True)([record(**changes)]).decode("ascii")


@pytest.mark.parametrize(("hours", "offset"), [(0, "+0000"), (8, "+0800"), (5.75, "+0545"), (-3.5, "-0330")])
def test_the_offset_of_the_zone(hours: float, offset: str) -> None:
    assert f" {offset}] " in apache(hours=hours)([record()]).decode()


def test_a_new_second_has_a_new_stamp() -> None:
    lines = (
        apache()([record(), record(time_s=APACHE_TIME_S + 0.9), record(time_s=APACHE_TIME_S + 1)]).decode().split("\n")
    )
    assert [re.findall(r":(\d\d) -0700", line)[0] for line in lines[:3]] == ["36", "36", "37"]


def test_the_local_zone_is_the_one_of_the_machine() -> None:
    expected = datetime.fromtimestamp(APACHE_TIME_S, UTC).astimezone().strftime("%d/Oct/%Y:%H:%M:%S %z")
    assert f"[{expected}]" in Apache(False)([record()]).decode()


def test_json_has_every_field() -> None:
    line = Json()([record(coding="br", note="cut", time_s=APACHE_TIME_S + 0.25)]).decode()
    assert json.loads(line) == {
        "time": "2000-10-10T20:55:36.250Z",
        "status": 200,
        "version": 1.0,
        "bytes": 2326,
        "duration": 0.0004,
        "peer": "127.0.0.1",
        "method": "GET",
        "target": "/apache_pb.gif",
        "coding": "br",
        "referer": "http://www.example.com/start.html",
        "user_agent": "Mozilla/4.08 [en] (Win98; I ;Nav)",
        "note": "cut",
    }


texts = st.one_of(
    st.text(max_size=40),
    st.text("\0\t\n\v\f\r\x1b\x7f\x85\x9b \"'\\%\u2028\u2029\u202a\u202e\u2066\u2069\ufeff\udc80", max_size=12),
    st.binary(max_size=12).map(lambda data: "/" + "".join(f"%{octet:02X}" for octet in data)),
)
records = st.builds(
    Record,
    time_s=st.floats(0, 4e9),
    peer=texts,
    method=texts,
    target=texts,
    version=st.sampled_from((10, 11)),
    status=st.integers(100, 599),
    body_bytes=st.integers(0, 2**63),
    duration_s=st.floats(0, 1e6),
    coding=texts,
    referer=texts,
    user_agent=texts,
    note=texts,
)
# What could begin a line, move the cursor or turn the reading order round.
HARMFUL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
APACHE_LINE = re.compile(r'[!-~]+ - - \[[^]]+\] "(?:[^"\\]|\\.)*" \d{3} (?:\d+|-)(?: "(?:[^"\\]|\\.)*"){2}')


@given(st.lists(records, min_size=1, max_size=4))
def test_any_record_is_one_line_of_apaches_form(batch: list[Record]) -> None:
    lines = apache(True)(batch).decode("ascii").split("\n")
    assert lines.pop() == ""
    assert len(lines) == len(batch)
    assert all(APACHE_LINE.fullmatch(line) for line in lines)


@given(st.lists(records, min_size=1, max_size=4))
def test_any_record_is_one_json_object_that_says_the_same(batch: list[Record]) -> None:
    lines = Json()(batch).decode("ascii").split("\n")
    assert lines.pop() == ""
    for line, one in zip(lines, batch, strict=True):
        found = json.loads(line)
        assert (found["target"], found["user_agent"], found["note"]) == (one.target, one.user_agent, one.note)
        assert not HARMFUL.search(line)


@given(records)
def test_any_record_is_one_harmless_pretty_line(one: Record) -> None:
    text = pretty()([one]).decode("utf-8")
    assert text.endswith("\n")
    assert text.count("\n") == 1
    assert not HARMFUL.search(text)


@given(st.text())
def test_escaped_text_is_printable_ascii_without_a_bare_quote(text: str) -> None:
    escaped = escape(text)
    assert escaped.isascii()
    assert escaped.isprintable() or not escaped
    assert '"' not in re.sub(r"\\.", "", escaped)


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("/", "/"),
        ("/a%20b", "/a%20b"),
        ("/a%0Ab", "/a%0Ab"),
        ("/%E4%BD%A0%e5%a5%bd.txt", "/你好.txt"),
        ("/%E4%BD", "/%E4%BD"),
        ("/%E2%80%AEtxt", "/%E2%80%AEtxt"),
        ("/%", "/%"),
        ("/a b", "/a\\x20b"),
        ('/"\\', "/\\x22\\\\"),
        ("/\x9b2J", "/\\x9b2J"),
        ("/\u202e", "/\\u202e"),
        ("/\U000e0001", "/\\U000e0001"),
        ("/é", "/é"),
    ],
)
def test_a_target_for_people(target: str, shown: str) -> None:
    assert readable(target) == shown


@pytest.mark.parametrize(("text", "columns"), [("", 0), ("abc", 3), ("你好", 4), ("é", 1), ("e\u0301", 1)])
def test_columns(text: str, columns: int) -> None:
    assert width(text) == columns


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 KB"),
        (1023, "1.0 KB"),
        (3174, "3.1 KB"),
        (10 * 1024, "10 KB"),
        (1023 * 1024, "1.0 MB"),
        (18 * 1024**2, "18 MB"),
        (3 * 1024**3, "3.0 GB"),
        (5000 * 1024**4, "5000 TB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0.0 ms"), (0.0004, "0.4 ms"), (0.0123, "12 ms"), (0.9996, "1.0 s"), (1.24, "1.2 s"), (75.2, "75 s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("peer", "is_here"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("unix", True),
        ("192.0.2.1", False),
        ("2001:db8::1", False),
        ("1127.0.0.1", False),
    ],
)
def test_this_machine(peer: str, is_here: bool) -> None:
    assert is_loopback(peer) is is_here


def test_a_pretty_line() -> None:
    line = pretty()([record(target="/talks/", coding="br", peer="192.0.2.7", note="the file shrank")]).decode()
    assert (
        line
        == "20:55:36  200  GET  /talks/                           2.3 KB br    0.4 ms  192.0.2.7  the file shrank\n"
    )


def test_a_pretty_line_without_body_method_and_target() -> None:
    line = pretty(dated=True)([record(body_bytes=0, method="", target="", status=400)]).decode()
    assert line == "2000-10-10 20:55:36  400  -    -                                      –       0.4 ms\n"


@pytest.mark.parametrize(("status", "code"), [(200, 32), (304, 36), (404, 33), (503, 31), (101, 0)])
def test_colours(status: int, code: int) -> None:
    line = pretty(colour=True)([record(status=status)]).decode()
    assert line.startswith(f"\x1b[2m20:55:36\x1b[0m\x1b[{code}m  {status}  \x1b[0mGET  /")


def test_equal_lines_of_a_batch_fold() -> None:
    batch = [record(), record(duration_s=0.5), record(status=404), record(time_s=APACHE_TIME_S + 1)]
    lines = pretty()(batch).decode().splitlines()
    assert [line.split("  ")[1] + line[-5:] for line in lines] == ["200s  x2", "404.4 ms", "200.4 ms"]
    assert "500 ms  x2" in lines[0]


def test_a_pipe_is_never_rewritten() -> None:
    log = pretty()
    assert [log([record()]), log([record()])] == [pretty()([record()])] * 2


def test_a_terminal_rewrites_its_last_line() -> None:
    log = pretty(columns=lambda: 120)
    log([record(status=404), record()])
    assert log([record(), record()]).startswith(b"\x1b[A\x1b[2K20:55:36  200")
    assert log([record()]).endswith(b"  x4\n")
    assert b"\x1b[A" not in log([record(status=404)])


def test_a_line_that_is_no_longer_the_last_stays() -> None:
    log = pretty(columns=lambda: 120)
    log([record()])
    log.interrupt()
    assert log([record()]) == pretty()([record()])


def test_a_line_of_several_rows_stays() -> None:
    log = pretty(columns=lambda: 60)
    log([record()])
    assert log([record()]) == pretty()([record()])


def test_a_flush_is_one_write() -> None:
    written: list[bytes] = []
    log = AccessLog(written.append, apache())
    append = log.records.append
    append(record())
    append(record())
    log.flush()
    log.flush()
    append(record())
    log.flush()
    assert [data.count(b"\n") for data in written] == [2, 1]


def test_a_write_that_fails_costs_the_batch_alone() -> None:
    answers = iter((OSError(28, "No space left on device"), None))

    def write(data: bytes) -> None:
        if isinstance(answer := next(answers), OSError):
            raise answer

    log = AccessLog(write, apache())
    log.records += [record(), record()]
    log.flush()
    log.records.append(record())
    log.flush()
    assert (log.lost, log.records) == (2, [])
