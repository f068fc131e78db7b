"""The answer to a path that leads nowhere."""

import json
import os
import time
from pathlib import Path

import pytest

from portico.apps.files.missing import answer_missing, nearest
from portico.apps.files.mounts import Place
from portico.apps.files.policy import read_policy
from portico.apps.files.root import Root
from portico.http.message import Request
from portico.settings import Files

BROWSER = {"accept": "text/html,*/*;q=0.8"}


def request(path: str, **values: str) -> Request:
    made = Request()
    made.path = path
    made.values = {name.replace("_", "-"): value for name, value in values.items()}
    return made


@pytest.fixture
def root(tmp_path: Path) -> Root:
    for name in ("Docs/guide.html", "Docs/guides.html", "Docs/Guide", "Docs/.guide.html", "about.html", "a b/x"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "Docs" / "guide.htm").symlink_to("/nowhere")
    (tmp_path / "Docs" / "guider").mkdir()
    return Root(tmp_path)


NEAREST = [
    (("Docs", "guide.html5"), ["/Docs/guide.html", "/Docs/guides.html", "/Docs/Guide"]),
    (("docs",), ["/Docs/"]),
    (("dcos", "guide.html"), ["/Docs/"]),
    (("Docs", "guide.htmk"), ["/Docs/guide.html", "/Docs/guides.html", "/Docs/Guide"]),
    (("abuot.html",), ["/about.html"]),
    (("a_b",), ["/a%20b/"]),
    (("about.html", "x"), ["/about.html"]),
    (("Docs", "GUIDER"), ["/Docs/guider/", "/Docs/Guide", "/Docs/guide.html"]),
    (("zzzzzz",), []),
    ((".guide.html",), []),
    ((), []),
]


@pytest.mark.parametrize(("segments", "hints"), NEAREST, ids=lambda value: "/".join(value))
def test_nearest_names(root: Root, segments: tuple[str, ...], hints: list[str]) -> None:
    place = Place(root, tuple(name.encode() for name in segments))
    assert nearest(place, ()) == hints
    assert nearest(place, (b"pre fix",)) == [f"/pre%20fix{hint}" for hint in hints]


def test_names_that_are_no_text(root: Root) -> None:
    with open(os.path.join(root.path, b"caf\xe9.txt"), "wb"):
        pass
    assert nearest(Place(root, (b"caf\xe8.txt",)), ()) == ["/caf%E9.txt"]


def test_a_long_path_into_nowhere_costs_no_more_than_a_short_one(root: Root) -> None:
    began_s = time.process_time()
    assert nearest(Place(root, (b"x",) * 4000), ()) == []
    assert time.process_time() - began_s < 0.5


def test_a_folder_that_cannot_be_listed_gives_no_hints(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    root = Root(folder)
    folder.rmdir()
    assert nearest(Place(root, (b"x",)), ()) == []


def test_the_page(root: Root) -> None:
    policy = read_policy(Files(base="/base", header=("X-A: 1",)))
    place = Place(root, (b"Docs", b"guid.html"))
    answer = answer_missing(request("/base/Docs/guid.html", **BROWSER), place, policy)
    assert answer.status == 404
    assert isinstance(answer.body, bytes)
    assert b'href="/base/Docs/guide.html"' in answer.body
    fields = dict(answer.fields)
    assert fields["Content-Type"] == "text/html; charset=utf-8"
    assert (fields["Cache-Control"], fields["X-A"], fields["Vary"]) == (
        "no-store",
        "1",
        "Accept, Accept-Language, User-Agent",
    )
    assert "sha256-" in fields["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/base/Docs/guid.html", "/%zz", "*", "/../x"])
def test_without_hints_the_page_leads_to_the_start(path: str) -> None:
    answer = answer_missing(request(path, **BROWSER), None, read_policy(Files(base="/base")))
    assert isinstance(answer.body, bytes)
    assert b'href="/base/"' in answer.body
    assert b"guide" not in answer.body


def test_programs_and_terminals_get_what_they_can_read() -> None:
    policy = read_policy(Files(header=("Cache-Control: max-age=1",)))
    for values, kind in (
        ({"accept": "application/json"}, "application/json"),
        ({"accept": "*/*", "user_agent": "curl/8.5.0"}, "text/plain; charset=utf-8"),
    ):
        answer = answer_missing(request("/x", **values), None, policy)
        fields = [(name.lower(), value) for name, value in answer.fields]
        assert ("content-type", kind) in fields
        assert [value for name, value in fields if name == "cache-control"] == ["max-age=1"]
        assert [value for name, value in fields if name == "x-content-type-options"] == ["nosniff"]
        assert isinstance(answer.body, bytes)
        if kind == "application/json":
            assert json.loads(answer.body)["status"] == 404
        else:
            assert answer.body.startswith(b"404 Not Found")
