"""The cookie jar: who gets what, who may set what, and the file."""

import http.cookiejar
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portico.http.dates import format_date
from portico.http.jar import LONGEST_S, MOST_IN_ALL, MOST_PER_DOMAIN, Jar, parse_cookie_date
from portico.http.url import parse_url

NOW = 1_700_000_000
HTTPS = "https://www.example.com/a/b"


def filled(*settings: tuple[str, str]) -> Jar:
    """Make a jar from URLs and what they set; all must be taken."""
    jar = Jar()
    for url, value in settings:
        assert jar.store(parse_url(url), value, NOW)
    return jar


def sent(jar: Jar, url: str, now_s: int = NOW) -> str:
    return jar.field_for(parse_url(url), now_s)


RETURNS = [
    # where it is set, what, where it is asked for, what is sent
    (HTTPS, "n=v", HTTPS, "n=v"),
    (HTTPS, " n = v w ; Path=/", HTTPS, "n=v w"),
    (HTTPS, 'n="v"', HTTPS, 'n="v"'),
    (HTTPS, "n=a=b", HTTPS, "n=a=b"),
    (HTTPS, "n=", HTTPS, "n="),
    (HTTPS, "value alone", HTTPS, "value alone"),
    (HTTPS, "=v", HTTPS, "v"),
    (HTTPS, "n=ç\xe9", HTTPS, "n=ç\xe9"),
    # hosts
    (HTTPS, "n=v", "https://www.example.com:8443/a/b", "n=v"),
    (HTTPS, "n=v", "https://WWW.example.com/a/b", "n=v"),
    (HTTPS, "n=v", "https://example.com/a/b", ""),
    (HTTPS, "n=v", "https://x.www.example.com/a/b", ""),
    (HTTPS, "n=v; Domain=example.com", "https://other.example.com/a/b", "n=v"),
    (HTTPS, "n=v; Domain=example.com", "https://example.com/a/b", "n=v"),
    (HTTPS, "n=v; Domain=.Example.COM", "https://example.com/a/b", "n=v"),
    (HTTPS, "n=v; Domain=example.com", "https://badexample.com/a/b", ""),
    (HTTPS, "n=v; Domain=example.com", "https://com/a/b", ""),
    (HTTPS, "n=v; Domain=www.example.com", "https://x.www.example.com/a/b", "n=v"),
    (HTTPS, "n=v; Domain=", "https://x.www.example.com/a/b", ""),
    (HTTPS, "n=v; Domain", "https://www.example.com/a/b", "n=v"),
    (HTTPS, "n=v; Domain=evil.example; Domain=example.com", "https://example.com/a/b", "n=v"),
    ("http://127.0.0.1/", "n=v; Domain=127.0.0.1", "http://127.0.0.1:8000/", "n=v"),
    ("http://10.0.0.1/", "n=v", "http://10.0.0.2/", ""),
    ("http://[::1]/", "n=v", "http://[::1]:8000/", "n=v"),
    ("http://localhost/", "n=v; Domain=localhost", "http://localhost:8000/", "n=v"),
    ("http://localhost/", "n=v; Domain=localhost", "http://x.localhost/", ""),
    ("http://co.uk/", "n=v; Domain=co.uk", "http://co.uk/", "n=v"),
    ("http://co.uk/", "n=v; Domain=co.uk", "http://x.co.uk/", ""),
    ("unix:/run/x.sock:/", "n=v", "unix:/run/x.sock:/", "n=v"),
    # paths (5.1.4)
    (HTTPS, "n=v", "https://www.example.com/a", "n=v"),
    (HTTPS, "n=v", "https://www.example.com/a/c?q=/", "n=v"),
    (HTTPS, "n=v", "https://www.example.com/ab", ""),
    (HTTPS, "n=v", "https://www.example.com/", ""),
    (HTTPS, "n=v; Path=/a/", "https://www.example.com/a", ""),
    (HTTPS, "n=v; Path=/a/", "https://www.example.com/a/x", "n=v"),
    (HTTPS, "n=v; Path=/other", "https://www.example.com/other", "n=v"),
    (HTTPS, "n=v; Path=relative", "https://www.example.com/a/x", "n=v"),
    (HTTPS, "n=v; Path=/; Path=", "https://www.example.com/", ""),
    (HTTPS, "n=v; Path=/x\ty", "https://www.example.com/a", "n=v"),
    (HTTPS, f"n=v; Path=/; Path=/{'x' * 1024}", "https://www.example.com/", "n=v"),
    ("https://www.example.com", "n=v", "https://www.example.com/anything", "n=v"),
    ("https://www.example.com/?/a/b", "n=v", "https://www.example.com/anything", "n=v"),
    # TLS alone
    (HTTPS, "n=v; Secure", HTTPS, "n=v"),
    (HTTPS, "n=v; secure=anything", "http://www.example.com/a", ""),
    (HTTPS, "n=v", "http://www.example.com/a", "n=v"),
    ("http://localhost/", "n=v; Secure", "http://localhost:8000/", "n=v"),
    ("http://x.localhost/", "n=v; Secure", "http://x.localhost/", "n=v"),
    ("http://127.1.2.3/", "n=v; Secure", "http://127.1.2.3/", "n=v"),
    ("http://[::1]/", "n=v; Secure", "http://[::1]/", "n=v"),
    (HTTPS, "__Secure-n=v; Secure", HTTPS, "__Secure-n=v"),
    (HTTPS, "__Host-n=v; Secure; Path=/", HTTPS, "__Host-n=v"),
    (HTTPS, "n=v; HttpOnly; SameSite=Strict; Partitioned; Unknown=x; ;=", HTTPS, "n=v"),
    # time
    (HTTPS, "n=v; Max-Age=1", HTTPS, "n=v"),
    (HTTPS, "n=v; Max-Age=99999999999999999999", HTTPS, "n=v"),
    (HTTPS, "n=v; Max-Age=x", HTTPS, "n=v"),
    (HTTPS, "n=v; Max-Age=+5", HTTPS, "n=v"),
    (HTTPS, "n=v; Expires=Fri, 31 Dec 2049 23:59:59 GMT", HTTPS, "n=v"),
    (HTTPS, "n=v; Expires=nonsense", HTTPS, "n=v"),
    (HTTPS, "n=v; Max-Age=5; Expires=Thu, 01 Jan 1970 00:00:00 GMT", HTTPS, "n=v"),
    (HTTPS, "n=v; Max-Age=0", HTTPS, ""),
    (HTTPS, "n=v; Max-Age=-99999999999999999999", HTTPS, ""),
    (HTTPS, "n=v; Expires=Thu, 01-Jan-70 00:00:00 GMT", HTTPS, ""),
    (HTTPS, "n=v; Max-Age=0; Expires=Fri, 31 Dec 2049 23:59:59 GMT", HTTPS, ""),
]


@pytest.mark.parametrize(("where", "value", "asked", "expected"), RETURNS)
def test_what_is_sent_back(where: str, value: str, asked: str, expected: str) -> None:
    assert sent(filled((where, value)), asked) == expected


DROPPED = [
    (HTTPS, ""),
    (HTTPS, "="),
    (HTTPS, "; Path=/"),
    (HTTPS, "n=" + "v" * 4096),
    (HTTPS, "n=v\r\nEvil: 1"),
    (HTTPS, "n=v\x00"),
    (HTTPS, "n=v; Path=/\x7f"),
    (HTTPS, "n=a\tb"),
    (HTTPS, "a\tn=b"),
    # for others
    (HTTPS, "n=v; Domain=x.www.example.com"),
    (HTTPS, "n=v; Domain=other.example.com"),
    (HTTPS, "n=v; Domain=evil.example"),
    (HTTPS, "n=v; Domain=ample.com"),
    (HTTPS, "n=v; Domain=..example.com"),
    (HTTPS, "n=v; Domain=例子.中国"),
    (HTTPS, "n=v; Domain=example.com; Domain=evil.example"),
    # for too many
    (HTTPS, "n=v; Domain=com"),
    ("https://x.localhost/", "n=v; Domain=localhost"),
    ("https://www.example.co.uk/", "n=v; Domain=co.uk"),
    ("https://www.example.com.cn/", "n=v; Domain=.com.cn"),
    ("http://10.0.0.1/", "n=v; Domain=0.0.1"),
    ("http://10.0.0.1/", "n=v; Domain=1"),
    # TLS alone
    ("http://www.example.com/", "n=v; Secure"),
    ("http://127.example/", "n=v; Secure"),
    (HTTPS, "__Secure-n=v"),
    ("http://www.example.com/", "__Secure-n=v; Secure"),
    (HTTPS, "__Host-n=v; Path=/"),
    (HTTPS, "__Host-n=v; Secure"),
    (HTTPS, "__HOST-n=v; Secure; Path=/a"),
    (HTTPS, "__Host-n=v; Secure; Path=/; Domain=example.com"),
    (HTTPS, "__Host-n=v; Secure; Path=/; Domain=www.example.com"),
    (HTTPS, "=__Host-n=v; Secure; Path=/"),
    (HTTPS, "__secure-n; Secure; Path=/"),
]


@pytest.mark.parametrize(("where", "value"), DROPPED)
def test_what_is_dropped(where: str, value: str) -> None:
    jar = Jar()
    assert not jar.store(parse_url(where), value, NOW)
    assert len(jar) == 0


def test_longer_paths_first_then_older_ones() -> None:
    jar = filled(
        (HTTPS, "short=1; Path=/"),
        (HTTPS, "long=1; Path=/a/b"),
        (HTTPS, "middle=1"),
        (HTTPS, "late=1; Path=/"),
        (HTTPS, "short=2; Path=/"),
    )
    assert sent(jar, HTTPS) == "long=1; middle=1; short=2; late=1"


def test_cookies_of_one_name_for_different_domains_and_paths_stand_beside_each_other() -> None:
    jar = filled((HTTPS, "n=host; Path=/"), (HTTPS, "n=all; Path=/; Domain=www.example.com"), (HTTPS, "n=path"))
    assert sent(jar, HTTPS) == "n=path; n=host; n=all"
    assert len(jar) == 3


def test_a_past_date_removes_a_cookie() -> None:
    jar = filled((HTTPS, "n=v"), (HTTPS, "m=v"))
    assert jar.store(parse_url(HTTPS), "n=; Max-Age=0", NOW)
    assert sent(jar, HTTPS) == "m=v"
    assert jar.store(parse_url(HTTPS), "m=; Max-Age=0", NOW)
    assert (len(jar), list(jar)) == (0, [])


def test_a_cookie_expires() -> None:
    jar = filled((HTTPS, "n=v; Max-Age=10"))
    assert sent(jar, HTTPS, NOW + 9) == "n=v"
    assert sent(jar, HTTPS, NOW + 10) == ""


def test_a_clock_with_fractions() -> None:
    jar = Jar()
    assert jar.store(parse_url(HTTPS), "n=v; Max-Age=10", NOW + 0.75)
    assert jar.field_for(parse_url(HTTPS), NOW + 9.5) == "n=v"
    assert f"\t{NOW + 10}\t" in jar.dumps(NOW + 9.5)


@pytest.mark.parametrize("lasting", ["Max-Age=999999999", "Max-Age=9999999999999999999", "Expires=1 jan 2090 1:1:1"])
def test_no_cookie_lasts_for_ever(lasting: str) -> None:
    assert [cookie.expires_s for cookie in filled((HTTPS, f"n=v; {lasting}"))] == [NOW + LONGEST_S]


OVERLAYS = [
    # who sets n=evil over http, and whether that is allowed beside n=good; Secure; Path=/a; Domain=example.com
    ("http://www.example.com/a/b", "n=evil; Path=/a", False),
    ("http://www.example.com/a/b", "n=evil; Path=/a/b", False),
    ("http://example.com/a", "n=evil; Path=/a; Domain=example.com", False),
    ("http://x.www.example.com/a", "n=evil; Path=/a", False),
    ("http://www.example.com/a/b", "n=evil; Path=/", True),
    ("http://www.example.com/a/b", "n=evil; Path=/ab", True),
    ("http://www.example.com/a/b", "other=evil; Path=/a", True),
    ("http://www.example.net/a/b", "n=evil; Path=/a", True),
    ("https://www.example.com/a/b", "n=evil; Path=/a", True),
]


@pytest.mark.parametrize(("url", "value", "is_taken"), OVERLAYS)
def test_what_came_over_tls_is_left_alone(url: str, value: str, is_taken: bool) -> None:
    jar = filled(("https://example.com/a", "n=good; Secure; Domain=example.com; Path=/a"))
    assert jar.store(parse_url(url), value, NOW) is is_taken


def test_a_flood_from_one_domain_drops_its_own() -> None:
    jar = filled(("https://other.example/", "kept=1"), (HTTPS, "used=1; Path=/"))
    for number in range(MOST_PER_DOMAIN + 10):
        assert jar.store(parse_url(HTTPS), f"n{number}=v", NOW)
        assert sent(jar, "https://www.example.com/") == "used=1"
    assert len(jar) == MOST_PER_DOMAIN + 1
    assert sent(jar, HTTPS).startswith("n11=v; n12=v; ")
    assert sent(jar, "https://other.example/") == "kept=1"


def test_who_is_dropped_first() -> None:
    jar = filled((HTTPS, "old=v"), (HTTPS, "secure=v; Secure"), (HTTPS, "brief=v; Max-Age=5"))
    for number in range(MOST_PER_DOMAIN - 3):
        assert jar.store(parse_url(HTTPS), f"n{number}=v", NOW)
    assert jar.store(parse_url(HTTPS), "one=v", NOW + 5)
    assert [cookie.name for cookie in jar][:2] == ["old", "secure"]
    assert jar.store(parse_url(HTTPS), "two=v", NOW + 5)
    assert [cookie.name for cookie in jar][:2] == ["secure", "n0"]
    assert len(jar) == MOST_PER_DOMAIN


def test_a_flood_from_many_domains_is_bounded() -> None:
    jar = Jar()
    for number in range(MOST_IN_ALL + 20):
        assert jar.store(parse_url(f"https://h{number // 40}.example/"), f"n{number}=v", NOW)
    assert len(jar) == MOST_IN_ALL
    assert len(list(jar)) == MOST_IN_ALL


FILE = """\
# Netscape HTTP Cookie File
# https://curl.se/docs/http-cookies.html

.example.com\tTRUE\t/\tFALSE\t0\tall\t1
www.example.com\tFALSE\t/a\tTRUE\t4000000000\thost\ttwo words
#HttpOnly_www.example.com\tFALSE\t/\tFALSE\t4000000000\thidden\t3
"""


def test_the_file_that_curl_writes() -> None:
    jar = Jar.loads(FILE)
    assert jar.skipped == 0
    assert sent(jar, HTTPS) == "host=two words; all=1; hidden=3"
    assert sent(jar, "http://example.com/") == "all=1"
    assert [cookie.http_only for cookie in jar] == [False, False, True]
    assert jar.dumps().splitlines()[3:] == FILE.splitlines()[3:]


def test_line_ends_of_windows_and_lost_empty_values() -> None:
    jar = Jar.loads("h\tFALSE\t/\tFALSE\t0\tn\t\r\n  \r\nh\tFALSE\t/\tFALSE\t0\tm\r\n")
    assert (sent(jar, "http://h/"), jar.skipped) == ("n=; m=", 0)


BAD_LINES = [
    "nonsense",
    "h\tFALSE\t/\tFALSE\t0",
    "h\tFALSE\t/\tFALSE\t0\tn\tv\tmore",
    "h\tMAYBE\t/\tFALSE\t0\tn\tv",
    "h\tFALSE\t/\t1\t0\tn\tv",
    "h\tFALSE\tpath\tFALSE\t0\tn\tv",
    "h\tFALSE\t/\tFALSE\tsoon\tn\tv",
    "h\tFALSE\t/\tFALSE\t0.5\tn\tv",
    "h\tFALSE\t/\tFALSE\t9999999999999999\tn\tv",
    "h\tFALSE\t/\tFALSE\t0\t\t",
    "h\tFALSE\t/\tFALSE\t0\tn\t" + "v" * 4096,
    "h\tFALSE\t/" + "p" * 1024 + "\tFALSE\t0\tn\tv",
    "h\tFALSE\t/\tFALSE\t0\tn\tv\x00",
    "h\tFALSE\t/\tFALSE\t0\tn\ta\rEvil: 1",
    "h\tFALSE\t/\tFALSE\t0\tn\tv; other=1",
    "h\tFALSE\t/\tFALSE\t0\tn=m\tv",
    "\tFALSE\t/\tFALSE\t0\tn\tv",
    "$(rm -rf)\tFALSE\t/\tFALSE\t0\tn\tv",
    "#HttpOnly_",
]


@pytest.mark.parametrize("line", BAD_LINES)
def test_lines_that_make_no_sense_are_counted(line: str) -> None:
    jar = Jar.loads(f"{FILE}{line}\nh\tFALSE\t/\tFALSE\t0\tlast\t1\n")
    assert (len(jar), jar.skipped) == (4, 1)


def test_what_has_expired_is_not_written() -> None:
    jar = Jar.loads("h\tFALSE\t/\tFALSE\t5\told\t1\nh\tFALSE\t/\tFALSE\t-5\tolder\t1\n")
    assert sent(jar, "http://h/") == ""
    assert jar.dumps(4).count("\told\t") == 1
    assert "old" not in jar.dumps(5)


def test_the_standard_library_reads_what_is_written(tmp_path_factory: pytest.TempPathFactory) -> None:
    jar = filled((HTTPS, "n=v; Max-Age=100; Domain=example.com"), (HTTPS, "m=w; Secure; HttpOnly; Max-Age=100"))
    path = tmp_path_factory.mktemp("jar") / "cookies.txt"
    path.write_text(jar.dumps(), encoding="latin-1")
    theirs = http.cookiejar.MozillaCookieJar(path)
    theirs.load(ignore_expires=True)
    assert {(c.name, c.value, c.domain, c.path, c.secure, c.expires) for c in theirs} == {
        ("n", "v", ".example.com", "/a", False, NOW + 100),
        ("m", "w", "www.example.com", "/a", True, NOW + 100),
    }
    theirs.save(ignore_expires=True)
    ours = Jar.loads(path.read_text(encoding="latin-1"))
    assert set(ours) == set(jar)


DATES = [
    ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777),
    ("Sunday, 06-Nov-94 08:49:37 GMT", 784_111_777),
    ("Sun Nov  6 08:49:37 1994", 784_111_777),
    ("6 November 1994 8:49:37", 784_111_777),
    ("1994/NOV/06T", None),
    ("08:49:37;06,nov,94", 784_111_777),
    ("08:49:37 06th november 1994AD GMT+0900", 784_111_777),
    ("01 Jan 70 00:00:00", 0),
    ("01 Jan 69 00:00:00", 3_124_224_000),
    ("01 Jan 00 00:00:00", 946_684_800),
    ("01 Jan 1600 00:00:00", None),
    ("01 Jan 1601 00:00:00", -11_644_473_600),
    ("32 Jan 2000 00:00:00", None),
    ("00 Jan 2000 00:00:00", None),
    ("30 Feb 2000 00:00:00", None),
    ("29 Feb 2000 00:00:00", 951_782_400),
    ("01 Jan 2000 24:00:00", None),
    ("01 Jan 2000 00:60:00", None),
    ("01 Jan 2000 00:00:60", None),
    ("01 Jan 2000", None),
    ("Jan 2000 00:00:00", None),
    ("01 2000 00:00:00", None),
    ("", None),
    ("nonsense", None),
]


@pytest.mark.parametrize(("text", "expected"), DATES)
def test_dates(text: str, expected: int | None) -> None:
    assert parse_cookie_date(text) == expected


@given(st.integers(-11_644_473_600, 250_000_000_000))
def test_dates_that_are_well_formed(epoch_s: int) -> None:
    assert parse_cookie_date(format_date(epoch_s)) == epoch_s


latin = st.text(st.characters(max_codepoint=255), max_size=40)
pieces = st.lists(
    st.sampled_from(["n=v", "Domain=", "example.com", "Path=/", "Secure", "; ", ";", "=", "__Host-", "Max-Age=5", "\t"])
    | latin,
    max_size=8,
).map("".join)


@given(st.lists(st.tuples(st.sampled_from([HTTPS, "http://localhost/x", "http://10.0.0.1/"]), pieces), max_size=6))
def test_whatever_is_set_can_be_sent_and_survives_the_file(settings: list[tuple[str, str]]) -> None:
    jar = Jar()
    for url, value in settings:
        jar.store(parse_url(url), value, NOW)
    assert not any(ord(letter) < 32 or letter == "\x7f" for letter in sent(jar, HTTPS))
    again = Jar.loads(jar.dumps())
    assert (set(again), again.skipped) == (set(jar), 0)
    assert sent(jar, "https://victim.example/") == ""


@given(latin | st.lists(st.sampled_from(["h", "\t", "TRUE", "/", "0", "#HttpOnly_", "."])).map("".join))
def test_any_file_can_be_read(text: str) -> None:
    jar = Jar.loads(text)
    assert len(jar) + jar.skipped <= len(io.StringIO(text).readlines()) + text.count("\n") + 1
