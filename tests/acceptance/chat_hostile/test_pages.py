"""Markup in everything that people can write, on every page in Chromium: it is shown as text, and nothing runs.

A page that runs anything of it opens a dialog, breaks its Content-Security-Policy, or asks another site; each of these
fails the test.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect
from tests.acceptance.chat_hostile.hostile_stage import Chat
from tests.browser import conftest as browsers

browser = browsers.browser

EVIL = (
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "<script>alert(1)</script>",
    "'-alert(1)-'",
    "</textarea><script>alert(1)</script>",
    "{{constructor.constructor('alert(1)')()}}",
    "javascript:alert(1)",
    "[click](javascript:alert(1))",
    "https://evil.example/<img src=//evil.example/x onerror=alert(1)>",
    'https://evil.example/"onmouseover="alert(1)',
    "`<img src=x onerror=alert(1)>` **<b onclick=alert(1)>x</b>**",
    "<a href=javascript:alert(1)>x</a><iframe srcdoc='<script>alert(1)</script>'>",
    "<math><mtext><style><img src=x onerror=alert(1)></style>",
    "\u202e<img src=x onerror=alert(1)>\u2028x",
)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><script>alert(1)</script></svg>'
# What must not stand in any document or shadow tree: handlers, scripts without an address, addresses that run.
SEEN = """() => {
  const found = [];
  const look = (root) => {
    for (const one of root.querySelectorAll("*")) {
      for (const { name, value } of one.attributes) {
        const runs = /^\\s*(javascript|data|vbscript):(?!image)/i.test(value);
        if (name.startsWith("on") || runs) found.push(one.outerHTML);
      }
      if (one.matches("script:not([src]), iframe, object, embed, math, base") ) found.push(one.outerHTML);
      if (one.src && new URL(one.src).host.includes("evil")) found.push(one.outerHTML);
      if (one.shadowRoot) look(one.shadowRoot);
    }
  };
  look(document);
  return found;
}"""


class Scene(NamedTuple):
    """A chat full of markup. Tokens with whom they are of."""

    chat: Chat
    reader: dict[str, Any]
    agent: dict[str, Any]
    admin: dict[str, Any]


@pytest.fixture(scope="module")
def scene(shared_chat: Chat) -> Scene:
    """Fill a chat with markup, wherever it can be written."""
    chat = shared_chat
    reader, reader_token = chat.person("user", EVIL[0], login="reader")
    agent, agent_token = chat.person("agent", EVIL[1], login="agent")
    admin, admin_token = chat.person("admin", EVIL[2], login="boss")
    _, mallory_token = chat.person("user", EVIL[0])
    with chat.socket(mallory_token) as mallory, chat.http(mallory_token) as http:
        room = mallory.ask("room.make", title=EVIL[0], public=True)["c"]
        for one in (reader, agent, admin):
            mallory.ask("room.invite", c=room, person=one)
        for name, content in (
            (f"{EVIL[0]}.png", SVG),
            (f"{EVIL[2]}.html", b"<script>alert(1)</script>"),
            ("x.svg", SVG),
        ):
            file = http.post("/api/files", params={"name": name}, content=content).json()["id"]
            assert mallory.say(room, EVIL[0], b={"text": EVIL[0], "files": [file]})["t"] == "ack"
        for text in EVIL:
            seq = mallory.say(room, "x")["s"]
            assert mallory.say(room, text, k="edit", ref=seq)["t"] == "ack"
        mallory.say(room, "", k="react", b={"mark": "<b onclick=x>"}, ref=seq)
        mallory.ask("room.title", c=room, title=EVIL[1])
    with chat.socket(admin_token) as root:
        root.ask("admin.settings.set", values={"title": EVIL[0]})
        greeting = {"greeting": EVIL[0], "offline": EVIL[2], "queue": 1}
        assert root.ask("desk.queues.set", name=EVIL[1], **greeting)["t"] == "ok"
        for number, text in enumerate(EVIL[:4]):
            answer = root.ask("desk.canned.set", short=f"<b>{number}", title=text, text=text)
            assert answer["t"] == "ok", answer
        assert root.ask("admin.blocks.add", kind="address", value="203.0.113.1", why=EVIL[0])["t"] == "ok"
    write_as_a_visitor(chat)
    return Scene(
        chat,
        {"token": reader_token, "me": reader},
        {"token": agent_token, "me": agent},
        {"token": admin_token, "me": admin},
    )


def write_as_a_visitor(chat: Chat) -> None:
    for number, text in enumerate(EVIL[:4]):
        _, token = chat.person("visitor", "x")
        with chat.socket(token) as visitor:
            page = ("javascript:alert(1)", f"https://evil.example/{text}", f"http://x/{EVIL[9]}", "data:text/html,x")[
                number
            ]
            form = {"text": text, "name": text[:40], "contact": text, "page": page}
            case = visitor.ask("desk.form", **form)["c"]
            visitor.say(case, text)
            if number == 3:
                visitor.ask("desk.close", c=case)
                visitor.ask("desk.rate", c=case, score=1, text=EVIL[0])


class Watched:
    """A page of which everything that runs is noticed."""

    def __init__(self, page: Page, own: str) -> None:
        self.page = page
        self.noticed: list[str] = []
        page.on("dialog", self._meet)
        page.on("pageerror", lambda error: self.noticed.append(str(error)))
        page.on("console", lambda line: self.noticed.append(line.text) if line.type in ("error", "warning") else None)
        page.on(
            "request", lambda r: self.noticed.append(r.url) if not r.url.startswith((own, "data:", "blob:")) else None
        )
        page.add_init_script(
            "addEventListener('securitypolicyviolation', e => console.error('CSP', e.violatedDirective, e.blockedURI))"
        )

    def _meet(self, dialog: Dialog) -> None:
        self.noticed.append(dialog.message)
        dialog.dismiss()

    def check(self) -> None:
        """Fail where anything ran."""
        assert self.page.evaluate(SEEN) == []
        assert self.noticed == []


@pytest.fixture
def watch(browser: Browser, scene: Scene) -> Iterator[Any]:
    """Return what opens an address as somebody."""
    contexts = []

    def open_page(path: str, device: dict[str, Any] | None = None) -> Watched:
        context = browser.new_context(viewport={"width": 1280, "height": 820}, locale="en-GB")
        contexts.append(context)
        if device is not None:
            kept = json.dumps(json.dumps(device))
            context.add_init_script(f"localStorage.setItem('portico.chat.device', {kept})")
        page = context.new_page()
        page.set_default_timeout(8_000)
        watched = Watched(page, scene.chat.url)
        page.goto(scene.chat.url + path)
        return watched

    yield open_page
    for context in contexts:
        context.close()


def shot(page: Page, name: str, folder: Path) -> None:
    page.screenshot(path=folder / f"{name}.png")


def test_the_messenger_shows_markup_as_text(scene: Scene, watch: Any, tmp_path: Path) -> None:
    watched = watch("/", scene.reader)
    page = watched.page
    page.locator(".list .item").first.click()
    expect(page.locator(".msg .bubble", has_text=EVIL[11]).first).to_be_visible()
    shown = page.locator(".log").inner_text()
    assert all(text in shown for text in EVIL[:9])
    page.locator(".log").hover()
    for link in page.locator(".log a").all():
        address = link.get_attribute("href") or ""
        assert address.startswith(("https://evil.example/", "/files/", "blob:", "#")), address
        if address.startswith("https:"):
            assert "noopener" in (link.get_attribute("rel") or "") or "noreferrer" in (link.get_attribute("rel") or "")
    page.get_by_role("button", name="Members", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text(EVIL[1])
    watched.check()
    shot(page, "messenger", tmp_path)


def test_a_file_runs_nothing_when_it_is_opened(scene: Scene, watch: Any) -> None:
    with scene.chat.http(scene.reader["token"]) as http:
        files = [number for (number,) in scene.chat.rows("SELECT id FROM file ORDER BY id")]
        links = http.post("/api/downloads", json={"files": files}).json()["links"]
        for link in links.values():
            answer = http.get(link)
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-security-policy"] == "default-src 'none'; sandbox"
            assert answer.headers["content-disposition"].startswith("attachment;")
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_the_desk_shows_markup_as_text(scene: Scene, watch: Any, tmp_path: Path) -> None:
    watched = watch("/desk", scene.agent)
    page = watched.page
    page.locator(".offer .main").first.click()
    expect(page.locator(".log .bubble").first).to_be_visible()
    page.locator(".composer textarea:visible").press_sequentially("/")
    expect(page.get_by_text(EVIL[2]).first).to_be_visible()
    watched.check()
    for at in (1, 2, 3):  # who waits, all, who has gone
        page.locator(".tabs button").nth(at).click()
        page.locator(".list .item").first.click()
        expect(page.locator(".visitor")).to_contain_text("How urgent" if at < 3 else "★")
        for link in page.locator(".visitor a").all():
            assert (link.get_attribute("href") or "").startswith(("http://", "https://", "#"))
        watched.check()
    shot(page, "desk", tmp_path)
    watched.check()


@pytest.mark.parametrize("place", ["people", "queues", "canned", "blocks", "settings", "audit"])
def test_the_administration_shows_markup_as_text(scene: Scene, watch: Any, tmp_path: Path, place: str) -> None:
    watched = watch(f"/admin#{place}", scene.admin)
    expect(watched.page.locator("main")).to_be_visible()
    expect(watched.page.locator("main")).to_contain_text("<" if place in ("people", "canned", "blocks") else "")
    watched.page.wait_for_load_state("networkidle")
    shot(watched.page, place, tmp_path)
    watched.check()


def test_the_widget_shows_markup_as_text(scene: Scene, watch: Any, tmp_path: Path) -> None:
    watched = watch("/widget")
    page = watched.page
    expect(page.locator("[name=text]")).to_be_visible()
    expect(page.get_by_text(EVIL[0]).first).to_be_visible()
    page.locator("[name=name]").fill(EVIL[0])
    page.locator("[name=text]").fill(EVIL[4])
    page.locator("form .main").click()
    expect(page.locator(".log .msg p").first).to_have_text(EVIL[4])
    shot(page, "widget", tmp_path)
    watched.check()
