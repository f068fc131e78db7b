"""The pages of the desk in a browser: agents at /desk, visitors with the widget on another site and at /widget.

A real server, real sockets, real pages; whatever a page complains about fails the test.
"""

import asyncio
import json
import re
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from playwright.sync_api import Browser, BrowserContext, FilePayload, Locator, Page, WebSocket, expect

from portico import HttpWebServer
from portico.apps.chat import audit, backup, desk_settings, people
from portico.apps.chat.log import Change
from portico.apps.chat.premises import MESSAGES, Premises
from portico.server.http import HttpServer
from portico.settings import Limits

Found = TypeVar("Found")
WIDE = {"width": 1280, "height": 820}
PHONE = {"width": 390, "height": 844}
# What Chromium says of a server that refuses, or whose connections are cut.
EXPECTED = re.compile("WebSocket connection to|Failed to load resource")


class Stage:
    """A chat that is served, in a thread of its own; and a site of somebody else that shows its widget."""

    def __init__(self, folder: Path, port: int = 0) -> None:
        self._folder = folder
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()
        self._sock = socket.create_server(("127.0.0.1", port))
        self.port = self._sock.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Stage":
        self._thread.start()
        assert self._ready.wait(10), "the chat does not start"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(20)

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self.premises = Premises(self._folder, title="Li's shop", is_fast=True)
        await self.premises.start()
        self.server = HttpServer(self.premises.handler, Limits(), messages=MESSAGES)
        self._sock.setblocking(False)
        await self.server.open([self._sock])
        self._ready.set()
        await self._over.wait()
        self.server.close([self._sock])
        self.server.abort()
        await self.premises.stop()
        self.premises.close()
        self._sock.close()

    def write(self, work: Callable[[Change], Found]) -> Found:
        """Do something in the database."""
        return self.wait(lambda: self.premises.store.write(work))

    def wait(self, make: Callable[[], Awaitable[Found]]) -> Found:
        """Have the server's loop do something."""

        async def do() -> Found:
            return await make()

        return asyncio.run_coroutine_threadsafe(do(), self._loop).result(10)

    def cut(self) -> None:
        """Close every connection, without a word."""

        async def do() -> None:
            self.server.abort()

        self.wait(do)

    def person(self, kind: str, name: str) -> tuple[int, str]:
        """Make a person who is signed in; return the id and the token."""

        def write(change: Change) -> tuple[int, str]:
            made = people.add_person(change, kind, name, login=name.lower())
            return made, people.add_device(change, made, "test")

        return self.write(write)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Return a chat with nobody in it."""
    with Stage(tmp_path / "data") as found:
        yield found


class Opener:
    """Opens pages, each in a context of its own."""

    def __init__(self, browser: Browser, stage: Stage) -> None:
        self._browser = browser
        self._stage = stage
        self._contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    def page(self, url: str, **options: Any) -> Page:
        """Open an address. options: of the context."""
        options = {"viewport": WIDE, "locale": "en-GB", "timezone_id": "UTC", **options}
        device = options.pop("device", None)
        context = self._browser.new_context(**options)
        self._contexts.append(context)
        if device is not None:
            kept = json.dumps(json.dumps(device))
            context.add_init_script(f"localStorage.setItem('portico.chat.device', {kept})")
        page = context.new_page()
        page.set_default_timeout(8_000)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda line: self._hear(line.type, line.text))
        page.goto(url)
        return page

    def _hear(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not EXPECTED.match(text):
            self.complaints.append(text)

    def agent(self, name: str, kind: str = "agent", path: str = "/desk", **options: Any) -> Page:
        """Open the desk as somebody new."""
        number, token = self._stage.person(kind, name)
        return self.page(self._stage.url + path, device={"token": token, "me": number}, **options)

    def close(self) -> None:
        """Close them all."""
        for context in self._contexts:
            context.close()


@pytest.fixture
def opener(browser: Browser, stage: Stage) -> Iterator[Opener]:
    """Return what opens pages; what they complain about fails the test."""
    made = Opener(browser, stage)
    yield made
    made.close()
    assert made.complaints == []


@pytest.fixture
def shop(stage: Stage, tmp_path: Path) -> Iterator[str]:
    """Return the address of a site that shows the widget."""
    root = tmp_path / "shop"
    root.mkdir()
    page = f'<!doctype html><title>Shop</title><h1>Teapots</h1><script src="{stage.url}/widget.js" async></script>'
    (root / "index.html").write_text(page)
    with HttpWebServer(0, root) as server:
        url = server.url.rstrip("/")
        stage.write(lambda change: audit.set_setting(change, _admin(change), "origins", url))
        yield url


def _admin(change: Change) -> int:
    return people.add_person(change, "admin", "Root")


def begin(page: Page, text: str, name: str = "") -> None:
    """Start a conversation in the form of the widget."""
    page.locator("[name=name]").fill(name)
    page.locator("[name=text]").fill(text)
    page.locator("form .main").click()


def say(page: Page, text: str) -> None:
    """Write as a visitor."""
    page.locator(".write textarea").fill(text)
    page.locator(".write textarea").press("Enter")


def answer(page: Page, text: str) -> None:
    """Write as an agent."""
    page.locator(".composer textarea:visible").fill(text)
    page.locator(".composer textarea:visible").press("Enter")


def said(page: Page) -> Locator:
    """Return what is said in a visitor's log."""
    return page.locator(".log .msg:not(.wait) p")


def take_offer(page: Page) -> None:
    """Accept what an agent is offered."""
    page.locator(".offer .main").click()
    expect(page.locator(".composer textarea:visible")).to_be_focused()


def heard(page: Page) -> list[str]:
    """Return a list that every frame to a page is put into from now on."""
    frames: list[str] = []

    def listen(found: WebSocket) -> None:
        found.on("framereceived", lambda data: frames.append(str(data)))

    page.on("websocket", listen)
    return frames


def shut(stage: Stage) -> None:
    """Have the desk be closed at all hours."""
    stage.write(lambda change: desk_settings.set_hours(change, None, {"zone": "UTC", "week": {}}))


def test_a_visitor_on_another_site_is_offered_accepted_answered_ended_and_rates(
    stage: Stage, opener: Opener, shop: str
) -> None:
    agent = opener.agent("Mei")
    expect(agent.locator(".tabs")).to_be_visible()
    visitor = opener.page(shop)
    assert visitor.evaluate("localStorage.length") == 0
    visitor.get_by_role("button", name="Chat with us").click()
    begin(visitor, "Do you have blue ones?", "Ada")
    expect(said(visitor)).to_have_text(["Do you have blue ones?"])
    agent.locator(".offer .main").click()
    expect(agent.locator(".log .bubble")).to_have_text(["Do you have blue ones?"])
    expect(visitor.locator("header small")).to_have_text("You are talking with Mei.")
    answer(agent, "Yes, three of them")
    expect(said(visitor)).to_have_text(["Do you have blue ones?", "Yes, three of them"])
    visitor.reload()
    visitor.get_by_role("button", name="Chat with us").click()
    expect(said(visitor)).to_have_text(["Do you have blue ones?", "Yes, three of them"])
    say(visitor, "Good, thank you")
    expect(agent.locator(".log .bubble").last).to_have_text("Good, thank you")
    assert visitor.context.cookies() == []
    agent.locator("[data-act=close]").click()
    agent.locator("dialog .main").click()
    expect(visitor.locator(".rating")).to_be_visible()
    visitor.locator(".stars button").nth(4).click()
    expect(visitor.locator(".rating p")).to_have_text("Thank you!")
    agent.locator("[data-act=closed]").click()
    agent.locator(".list .item").click()
    expect(agent.locator(".visitor")).to_contain_text("★★★★★")


def test_two_agents_and_three_visitors_in_two_languages_lose_nothing_when_the_network_is_cut(
    stage: Stage, opener: Opener
) -> None:
    agents = [opener.agent("Mei", locale="zh-CN", color_scheme="dark"), opener.agent("Tom")]
    for agent in agents:
        expect(agent.locator(".switch .available")).to_have_attribute("aria-pressed", "true")
    languages = ("zh-CN", "en-GB", "zh-CN")
    address = f"{stage.url}/widget"
    visitors = [opener.page(address, viewport=PHONE, locale=language) for language in languages]
    owners: list[Page] = []
    for number, visitor in enumerate(visitors):
        begin(visitor, f"question {number}", f"Visitor{number}")
        owners.append(_owner(agents))
        take_offer(owners[-1])
        expect(owners[-1].locator(".log .bubble")).to_have_text([f"question {number}"])
    assert {id(owner) for owner in owners} == {id(agent) for agent in agents}
    expect(visitors[0].locator("header small")).to_contain_text("正在为您服务")
    expect(visitors[1].locator("header small")).to_contain_text("You are talking with")
    for number, (visitor, owner) in enumerate(zip(visitors, owners, strict=True)):
        owner.locator(".list .item", has_text=f"Visitor{number}").click()
        answer(owner, f"answer {number} a")
        expect(said(visitor)).to_have_text([f"question {number}", f"answer {number} a"])
    stage.cut()
    for number, (visitor, owner) in enumerate(zip(visitors, owners, strict=True)):
        owner.locator(".list .item", has_text=f"Visitor{number}").click()
        answer(owner, f"answer {number} b")
        say(visitor, f"more {number}")
        if number == 1:
            visitor.reload()
    for number, (visitor, owner) in enumerate(zip(visitors, owners, strict=True)):
        expect(said(visitor)).to_have_count(4, timeout=15_000)
        texts = said(visitor).all_inner_texts()
        assert sorted(texts) == sorted(
            [f"question {number}", f"answer {number} a", f"answer {number} b", f"more {number}"]
        )
        owner.locator(".list .item", has_text=f"Visitor{number}").click()
        expect(owner.locator(".log .msg:not(.unsent) .bubble")).to_have_text(texts)


def _owner(agents: list[Page]) -> Page:
    """Return the agent who is offered a visitor now."""
    for _ in range(100):
        for agent in agents:
            if agent.locator(".offer .main").is_visible():
                return agent
            agent.wait_for_timeout(30)
    raise AssertionError("nobody is offered the visitor")


def test_a_note_is_read_by_the_staff_and_never_reaches_the_visitor(stage: Stage, opener: Opener) -> None:
    agent = opener.agent("Mei")
    visitor = opener.page(f"{stage.url}/widget")
    begin(visitor, "hello")
    take_offer(agent)
    answer(agent, "hello to you")
    expect(said(visitor)).to_have_count(2)
    frames = heard(visitor)
    agent.locator("[data-act=notes]").click()
    answer(agent, "canary-4711")
    expect(agent.locator(".notes .bubble")).to_have_text("canary-4711")
    agent.locator("[data-act=talk]").click()
    answer(agent, "and goodbye")
    visitor.reload()
    expect(said(visitor)).to_have_text(["hello", "hello to you", "and goodbye"])
    assert frames
    assert not any("canary" in frame for frame in frames)
    assert "canary" not in visitor.content()


def test_outside_the_hours_a_message_is_left_and_answered_later_in_the_same_conversation(
    stage: Stage, opener: Opener, shop: str
) -> None:
    shut(stage)
    visitor = opener.page(shop, locale="zh-CN", viewport=PHONE)
    visitor.get_by_role("button", name="在线咨询").click()
    expect(visitor.locator("form h2")).to_contain_text("非工作时间")
    visitor.locator("[name=contact]").fill("li@example.org")
    begin(visitor, "周六营业吗？", "李华")
    expect(said(visitor)).to_have_text(["周六营业吗？"])
    agent = opener.agent("Mei")
    agent.locator("[data-act=queue]").click()
    agent.locator(".list .item", has_text="李华").click()
    expect(agent.locator(".visitor")).to_contain_text("li@example.org")
    expect(agent.locator(".preview")).to_contain_text("周六营业吗？")
    agent.locator("footer [data-act=take]").click()
    visitor.reload()
    answer(agent, "营业的")
    badge = visitor.locator(".bubble b")
    expect(badge).to_have_text("1")
    visitor.get_by_role("button", name="在线咨询").click()
    expect(said(visitor)).to_have_text(["周六营业吗？", "营业的"])


def test_what_visitors_write_is_text_and_nothing_else(stage: Stage, opener: Opener) -> None:
    agent = opener.agent("Mei")
    evil = "<img src=x onerror=document.title=1><script>document.title=2</script>"
    visitor = opener.page(f"{stage.url}/widget")
    begin(visitor, f"{evil} javascript:alert(1)", "<b>Bo</b>")
    expect(said(visitor)).to_have_text([f"{evil} javascript:alert(1)"])
    take_offer(agent)
    expect(agent.locator(".log .bubble")).to_have_text([f"{evil} javascript:alert(1)"])
    expect(agent.locator(".visitor .who")).to_contain_text("<b>Bo</b>")
    assert agent.locator(".thread img, .log a, .visitor b b").count() == 0
    assert "1" not in agent.title().replace("(1)", "")


def test_of_two_agents_who_take_one_visitor_the_second_is_told_who_was_first(stage: Stage, opener: Opener) -> None:
    shut(stage)
    first, second = opener.agent("Mei"), opener.agent("Tom")
    visitor = opener.page(f"{stage.url}/widget")
    begin(visitor, "anybody?", "Ada")
    for agent in (first, second):
        agent.locator("[data-act=queue]").click()
        agent.locator(".list .item").click()
        expect(agent.locator(".preview")).to_contain_text("anybody?")
    first.locator("footer [data-act=take]").click()
    expect(first.locator(".composer textarea:visible")).to_be_focused()
    expect(second.locator(".hint")).to_have_text("Mei has this conversation.")
    expect(second.locator(".composer:visible")).to_have_count(0)


def test_a_visitor_is_handed_to_a_colleague_and_stays_until_that_one_accepts(stage: Stage, opener: Opener) -> None:
    first = opener.agent("Mei")
    visitor = opener.page(f"{stage.url}/widget")
    begin(visitor, "hello", "Ada")
    take_offer(first)
    second = opener.agent("Tom")
    expect(second.locator(".switch .available")).to_have_attribute("aria-pressed", "true")
    first.locator("[data-act=transfer]").click()
    first.locator("dialog button", has_text="Tom").click()
    expect(first.locator(".hint")).to_contain_text("Tom has been asked")
    answer(first, "Tom knows more")
    take_offer(second)
    expect(second.locator(".log .bubble")).to_have_text(["hello", "Tom knows more"])
    answer(second, "that is so")
    expect(said(visitor)).to_have_text(["hello", "Tom knows more", "that is so"])
    expect(visitor.locator("header small")).to_have_text("You are talking with Tom.")
    expect(first.locator(".composer:visible")).to_have_count(0)


def test_an_agent_who_let_an_offer_run_out_reads_why_nothing_comes_and_is_offered_the_visitor_again(
    stage: Stage, opener: Opener
) -> None:
    agent = opener.agent("Mei")
    visitors = [opener.page(f"{stage.url}/widget") for _ in range(2)]
    begin(visitors[0], "hello", "Ada")
    expect(agent.locator(".offer b")).to_have_text("Ada is waiting for you")
    begin(visitors[1], "hello", "Bo")
    expect(agent.locator("[data-act=queue] .badge")).to_have_text("2")
    stage.write(lambda change: change.db.execute("UPDATE desk_case SET due_ms = 1 WHERE offered IS NOT NULL"))
    stage.wait(stage.premises.desk.route)
    missed = agent.locator(".missed")
    expect(missed).to_contain_text("You did not answer an offer in time")
    expect(agent.locator(".offer")).to_be_hidden()
    agent.reload()
    missed.get_by_role("button", name="Available").click()
    expect(missed).to_be_hidden()
    expect(agent.locator(".offer b")).to_have_text("Ada is waiting for you")
    take_offer(agent)
    expect(agent.locator(".offer b")).to_have_text("Bo is waiting for you")


def test_a_case_that_is_gone_after_a_restore_is_closed_without_a_word(tmp_path: Path, browser: Browser) -> None:
    folder, kept = tmp_path / "data", tmp_path / "kept"
    with Stage(folder) as stage:
        opener = Opener(browser, stage)
        agent = opener.agent("Mei")
        expect(agent.locator(".tabs")).to_be_visible()
        assert backup.back_up(folder, kept) > 0
        visitor = opener.page(f"{stage.url}/widget")
        begin(visitor, "hello", "Ada")
        take_offer(agent)
        answer(agent, "hello Ada")
        expect(said(visitor)).to_have_count(2)
        visitor.close()
    agent.evaluate(
        "window.told = []; new MutationObserver((all) => all.forEach((each) => "
        "each.addedNodes.forEach((node) => node.matches?.('.toast') && told.push(node.textContent))))"
        ".observe(document.body, {childList: true, subtree: true})"
    )
    backup.restore(kept, folder)
    with Stage(folder, stage.port):
        expect(agent.locator(".thread .empty")).to_be_visible(timeout=20_000)
        expect(agent.locator(".list .item")).to_have_count(0)
        assert agent.evaluate("location.hash") == ""
        assert agent.evaluate("told") == []
        opener.close()
    assert opener.complaints == []


def test_the_desk_is_used_with_keys_alone(stage: Stage, opener: Opener) -> None:
    stage.write(lambda change: desk_settings.set_canned(change, None, "hi", "Greeting", "Hello {{visitor.name}}!"))
    agent = opener.agent("Mei")
    address = f"{stage.url}/widget"
    visitors = [opener.page(address) for _ in range(2)]
    for visitor, name in zip(visitors, ("Ada", "Bo"), strict=True):
        begin(visitor, f"I am {name}", name)
        expect(agent.locator(".offer b")).to_have_text(f"{name} is waiting for you")
        agent.keyboard.press("a")
        expect(agent.locator(".composer textarea:visible")).to_be_focused()
        agent.keyboard.type("/h")
        expect(agent.locator(".picker li")).to_have_text(["/hiGreetingHello " + name + "!"])
        agent.keyboard.press("Enter")
        expect(agent.locator(".composer textarea:visible")).to_have_value(f"Hello {name}!")
        agent.keyboard.press("Enter")
        expect(said(visitor).last).to_have_text(f"Hello {name}!")
        agent.keyboard.press("Escape")
    agent.keyboard.press("k")
    expect(agent.locator(".top h2")).to_have_text("Ada")
    agent.keyboard.press("j")
    expect(agent.locator(".top h2")).to_have_text("Bo")
    agent.keyboard.press("n")
    agent.keyboard.type("keeps bees")
    agent.keyboard.press("Enter")
    expect(agent.locator(".notes .bubble")).to_have_text("keeps bees")
    agent.keyboard.press("Escape")
    agent.keyboard.press("e")
    agent.locator("dialog .main").press("Enter")
    expect(visitors[1].locator(".rating")).to_be_visible()
    expect(agent.locator(".list .item")).to_have_count(1)


def test_colleagues_see_who_else_looks_and_who_writes(stage: Stage, opener: Opener) -> None:
    first, second = opener.agent("Mei"), opener.agent("Tom")
    visitor = opener.page(f"{stage.url}/widget")
    begin(visitor, "hello", "Ada")
    owner = _owner([first, second])
    other = second if owner is first else first
    name = "Mei" if owner is first else "Tom"
    take_offer(owner)
    other.locator("[data-act=all]").click()
    other.locator(".list .item").click()
    expect(owner.locator(".hint")).to_contain_text("is looking at this, too.")
    owner.locator(".composer textarea:visible").press_sequentially("I know")
    expect(other.locator(".hint")).to_have_text(f"{name} has this conversation. {name} is writing here as well.")
    other.keyboard.press("1")
    other.goto(f"{stage.url}/desk")
    expect(owner.locator(".hint")).to_be_hidden()


def test_a_case_is_put_off_and_comes_back_with_the_visitors_word(stage: Stage, opener: Opener) -> None:
    agent = opener.agent("Mei")
    visitor = opener.page(f"{stage.url}/widget", locale="zh-CN")
    begin(visitor, "周末有货吗？", "李华")
    take_offer(agent)
    agent.keyboard.press("Escape")
    agent.keyboard.press("s")
    agent.locator("dialog .rows button", has_text="Tomorrow morning").click()
    item = agent.locator(".list .item.later", has_text="李华")
    expect(item).to_contain_text("later")
    expect(visitor.locator("header small")).to_have_text("我们稍后会在这里联系您。")
    agent.locator("[data-act=away]").or_(agent.locator(".switch .away")).first.click()
    say(visitor, "还在吗？")
    agent.locator("[data-act=queue]").click()
    agent.locator(".list .item", has_text="李华").click()
    expect(agent.locator(".preview")).to_contain_text("还在吗？")
    agent.locator(".visitor select").select_option("Urgent")
    expect(agent.locator(".list .item .priority")).to_have_text("!!")
    agent.locator("footer [data-act=take]").click()
    answer(agent, "在的")
    expect(said(visitor).last).to_have_text("在的")


def test_what_is_known_of_a_visitor_is_beside_the_conversation(stage: Stage, opener: Opener, shop: str) -> None:
    agent = opener.agent("Mei")
    visitor = opener.page(shop)
    visitor.get_by_role("button", name="Chat with us").click()
    begin(visitor, "first", "Ada")
    take_offer(agent)
    agent.locator("[data-act=close]").click()
    agent.locator("dialog .main").click()
    expect(visitor.locator(".rating")).to_be_visible()
    with visitor.expect_download() as kept:
        visitor.get_by_role("button", name="Save the conversation").click()
    assert "Ada: first" in Path(kept.value.path()).read_text(encoding="utf-8-sig")
    visitor.evaluate(
        "localStorage.setItem(Object.keys(localStorage)[0], JSON.stringify("
        "{...JSON.parse(localStorage[Object.keys(localStorage)[0]]), c: 0}))"
    )
    visitor.reload()
    visitor.get_by_role("button", name="Chat with us").click()
    begin(visitor, "second")
    take_offer(agent)
    file = FilePayload(name="price list.txt", mimeType="text/plain", buffer=b"one, two")
    visitor.locator("input[type=file]").set_input_files(file)
    panel = agent.locator(".visitor")
    expect(panel).to_contain_text(shop)
    expect(panel).to_contain_text("the web page")
    expect(panel.locator(".file")).to_contain_text("list")
    panel.locator("dd .link").first.click()
    expect(agent.locator("dialog .text")).to_contain_text("Ada: first")


def test_the_figures_say_who_waits_and_who_is_there(stage: Stage, opener: Opener) -> None:
    shut(stage)
    visitor = opener.page(f"{stage.url}/widget")
    begin(visitor, "hello", "Ada")
    expect(said(visitor)).to_have_count(1)
    agent = opener.agent("Mei")
    agent.get_by_role("button", name="Figures").click()
    expect(agent.locator(".wall .tiles div", has_text="Waiting").locator("dd")).to_have_text("1")
    expect(agent.locator(".wall .agents")).to_contain_text("Mei")


def test_an_admin_makes_an_agent_who_comes_in_by_a_link(stage: Stage, opener: Opener) -> None:
    admin = opener.agent("Root", kind="admin", path="/admin")
    admin.get_by_role("button", name="Add somebody").click()
    admin.locator("dialog [name=name]").fill("Mei")
    admin.locator("dialog [name=login]").fill("mei")
    admin.locator("dialog select").select_option("agent")
    admin.locator("dialog .main").click()
    row = admin.locator(".rows li", has_text="Mei")
    expect(row).to_contain_text("agent")
    row.get_by_role("button", name="One-time link").click()
    link = admin.locator("dialog code").inner_text()
    expect(admin.locator("dialog")).to_contain_text("Only this machine can open 127.0.0.1")
    guest = opener.page(link)
    guest.get_by_role("button", name="Sign in").click()
    expect(guest.locator(".tabs")).to_be_visible()
    assert guest.url == f"{stage.url}/desk"
    again = opener.page(link)
    again.get_by_role("button", name="Sign in").click()
    expect(again.locator(".wrong")).to_contain_text("used already")


def test_an_admin_sets_hours_answers_blocks_and_settings_and_all_of_it_is_noted(stage: Stage, opener: Opener) -> None:
    admin = opener.agent("Root", kind="admin", path="/admin#queues")
    admin.get_by_role("button", name="Opening hours").click()
    admin.get_by_label("Always open").uncheck()
    admin.get_by_label("Monday").fill("9:00-12:00，13:30–18:00")
    admin.get_by_label("Days that differ").fill("2026-10-01\n2026-10-10 09:00-12:00")
    admin.locator("dialog .main").click()
    expect(admin.locator("dialog")).to_have_count(0)
    admin.get_by_role("button", name="Opening hours").click()
    expect(admin.get_by_label("Monday")).to_have_value("09:00-12:00, 13:30-18:00")
    expect(admin.get_by_label("Days that differ")).to_have_value("2026-10-01\n2026-10-10 09:00-12:00")
    admin.get_by_label("Tuesday").fill("all day")
    admin.locator("dialog .main").click()
    expect(admin.locator("dialog .wrong")).to_contain_text("09:00-12:00")
    admin.keyboard.press("Escape")
    admin.goto(f"{stage.url}/admin#canned")
    admin.get_by_role("button", name="Add an answer").click()
    admin.locator("dialog [name=short]").fill("hi")
    admin.locator("dialog [name=text]").fill("Hello!")
    admin.locator("dialog .main").click()
    expect(admin.locator("main .rows")).to_contain_text("/hi")
    admin.goto(f"{stage.url}/admin#blocks")
    admin.get_by_role("button", name="Block somebody").click()
    admin.locator("dialog [name=value]").fill("198.51.100.0/24")
    admin.locator("dialog .main").click()
    expect(admin.locator("main .rows")).to_contain_text("198.51.100.0/24")
    admin.get_by_role("button", name="Remove").click()
    expect(admin.locator("main")).to_contain_text("Nothing here.")
    admin.goto(f"{stage.url}/admin#settings")
    admin.get_by_label("Title of the chat").fill("Teapots")
    admin.get_by_label("Everybody may make an account").check()
    admin.get_by_role("button", name="Save").click()
    expect(admin.locator(".toast")).to_have_text("Saved")
    admin.reload()
    expect(admin.get_by_label("Title of the chat")).to_have_value("Teapots")
    admin.goto(f"{stage.url}/admin#audit")
    for act in ("setting.set", "block.add", "block.remove", "desk.hours"):
        expect(admin.locator("main code", has_text=act).first).to_be_visible()


def test_an_admin_reads_what_a_site_needs_for_the_widget(stage: Stage, opener: Opener) -> None:
    admin = opener.agent("Root", kind="admin", path="/admin#queues", locale="zh-CN")
    expect(admin.locator("main code")).to_contain_text(f'src="{stage.url}/widget.js"')
    expect(admin.locator("main")).to_contain_text("请先在设置里添加你的网站")
    expect(admin.locator("main .wrong")).to_contain_text("只有本机能打开")
    admin.locator("main").get_by_role("link", name="设置").click()
    expect(admin.get_by_label("可嵌入客服窗口的网站")).to_be_visible()


def test_an_admin_sees_how_things_go_and_saves_it_for_others(stage: Stage, opener: Opener) -> None:
    opener.agent("Mei")
    admin = opener.agent("Root", kind="admin", path="/admin#state")
    expect(admin.locator(".tiles").nth(1).locator("dd").first).to_have_text("2")
    expect(admin.locator(".tiles").first).to_contain_text("ms")
    expect(admin.locator(".rows li", has_text="Mei")).to_contain_text("agent · ws")
    with admin.expect_download() as kept:
        admin.get_by_role("button", name="Save a support bundle").click()
    bundle = json.loads(Path(kept.value.path()).read_text())
    assert bundle["counts"]["people"] == {"admin": 1, "agent": 1}
    assert bundle["page"]["behind"] == 0
    assert "Mei" not in json.dumps(bundle)


@pytest.mark.parametrize("path", ["/desk", "/admin"])
def test_the_pages_of_the_staff_turn_everybody_else_away(stage: Stage, opener: Opener, path: str) -> None:
    page = opener.agent("Lu", kind="user", path=path)
    expect(page.locator(".card p")).to_contain_text("This page is for")


def test_a_page_without_permission_cannot_show_the_widget(stage: Stage, opener: Opener, shop: str) -> None:
    stage.write(lambda change: audit.set_setting(change, 1, "origins", "https://elsewhere.example"))
    visitor = opener.page(shop)
    visitor.get_by_role("button", name="Chat with us").click()
    expect(visitor.locator("form")).to_have_count(0)
    expect(visitor.locator(".wrong")).to_contain_text(f"The chat is not set up for {shop} yet")
    assert visitor.evaluate("localStorage.length") == 0
    assert any("CORS policy" in line for line in opener.complaints)
    assert any(f"An admin of the chat can add {shop}" in line for line in opener.complaints)
    opener.complaints.clear()


def test_a_visitor_of_a_site_that_is_named_no_more_reads_so(stage: Stage, opener: Opener, shop: str) -> None:
    visitor = opener.page(shop, locale="zh-CN")
    visitor.get_by_role("button", name="在线咨询").click()
    begin(visitor, "你好")
    expect(said(visitor)).to_have_text(["你好"])
    stage.write(lambda change: audit.set_setting(change, 1, "origins", ""))
    visitor.reload()
    visitor.get_by_role("button", name="在线咨询").click()
    expect(visitor.locator(".wrong")).to_contain_text(f"{shop} 尚未开通在线咨询")
    expect(visitor.locator(".state")).to_be_hidden()
    stage.write(lambda change: audit.set_setting(change, 1, "origins", shop))
    visitor.reload()
    visitor.get_by_role("button", name="在线咨询").click()
    expect(said(visitor)).to_have_text(["你好"])
    expect(visitor.locator(".wrong")).to_have_text("")
    opener.complaints[:] = [line for line in opener.complaints if not re.search("CORS policy|can add", line)]


def test_a_site_loads_nothing_but_the_button_until_it_is_pressed(stage: Stage, opener: Opener, shop: str) -> None:
    greeting = desk_settings.Setting(1, "desk", False, 4, "Welcome to <Li's> teapots", "")
    stage.write(lambda change: desk_settings.set_queue(change, greeting, []))
    visitor = opener.page(shop)
    asked: list[str] = []
    visitor.on("request", lambda request: asked.append(request.url))
    visitor.reload()
    button = visitor.get_by_role("button", name="Chat with us")
    expect(button).to_be_visible()
    assert [url for url in asked if url.startswith(stage.url)] == [f"{stage.url}/widget.js"]
    assert visitor.evaluate("localStorage.length") == 0
    button.click()
    expect(visitor.locator("form h2")).to_have_text("Welcome to <Li's> teapots")
    assert visitor.evaluate("localStorage.length") == 0
    assert not any(url.endswith(("/ws", "/api/visitor")) for url in asked)


def test_a_widget_that_cannot_be_loaded_says_so_and_is_loaded_the_next_time(
    stage: Stage, opener: Opener, shop: str
) -> None:
    visitor = opener.page(shop)
    modules = re.compile("/page/widget/panel.js")
    visitor.route(modules, lambda route: route.abort())
    visitor.get_by_role("button", name="Chat with us").click()
    again = visitor.get_by_role("button", name="Try again")
    expect(again).to_be_visible()
    visitor.unroute(modules)
    again.click()
    begin(visitor, "hello")
    expect(said(visitor)).to_have_text(["hello"])
