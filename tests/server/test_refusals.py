import json
from html.parser import HTMLParser

import pytest

from portico.http.message import Response
from portico.server.refusals import page, refusal, refusal_answer

HTML = "text/html,application/xhtml+xml,*/*;q=0.8"


def fields(response: Response) -> dict[str, str]:
    return {name.lower(): value for name, value in response.fields}


def text(response: Response) -> str:
    assert isinstance(response.body, bytes)
    return response.body.decode()


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "text/plain; charset=utf-8"),
        ("*/*", "text/plain; charset=utf-8"),
        (HTML, "text/html; charset=utf-8"),
        ("application/json", "application/json"),
        ("image/png", "text/plain; charset=utf-8"),
        ("application/json;q=0.5, text/html;q=0.4", "application/json"),
    ],
)
def test_the_form_is_what_the_client_accepts(accept: str | None, kind: str) -> None:
    answer = refusal(404, "nothing here", {} if accept is None else {"accept": accept})
    assert answer.status == 404
    assert fields(answer)["content-type"] == kind
    assert "nothing here" in text(answer)


def test_a_line_of_text() -> None:
    assert text(refusal(404, "no such file", {})) == "404 Not Found: no such file\n"


def test_json() -> None:
    answer = refusal(429, 'too "many"', {"accept": "application/json"})
    assert json.loads(text(answer)) == {"status": 429, "title": "Too Many Requests", "detail": 'too "many"'}


@pytest.mark.parametrize(
    ("language", "lang", "title"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh", "找不到页面"),
        ("en-GB", "en", "Not Found"),
        ("fr", "en", "Not Found"),
    ],
)
def test_a_page_in_the_readers_language(language: str, lang: str, title: str) -> None:
    shown = text(refusal(404, "x", {"accept": HTML, "accept-language": language}))
    assert f'<html lang="{lang}">' in shown
    assert f"<b>404</b>{title}</h1>" in shown


def test_a_status_without_a_translation_keeps_its_english_name() -> None:
    assert "I'm a teapot" in page(418, "", "zh") or "<b>418</b>" in page(418, "", "zh")
    assert "<b>411</b>Length Required" in page(411, "", "zh")


def test_a_status_without_a_name() -> None:
    assert text(refusal(499, "odd", {})) == "499 Error: odd\n"


class Tags(HTMLParser):
    """The tags of a page."""

    def __init__(self, shown: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.feed(shown)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the name."""
        self.seen.append(tag)


def test_a_reason_is_text_and_never_markup() -> None:
    shown = page(400, '<script>alert("x")</script>', "en")
    assert "script" not in Tags(shown).seen
    assert "&lt;script&gt;" in shown


def test_a_refusal_is_neither_kept_nor_guessed_at() -> None:
    answer = refusal(405, "only GET", {}, [("Allow", "GET")])
    assert fields(answer) | {"content-type": ""} == {
        "content-type": "",
        "x-content-type-options": "nosniff",
        "cache-control": "no-store",
        "vary": "Accept, Accept-Language",
        "allow": "GET",
    }


def test_an_answer_to_what_never_became_a_request() -> None:
    data = refusal_answer(431, "a request head of over 256 bytes").render(b"Date: x\r\n", 1)
    head, _, body = data.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\nDate: x\r\n")
    assert head.endswith(b"Connection: close")
    assert body == b"431 Request Header Fields Too Large: a request head of over 256 bytes\n"
