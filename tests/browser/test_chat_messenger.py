"""The messenger as people use it, in Chromium: several of them, in both languages, over a server that may go away."""

import asyncio
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, BrowserContext, FilePayload, Locator, Page, expect

from portico.apps.chat import links, people, rooms
from portico.apps.chat.events import Claim, check
from portico.apps.chat.log import Change, append
from portico.apps.chat.passwords import hash_password
from portico.apps.chat.premises import MESSAGES, Premises
from portico.apps.chat.schema import renew_epoch
from portico.apps.chat.search import row_of
from portico.server.http import HttpServer
from portico.settings import Limits

PASSWORD: Final = "a boat at berth four"
DOT: Final = b"GIF89a\1\0\1\0\0\0\0!\xf9\4\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\1D\0;"
SETTLED_MS: Final = 8_000
# What Chromium says of a server that refuses or is away.
EXPECTED: Final = re.compile("WebSocket connection to|Failed to load resource")


class Chat:
    """A chat on a loopback port, in a thread of its own. It can be taken down and come back with what it had."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sock = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._sock.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.link = ""

    def start(self, seed: Callable[[Change, str], None] = lambda change, hashed: None) -> None:
        """Serve. seed: what is to be in the database first, given the hash of PASSWORD."""
        self._premises = Premises(self._folder, title="Harbour", is_fast=True)
        self._loop = asyncio.new_event_loop()
        self._is_open = threading.Event()
        self._over = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(seed),))
        self._thread.start()
        assert self._is_open.wait(20)

    async def _serve(self, seed: Callable[[Change, str], None]) -> None:
        premises = self._premises
        await premises.start()
        hashed = await hash_password(PASSWORD)
        await premises.store.write(lambda change: seed(change, hashed))
        self.link = await premises.first_link() or ""
        server = HttpServer(premises.handler, Limits(), messages=MESSAGES)
        self._sock.setblocking(False)
        await server.open([self._sock])
        self._is_open.set()
        await self._over.wait()
        server.close([self._sock])
        server.abort()
        await premises.stop()

    def stop(self) -> None:
        """Take it down; connections are cut."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._over.set)
            self._thread.join(20)
            self._loop.close()
            self._premises.close()
            self._sock.close()

    def restart(self, seed: Callable[[Change, str], None] = lambda change, hashed: None) -> None:
        """Come back on the same port with the same folder. seed: as `start` has it."""
        self._sock = socket.create_server(("127.0.0.1", self.port))
        self.start(seed)

    def say(self, conversation: int, sender: int, *texts: str) -> None:
        """Have somebody say something who has no page open."""

        def work(change: Change) -> None:
            for text in texts:
                append(change, check(Claim(conversation, "msg", {"text": text}), sender, "ws"))

        asyncio.run_coroutine_threadsafe(self._premises.store.write(work), self._loop).result(20)


def newcomer(change: Change) -> str:
    """Make somebody who has no password, and return a link for them."""
    return links.make_link(change, people.add_person(change, "user", "Nia", login="nia"))


def seed(change: Change, hashed: str) -> None:
    """Make Ada, Wei and Mira; the first two are in a room."""
    for name in ("Ada", "Wei", "Mira"):
        people.add_person(change, "user", name, login=name.lower(), password=hashed)
    room = rooms.make_room(change, 1, "Quay", is_public=True)
    rooms.join(change, 2, room)


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[Chat]:
    """Serve a chat with three people and a room, number 1, in which Ada (1) and Wei (2) are."""
    served = Chat(tmp_path / "chat")
    served.start(seed)
    yield served
    served.stop()


Entrance = Callable[..., Page]


@pytest.fixture
def enter(browser: Browser, chat: Chat) -> Iterator[Entrance]:
    """Return a function that opens the messenger for somebody; options are those of `Browser.new_context`.

    Whatever a page complains about fails the test, except that the server was away.
    """
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def start(login: str, **options: object) -> Page:
        context = browser.new_context(**({"locale": "en-GB", "timezone_id": "UTC"} | options))  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(SETTLED_MS)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if not EXPECTED.match(line.text) else None)
        page.goto(chat.url)
        if login:
            sign_in(page, login)
            expect(page.locator(".me")).to_have_text(re.compile(login, re.IGNORECASE))
        return page

    yield start
    for context in contexts:
        context.close()
    assert complaints == []


def sign_in(page: Page, login: str, password: str = PASSWORD) -> None:
    """Fill in the form."""
    page.locator("input[name=login]").fill(login)
    page.locator("input[name=password]").fill(password)
    page.locator("form button.main").click()


def go(page: Page, title: str) -> None:
    """Go to a conversation by the list."""
    page.locator(".item", has_text=title).first.click()
    expect(page.locator(".top h2")).to_have_text(title)


def say(page: Page, text: str) -> None:
    """Write a message and send it."""
    page.locator(".composer textarea").fill(text)
    page.locator(".composer textarea").press("Enter")


def bubbles(page: Page) -> Locator:
    """Return what is said in the thread."""
    return page.locator(".msg:not(.deleted) .bubble")


def tool(page: Page, at: int, name: str) -> None:
    """Press a tool of a message."""
    row = page.locator(".msg").nth(at)
    row.hover()
    row.get_by_role("button", name=name).click()


# Coming in


def test_a_wrong_password_is_told_and_a_right_one_lets_in(enter: Entrance) -> None:
    page = enter("")
    sign_in(page, "ada", "not this one")
    expect(page.get_by_role("alert")).to_have_text("Login or password is not right.")
    sign_in(page, "ada")
    expect(page.locator(".me")).to_contain_text("Ada")


def test_a_link_lets_in_once_and_asks_for_a_password(browser: Browser, chat: Chat) -> None:
    context = browser.new_context(locale="zh-CN")
    page = context.new_page()
    page.goto(f"{chat.url}#{chat.link}")
    page.get_by_role("button", name="登录").click()
    dialog = page.get_by_role("dialog", name="设置")
    expect(dialog).to_contain_text("请设置密码，下次用登录名 admin 登录。")
    assert chat.link not in page.url
    dialog.locator("input[name=password]").fill(PASSWORD)
    dialog.get_by_role("button", name="修改密码").click()
    expect(page.locator(".toast")).to_have_text("已保存")
    other = browser.new_context(locale="en-GB").new_page()
    other.goto(f"{chat.url}#{chat.link}")
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_role("alert")).to_contain_text("used already")
    sign_in(other, "admin")
    expect(other.locator(".me")).to_contain_text("admin")
    other.context.close()
    context.close()


def test_the_language_is_the_browsers_and_then_the_persons(enter: Entrance) -> None:
    page = enter("wei", locale="zh-CN")
    expect(page.locator(".list h2").first).to_have_text("房间")
    page.locator(".me").click()
    page.locator("select[name=lang]").select_option("en")
    page.get_by_role("button", name="保存").click()
    expect(page.locator(".list h2").first).to_have_text("Rooms")
    again = enter("wei", locale="zh-CN")
    expect(again.locator(".list h2").first).to_have_text("Rooms")


def test_signing_out_forgets_the_device_and_other_devices_can_be_signed_out(enter: Entrance) -> None:
    here, there = enter("ada"), enter("ada")
    expect(there.locator(".me")).to_contain_text("Ada")
    here.locator(".me").click()
    here.get_by_role("dialog").get_by_role("button", name="Sign out", exact=True).click()
    expect(there.get_by_role("alert")).to_have_text("You have been signed out. Sign in again.")
    here.get_by_role("dialog").get_by_role("button", name="Sign out here").click()
    expect(here.locator("input[name=login]")).to_be_visible()
    here.reload()
    expect(here.locator("input[name=login]")).to_be_visible()


def test_who_comes_by_a_link_sets_a_first_password_without_an_old_one(chat: Chat, enter: Entrance) -> None:
    chat.stop()
    made: list[str] = []
    chat.restart(lambda change, hashed: made.append(newcomer(change)))
    page = enter("")
    page.goto(f"{chat.url}#{made[0]}")
    page.reload()
    page.locator("button.main").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.locator("p").first).to_have_text("Choose a password, to sign in again as nia.")
    expect(dialog.locator("input[name=old]")).to_be_hidden()
    dialog.locator("input[name=password]").fill("short")
    dialog.get_by_role("button", name="Change the password").click()
    expect(dialog.get_by_role("alert")).to_have_text("A password has 8 to 200 characters.")
    dialog.locator("input[name=password]").fill(PASSWORD)
    dialog.get_by_role("button", name="Change the password").click()
    expect(dialog.locator("input[name=old]")).to_be_visible()


# Talking


def test_two_talk_in_both_languages(enter: Entrance) -> None:
    ada, wei = enter("ada"), enter("wei", locale="zh-CN", color_scheme="dark")
    go(ada, "Quay")
    go(wei, "Quay")
    say(ada, "Who takes the ropes?\n<img src=x onerror=document.title=1>")
    expect(bubbles(wei)).to_have_text(["Who takes the ropes?\n<img src=x onerror=document.title=1>"])
    wei.locator(".composer textarea").press_sequentially("我")
    expect(ada.locator(".typing")).to_have_text("Wei is writing…")
    say(wei, "我来。打印机又坏了")
    expect(bubbles(ada)).to_have_count(2)
    expect(ada.locator(".typing")).to_have_text("")
    expect(bubbles(ada).last).to_have_text("我来。打印机又坏了")
    wei.bring_to_front()
    wei.locator(".composer textarea").focus()
    expect(ada.locator(".msg.mine .tick").first).to_have_attribute("title", "Read by Wei")


def test_what_is_said_can_be_replied_to_changed_taken_back_and_answered_with_a_mark(enter: Entrance) -> None:
    ada, wei = enter("ada"), enter("wei")
    go(ada, "Quay")
    go(wei, "Quay")
    say(ada, "Low water at nin")
    say(ada, "Never mind")
    expect(bubbles(wei)).to_have_count(2)
    tool(wei, 0, "Reply")
    say(wei, "At nine?")
    expect(ada.locator(".msg").nth(2).locator(".quote")).to_have_text("AdaLow water at nin")
    tool(wei, 1, "React")
    wei.locator(".marking button").nth(5).click()
    expect(ada.locator(".msg").nth(1).locator(".marks button")).to_have_attribute("aria-label", re.compile("1: Wei"))
    ada.locator(".msg").nth(1).locator(".marks button").click()
    expect(wei.locator(".msg").nth(1).locator(".marks button")).to_contain_text("2")
    tool(ada, 0, "Edit")
    say(ada, "Low water at nine")
    expect(bubbles(wei).first).to_have_text("Low water at nine")
    expect(wei.locator(".msg").first.locator(".foot")).to_have_text("edited")
    tool(ada, 1, "Delete")
    ada.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(wei.locator(".msg.deleted")).to_have_text(re.compile("Message deleted"))
    expect(wei.locator(".marks")).to_have_count(0)


def test_the_keyboard_is_enough(enter: Entrance) -> None:
    page = enter("ada")
    page.keyboard.press("Control+k")
    page.keyboard.type("quay")
    expect(page.get_by_role("dialog").locator(".item")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page.locator(".composer textarea")).to_be_focused()
    page.keyboard.type("frist")
    page.keyboard.press("Enter")
    expect(page.locator(".msg:not(.unsent)")).to_have_count(1)
    page.keyboard.press("ArrowUp")
    expect(page.locator(".context")).to_contain_text("Change the message")
    page.keyboard.press("Control+a")
    page.keyboard.type("first")
    page.keyboard.press("Enter")
    expect(bubbles(page)).to_have_text(["first"])
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Escape")
    expect(page.locator(".context")).to_be_hidden()
    expect(page.locator(".composer textarea")).to_have_value("")


def test_rooms_are_made_joined_renamed_and_left(enter: Entrance) -> None:
    ada, wei = enter("ada"), enter("wei")
    ada.get_by_label("New room or conversation").click()
    ada.locator("input[name=title]").fill("Berth 4")
    ada.get_by_role("button", name="Make").click()
    expect(ada.locator(".top h2")).to_have_text("Berth 4")
    ada.get_by_role("button", name="Members", exact=True).click()
    dialog = ada.get_by_role("dialog")
    dialog.locator("li", has_text="wei").get_by_role("button", name="Add").click()
    expect(dialog.locator(".rows").first.locator("li")).to_have_count(2)
    go(wei, "Berth 4")
    expect(wei.locator(".log .sys").last).to_have_text("Ada brought Wei in")
    dialog.locator("input[name=title]").fill("Berth 5")
    dialog.get_by_role("button", name="Save").click()
    expect(wei.locator(".top h2")).to_have_text("Berth 5")
    wei.get_by_role("button", name="Members", exact=True).click()
    wei.get_by_role("button", name="Leave the room").click()
    wei.get_by_role("dialog", name="Are you sure?").get_by_role("button", name="Leave the room").click()
    expect(wei.locator(".composer form")).to_be_hidden()
    expect(ada.locator(".log .sys").last).to_have_text("Wei left")


def test_somebody_is_found_and_written_to(enter: Entrance) -> None:
    ada, wei = enter("ada"), enter("wei")
    wei.bring_to_front()
    ada.keyboard.press("Control+k")
    ada.get_by_role("searchbox").fill("wei")
    ada.get_by_role("dialog").locator(".item", has_text="Wei").click()
    expect(ada.locator(".top h2")).to_have_text("Wei")
    say(ada, "Only for you")
    item = wei.locator(".item", has_text="Ada")
    expect(item.locator(".badge")).to_have_text("1")
    expect(wei).to_have_title("(1) Harbour")
    item.click()
    expect(bubbles(wei)).to_have_text(["Only for you"])
    expect(item.locator(".badge")).to_have_count(0)


def test_two_chinese_characters_are_found_and_gone_to(enter: Entrance, chat: Chat) -> None:
    chat.say(1, 1, "打印机坏了", *(f"line {number}" for number in range(300)))
    page = enter("wei", locale="zh-CN")
    page.keyboard.press("Control+k")
    page.get_by_role("searchbox").fill("打印")
    expect(page.locator("mark")).to_have_text("打印")
    page.keyboard.press("Enter")
    expect(bubbles(page).filter(has_text="打印机坏了")).to_be_in_viewport()


# Files


def test_a_picture_that_comes_is_followed_to_its_lower_edge(enter: Entrance, chat: Chat) -> None:
    chat.say(1, 1, *(f"Line {count}" for count in range(30)))
    ada, wei = enter("ada"), enter("wei", viewport={"width": 390, "height": 844})
    go(ada, "Quay")
    go(wei, "Quay")
    expect(bubbles(wei).last).to_be_in_viewport()
    buffer = (Path(__file__).parents[2] / "docs" / "pictures" / "chat-widget-zh.webp").read_bytes()
    ada.locator("input[type=file]").set_input_files(FilePayload(name="a.webp", mimeType="image/webp", buffer=buffer))
    expect(ada.locator(".drafts li").filter(has_text=re.compile("B$"))).to_have_count(1)
    say(ada, "Look")
    expect(wei.locator(".picture img")).to_have_js_property("complete", True)
    expect(wei.locator(".picture img")).to_be_in_viewport(ratio=0.9)
    expect(wei.locator("button.bottom")).to_be_hidden()


def test_files_go_along_and_come_back(enter: Entrance, tmp_path: Path) -> None:
    ada, wei = enter("ada"), enter("wei")
    go(ada, "Quay")
    go(wei, "Quay")
    notes = FilePayload(name="<b>notes</b>.txt", mimeType="text/html", buffer=b"low water at nine\n" * 100)
    picture = FilePayload(name="dot.gif", mimeType="image/gif", buffer=DOT)
    ada.locator("input[type=file]").set_input_files([notes, picture])
    expect(ada.locator(".drafts li").filter(has_text=re.compile("B$"))).to_have_count(2)
    say(ada, "The notes")
    expect(wei.locator("a.file")).to_contain_text("1.8 KB")
    wei.wait_for_function("document.querySelector('.picture img')?.naturalWidth === 1")
    with wei.expect_download() as started:
        wei.locator("a.file").click()
    started.value.save_as(tmp_path / "saved")
    assert (tmp_path / "saved").read_bytes() == notes["buffer"]


PUT: Final = """(element, [kind, size]) => {
    const given = new DataTransfer();
    given.items.add(new File([new Uint8Array(size)], kind + ".txt"));
    const options = { bubbles: true, cancelable: true, clipboardData: given, dataTransfer: given };
    element.dispatchEvent(kind === "paste" ? new ClipboardEvent("paste", options) : new DragEvent(kind, options));
}"""


def test_files_are_pasted_and_dropped_and_one_that_is_too_large_is_told(enter: Entrance) -> None:
    page = enter("ada")
    go(page, "Quay")
    page.locator(".composer textarea").evaluate(PUT, ["paste", 9])
    expect(page.locator(".drafts li")).to_contain_text(["paste.txt9 B"])
    page.locator(".scroll").evaluate(PUT, ["drop", 9])
    expect(page.locator(".drafts li")).to_contain_text(["paste.txt9 B", "drop.txt9 B"])
    page.get_by_role("button", name="Remove paste.txt").click()
    page.get_by_role("button", name="Send").click()
    expect(page.locator("a.file")).to_have_count(1)
    page.locator(".composer textarea").evaluate(PUT, ["paste", 26 << 20])
    expect(page.locator(".drafts li")).to_contain_text("not uploaded")
    expect(page.locator(".toast")).to_have_text("That is too large.")


def test_a_message_elsewhere_is_told_of_unless_it_is_muted(enter: Entrance) -> None:
    ada, wei = enter("ada"), enter("wei")
    go(wei, "Quay")
    ada.bring_to_front()
    say(wei, "The tide turns")
    expect(ada.locator(".toast")).to_have_text("Wei · Quay: The tide turns")
    box = ada.locator(".toast").bounding_box()
    assert box is not None
    assert box["height"] < 80  # a line, and nothing that covers the page
    ada.locator(".toast").click()
    expect(ada.locator(".top h2")).to_have_text("Quay")
    expect(ada.locator(".toast")).to_have_count(0)
    ada.get_by_role("button", name="Mute").click()
    expect(ada.get_by_role("button", name="Unmute")).to_be_visible()
    ada.go_back()
    say(wei, "Twice")
    expect(ada.locator(".item .badge.muted")).to_have_text("1")
    expect(ada.locator(".toast")).to_have_count(0)
    expect(ada).to_have_title("Harbour")


def sign_everybody_out(change: Change, hashed: str) -> None:
    """Revoke every device."""
    change.db.execute("UPDATE device SET is_revoked = 1")


def test_whoever_was_signed_out_signs_in_again_on_the_same_page(enter: Entrance, chat: Chat) -> None:
    page = enter("ada")
    chat.stop()
    chat.restart(sign_everybody_out)
    expect(page.get_by_role("alert")).to_have_text("You have been signed out. Sign in again.")
    sign_in(page, "ada")
    expect(page.locator(".me")).to_contain_text("Ada")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("dialog")).to_have_count(1)


# Going away and coming back


def test_a_reload_loses_nothing_not_even_what_was_being_written(enter: Entrance) -> None:
    page = enter("ada")
    go(page, "Quay")
    say(page, "said")
    expect(page.locator(".msg:not(.unsent)")).to_have_count(1)
    page.locator(".composer textarea").fill("half a sen")
    page.reload()
    expect(bubbles(page)).to_have_text(["said"])
    expect(page.locator(".composer textarea")).to_have_value("half a sen")


def test_what_is_written_while_the_server_is_away_is_sent_once_and_in_order(enter: Entrance, chat: Chat) -> None:
    ada, wei = enter("ada"), enter("wei")
    go(ada, "Quay")
    go(wei, "Quay")
    say(ada, "before")
    expect(bubbles(wei)).to_have_count(1)
    chat.stop()
    expect(ada.locator(".link-state")).to_contain_text("No connection")
    for number in range(5):
        say(ada, f"away {number}")
    expect(ada.locator(".msg.unsent")).to_have_count(5)
    expect(ada.locator(".link-state")).to_contain_text("5 waiting to be sent")
    clock = ada.locator(".msg.unsent .tick use").first.evaluate(
        "use => document.querySelector(use.getAttribute('href'))?.tagName"
    )
    assert clock == "symbol"  # shown for the first time while nothing can be loaded
    chat.restart()
    said = ["before", *(f"away {number}" for number in range(5))]
    expect(bubbles(wei)).to_have_text(said)
    expect(ada.locator(".msg:not(.unsent) .bubble")).to_have_text(said)
    expect(ada.locator(".link-state")).to_be_hidden()


def test_what_was_unsent_when_the_page_was_closed_is_sent_by_the_next_one(enter: Entrance, chat: Chat) -> None:
    ada, wei = enter("ada"), enter("wei")
    go(ada, "Quay")
    go(wei, "Quay")
    chat.stop()
    expect(ada.locator(".link-state")).to_contain_text("No connection")
    say(ada, "kept")
    expect(ada.locator(".msg.unsent")).to_have_count(1)
    later = ada.context.new_page()
    ada.close()
    chat.restart()
    later.goto(chat.url)
    expect(bubbles(wei)).to_have_text(["kept"])


def test_what_happened_meanwhile_is_there_afterwards(enter: Entrance, chat: Chat) -> None:
    page = enter("wei")
    go(page, "Quay")
    page.context.set_offline(True)
    chat.stop()
    chat.restart()
    chat.say(1, 1, *(f"meanwhile {number}" for number in range(30)))
    page.context.set_offline(False)
    expect(bubbles(page)).to_have_text([f"meanwhile {number}" for number in range(30)])


def test_a_long_absence_leaves_a_row_that_loads_what_is_missing(enter: Entrance, chat: Chat) -> None:
    chat.say(1, 1, *(f"line {number}" for number in range(1300)))
    page = enter("wei")
    page.locator(".item", has_text="Quay").click()
    expect(bubbles(page).last).to_have_text("line 1299")
    expect(bubbles(page)).to_have_count(80)
    page.locator(".scroll").evaluate("element => element.scrollTo(0, 0)")
    expect(bubbles(page)).to_have_count(180)
    expect(page.locator(".msg").filter(has_text="line 1220").first).to_be_in_viewport()


def lose_the_last(change: Change) -> None:
    """Make the room's log end one event earlier, as an older copy of it does."""
    (seq,) = change.db.execute("SELECT head FROM conversation WHERE id = 1").fetchone()
    change.db.execute("DELETE FROM found WHERE rowid = ?", (row_of(1, seq),))
    change.db.execute("DELETE FROM event WHERE conversation = 1 AND seq = ?", (seq,))
    change.db.execute("UPDATE conversation SET head = head - 1 WHERE id = 1")


@pytest.mark.parametrize("is_told", [True, False], ids=["another-epoch", "the-same-epoch"])
def test_after_an_older_copy_is_restored_no_page_shows_what_is_not_in_it(
    enter: Entrance, chat: Chat, is_told: bool
) -> None:
    def restore(change: Change, hashed: str) -> None:
        lose_the_last(change)
        if is_told:
            renew_epoch(change.db)

    page = enter("ada")
    go(page, "Quay")
    for text in ("one", "two", "three"):
        say(page, text)
    expect(page.locator(".msg:not(.unsent)")).to_have_count(3)
    page.context.set_offline(True)
    chat.stop()
    chat.restart(restore)
    chat.stop()
    chat.restart()
    page.context.set_offline(False)
    expect(bubbles(page)).to_have_text(["one", "two"])
    say(page, "again three")
    expect(page.locator(".msg:not(.unsent) .bubble")).to_have_text(["one", "two", "again three"])


# On a phone


def test_a_phone_shows_the_list_or_the_thread(enter: Entrance) -> None:
    page = enter("ada", viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    expect(page.locator(".app > main")).to_be_hidden()
    go(page, "Quay")
    expect(page.locator(".side")).to_be_hidden()
    page.locator(".composer textarea").fill("from the quay")
    page.get_by_role("button", name="Send").tap()
    expect(bubbles(page)).to_have_text(["from the quay"])
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.go_back()
    expect(page.locator(".side")).to_be_visible()


# What the server refuses


def test_what_is_refused_is_kept_until_it_is_tried_again_or_thrown_away(enter: Entrance, chat: Chat) -> None:
    ada = enter("ada")
    go(ada, "Quay")
    chat.stop()
    expect(ada.locator(".link-state")).to_contain_text("No connection")
    say(ada, "too late")
    chat.restart(lambda change, hashed: rooms.leave(change, 1, 1))
    expect(ada.locator(".composer form")).to_be_hidden()
    expect(ada.locator(".msg.failed .foot")).to_contain_text("Not sent: You are not allowed to do that.")
    expect(ada.locator(".link-state")).to_contain_text("1 not sent")
    ada.locator(".link-state").get_by_role("button", name="Not sent yet").click()
    ada.get_by_role("dialog").get_by_role("button", name="Discard").click()
    expect(ada.get_by_role("dialog")).to_have_count(0)
    expect(ada.locator(".msg.unsent")).to_have_count(0)
    expect(ada.locator(".link-state")).to_be_hidden()


def test_a_flood_slows_down_and_arrives_in_order(enter: Entrance) -> None:
    ada, wei = enter("ada"), enter("wei")
    go(ada, "Quay")
    go(wei, "Quay")
    for number in range(90):  # more than a person may send at once
        say(ada, f"wave {number}")
    expect(bubbles(wei)).to_have_text([f"wave {number}" for number in range(90)], timeout=20_000)
    expect(ada.locator(".msg.unsent")).to_have_count(0)


# Who is here, and what they have got


def test_who_comes_and_goes_is_seen_without_asking(enter: Entrance) -> None:
    ada, wei = enter("ada"), enter("wei")
    ada.keyboard.press("Control+k")
    ada.get_by_role("searchbox").fill("wei")
    ada.get_by_role("dialog").locator(".item", has_text="Wei").click()
    expect(ada.locator(".top p")).to_have_text("online")
    expect(ada.locator(".item", has_text="Wei").locator(".dot.on")).to_have_count(1)
    wei.context.close()
    expect(ada.locator(".top p")).to_have_text("not here now")
    expect(ada.locator(".dot.on")).to_have_count(0)
    go(ada, "Quay")
    expect(ada.locator(".top p")).to_have_text("2 members · 1 online")
    enter("wei")
    expect(ada.locator(".top p")).to_have_text("2 members · 2 online")


def test_a_tick_says_what_has_arrived_and_what_was_read_also_after_a_reload(enter: Entrance) -> None:
    ada = enter("ada")
    go(ada, "Quay")
    say(ada, "Who has the key?")
    tick = ada.locator(".msg.mine .tick")
    expect(tick).to_have_attribute("title", "Sent")
    wei = enter("wei")
    expect(tick).to_have_attribute("title", "Delivered to Wei")
    ada.reload()
    expect(tick).to_have_attribute("title", "Delivered to Wei")
    wei.bring_to_front()
    go(wei, "Quay")
    expect(tick).to_have_attribute("title", "Read by Wei")
    wei.context.close()
    ada.reload()
    expect(tick).to_have_attribute("title", "Read by Wei")


def test_what_was_read_on_one_device_is_read_on_the_other(enter: Entrance, chat: Chat) -> None:
    here, there = enter("wei"), enter("wei")
    chat.say(1, 1, "Low water at nine")
    badge = there.locator(".item .badge")
    expect(badge).to_have_text("1")
    here.bring_to_front()
    go(here, "Quay")
    expect(badge).to_have_count(0)


# Contacts


def test_the_contact_book_has_people_and_addresses(enter: Entrance) -> None:
    ada = enter("ada", locale="zh-CN")
    ada.get_by_role("button", name="通讯录").click()
    dialog = ada.get_by_role("dialog", name="通讯录")
    expect(dialog.locator(".rows")).to_have_text("通讯录还是空的。")

    def add(name: str, who: str) -> None:
        dialog.locator("input[name=name]").fill(name)
        dialog.locator("input[name=who]").fill(who)
        dialog.get_by_role("button", name="添加").click()

    add("金老板", "udp://192.168.1.8:8081")
    expect(dialog.locator(".rows li")).to_contain_text(["金老板"])
    add("阿伟", "nobody at all")
    expect(dialog.get_by_role("alert")).to_contain_text("没有找到“nobody at all”")
    add("阿伟", "wei")
    expect(dialog.locator(".rows li")).to_have_count(2)
    add("老吴", "ftp://192.168.1.8")
    expect(ada.locator(".toast.bad")).to_be_visible()
    dialog.get_by_role("button", name="移除 金老板").click()
    ada.get_by_role("dialog", name="确定吗？").get_by_role("button", name="删除").click()
    expect(dialog.locator(".rows li")).to_have_count(1)
    dialog.get_by_role("button", name="给 阿伟 发消息").click()
    expect(ada.locator(".top h2")).to_have_text("Wei")


# Keys and fingers


def test_a_message_is_acted_on_by_keys(enter: Entrance) -> None:
    page = enter("ada")
    go(page, "Quay")
    say(page, "first")
    say(page, "second")
    expect(page.locator(".msg:not(.unsent)")).to_have_count(2)
    page.locator(".msg").last.focus()
    page.keyboard.press("ArrowUp")
    expect(page.locator(".msg").first).to_be_focused()
    page.keyboard.press("r")
    expect(page.locator(".context")).to_contain_text("Reply to Ada")
    page.keyboard.press("Escape")
    page.locator(".msg").first.focus()
    page.keyboard.press("+")
    page.keyboard.press("Enter")
    expect(page.locator(".marks button")).to_have_count(1)
    page.locator(".msg").first.focus()
    page.keyboard.press("e")
    expect(page.locator(".composer textarea")).to_have_value("first")
    page.keyboard.press("Escape")
    page.locator(".msg").first.focus()
    page.keyboard.press("Delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator(".msg.deleted")).to_have_count(1)


HOLD: Final = """row => row.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true, pointerType: "touch" }))"""


def test_a_long_press_shows_what_can_be_done(enter: Entrance) -> None:
    page = enter("ada", viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    go(page, "Quay")
    page.locator(".composer textarea").fill("from the quay")
    page.get_by_role("button", name="Send").tap()
    row = page.locator(".msg:not(.unsent)")
    row.evaluate(HOLD)
    reply = row.get_by_role("button", name="Reply")
    expect(reply).to_be_visible()
    box = reply.bounding_box()
    assert box is not None
    assert (box["width"] >= 44, box["height"] >= 44) == (True, True)
    reply.tap()
    expect(page.locator(".context")).to_contain_text("Reply to Ada")


# Where one was


def test_a_reload_stays_where_one_was_reading_and_asks_for_no_more_than_that(enter: Entrance, chat: Chat) -> None:
    chat.say(1, 1, *(f"line {number}" for number in range(400)))
    page = enter("wei")
    page.locator(".item", has_text="Quay").click()
    expect(bubbles(page).last).to_have_text("line 399")
    page.get_by_role("button", name="Load older messages").click()
    expect(bubbles(page).first).to_have_text("line 220")
    page.locator(".msg", has_text="line 240").evaluate("row => row.scrollIntoView()")
    expect(bubbles(page).filter(has_text="line 240")).to_be_in_viewport()
    page.reload()
    expect(bubbles(page).filter(has_text="line 240")).to_be_in_viewport()
    assert bubbles(page).count() < 250
