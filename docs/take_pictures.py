"""Take the pictures of the documents: pages of the chat, as people see them, into docs/pictures/.

python docs/take_pictures.py             all
python docs/take_pictures.py NAME ...    those whose names begin so

A row of PICTURES is a picture. The chat in it is made anew for each language, with a story of its own, and its clock
stands still, so that the next run differs where the pages do. Needs Debian's Chromium, and fonts with Chinese and with
emoji: apt-get install chromium fonts-noto-cjk fonts-noto-color-emoji
"""

import asyncio
import base64
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

from portico.apps.chat import people, rooms
from portico.apps.chat.events import Claim, check
from portico.apps.chat.log import Change, append, mark
from portico.apps.chat.premises import MESSAGES, Premises
from portico.server.http import HttpServer
from portico.settings import Limits

FOLDER = Path(__file__).parent / "pictures"
CHROMIUM = "/usr/bin/chromium"
NOW_MS = int(datetime(2026, 3, 12, 10, 24, tzinfo=UTC).timestamp() * 1000)
DAY_MIN = 24 * 60
WIDE, PHONE = (1280, 800), (390, 844)
QUALITY = 82  # of WebP; text stays sharp, and a picture well under 150 kB
SETTLED_MS = 10_000


class Picture(NamedTuple):
    """One picture. path: of the page. act: what is done before it is taken, given the page and the story."""

    name: str
    path: str
    login: str
    language: str
    act: Callable[[Page, "Story"], None]
    size: tuple[int, int] = WIDE
    scheme: str = "light"


class Story(NamedTuple):
    """What there is to see. title: of the chat. people: login to name; the first is the one who looks.

    rooms: title to the logins in it; private ones begin with "*". lines: minutes before now, where (a room, or a login
    for a direct conversation with the first), who, and what: a text, or (kind, index of the line it is about, value).
    open, unread: the room that is shown, and what the first has not read.
    """

    title: str
    people: dict[str, tuple[str, str]]
    rooms: dict[str, str]
    lines: list[tuple[int, str, str, Any]]
    open: str
    unread: tuple[str, ...]


EN = Story(
    "Harbour office",
    {
        "ada": ("user", "Ada Lindqvist"),
        "wei": ("agent", "Wei Chen"),
        "mira": ("user", "Mira Haddad"),
        "tomas": ("user", "Tomás Ferreira"),
        "noor": ("user", "Noor Jansen"),
        "box": ("peer", "berth-4 sensor"),
    },
    {"Quay": "ada wei mira tomas noor", "Night shift": "ada wei tomas", "*Crane repair": "ada mira wei box"},
    [
        (DAY_MIN + 95, "Quay", "tomas", "The Marta Søndergård is an hour late, so berth 4 stays free until noon."),
        (DAY_MIN + 91, "Quay", "wei", "Then I'd move the reefers there first. Who has the plan?"),
        (DAY_MIN + 84, "Quay", "ada", "I do: https://harbour.example/plan#thursday"),
        (900, "Night shift", "tomas", "All quiet. Lights on pier 2 are back."),
        (120, "box", "box", "berth 4: 1.82 m, rising"),
        (64, "Crane repair", "mira", "The part arrives on Friday, they say."),
        (62, "Crane repair", "box", "crane 2: oil 71 °C"),
        (47, "tomas", "tomas", "Could you cover Sunday for me?"),
        (45, "tomas", "ada", "Sure, if you take the 22nd."),
        (34, "Quay", "mira", "Low water is at nine tonight, not at eight. I've corrected the table in the office."),
        (33, "Quay", "mira", "Pilots know already."),
        (29, "Quay", "wei", "Thanks! That explains the soundings."),
        (28, "Quay", "noor", ("react", 9, "👍")),
        (28, "Quay", "ada", ("react", 9, "👍")),
        (27, "Quay", "wei", ("react", 10, "✅")),
        (12, "Quay", "ada", "Who takes the ropes for the Marta? She wants two at the bow."),
        (9, "Quay", "noor", ("reply", 15, "I can, with Tomás. We're on pier 3 anyway.")),
        (8, "Quay", "ada", "Perfect. 12:15 at the bollard with the yellow paint 🟡"),
        (6, "wei", "wei", "A visitor asks for the opening hours of the customs office. Monday to Friday, right?"),
        (5, "wei", "ada", "Right, eight to four."),
        (3, "mira", "mira", "Do you have the key to the store?"),
    ],
    "Quay",
    ("mira",),
)
ZH = Story(
    "港务办公室",
    {
        "ada": ("user", "林雅"),
        "wei": ("agent", "陈伟"),
        "mira": ("user", "赵敏"),
        "tomas": ("user", "周涛"),
        "noor": ("user", "何宁"),
        "box": ("peer", "4号泊位传感器"),
    },
    {"码头": "ada wei mira tomas noor", "夜班": "ada wei tomas", "*吊机维修": "ada mira wei box"},
    [
        (DAY_MIN + 95, "码头", "tomas", "“海顺”号晚点一小时，4号泊位中午前都空着。"),
        (DAY_MIN + 91, "码头", "wei", "那先把冷藏箱移过去吧。计划表在谁那里？"),
        (DAY_MIN + 84, "码头", "ada", "在我这儿：https://harbour.example/plan#thursday"),
        (900, "夜班", "tomas", "一切正常，2号码头的灯修好了。"),
        (120, "box", "box", "4号泊位：1.82 米，上涨"),
        (64, "吊机维修", "mira", "对方说配件周五到。"),
        (62, "吊机维修", "box", "2号吊机：油温 71 °C"),
        (47, "tomas", "tomas", "周日能帮我顶一下班吗？"),
        (45, "tomas", "ada", "可以，22号你替我就行。"),
        (34, "码头", "mira", "今晚低潮是九点，不是八点。办公室的潮汐表我已经改了。"),
        (33, "码头", "mira", "引航员那边已经知道了。"),
        (29, "码头", "wei", "谢谢！难怪测深数据对不上。"),
        (28, "码头", "noor", ("react", 9, "👍")),
        (28, "码头", "ada", ("react", 9, "👍")),
        (27, "码头", "wei", ("react", 10, "✅")),
        (12, "码头", "ada", "“海顺”号靠泊谁来带缆？船头要两个人。"),
        (9, "码头", "noor", ("reply", 15, "我和周涛去，我们正好在3号码头。")),
        (8, "码头", "ada", "好，12:15 在黄漆缆桩那边见 🟡"),
        (6, "wei", "wei", "有访客问海关办公室几点上班，周一到周五对吧？"),
        (5, "wei", "ada", "对，八点到四点。"),
        (3, "mira", "mira", "库房钥匙在你那里吗？"),
    ],
    "码头",
    ("mira",),
)
STORIES = {"en": EN, "zh": ZH}


# What is done before a picture is taken


def go(page: Page, story: Story) -> None:
    """Open the room that the story is about."""
    page.locator(".item", has_text=story.open).first.click()
    page.locator(".msg").last.wait_for()


def stay(page: Page, story: Story) -> None:
    """Look at the list."""
    page.locator(".item").first.wait_for()


PICTURES = [
    Picture("chat-messenger-en", "/", "ada", "en", go),
    Picture("chat-messenger-zh", "/", "ada", "zh", go),
    Picture("chat-messenger-dark", "/", "ada", "en", go, scheme="dark"),
    Picture("chat-messenger-phone", "/", "ada", "zh", go, PHONE),
    Picture("chat-messenger-phone-list", "/", "ada", "en", stay, PHONE),
]


# The chat that is seen


class Chat:
    """A chat on a loopback port, in a thread of its own, with a story told in it. tokens: by login."""

    def __init__(self, folder: Path, story: Story) -> None:
        self.story = story
        self.tokens: dict[str, tuple[str, int]] = {}
        self.url = ""
        self._folder = folder
        self._is_open = threading.Event()
        self._over = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    async def _serve(self) -> None:
        premises = Premises(self._folder, title=self.story.title, is_fast=True)
        premises.store.now_ms = lambda: NOW_MS
        await premises.start()
        self.tokens = await premises.store.write(self._tell)
        server = HttpServer(premises.handler, Limits(), messages=MESSAGES)
        with socket.create_server(("127.0.0.1", 0)) as sock:
            sock.setblocking(False)
            self.url = f"http://127.0.0.1:{sock.getsockname()[1]}"
            await server.open([sock])
            self._is_open.set()
            await self._over.wait()
            server.close([sock])
            server.abort()
        await premises.stop()
        premises.close()

    def _tell(self, change: Change) -> dict[str, tuple[str, int]]:
        """Tell the story, each line at its time."""
        story, before = self.story, change._replace(now_ms=NOW_MS - 3 * DAY_MIN * 60_000)
        persons = {
            login: people.add_person(before, kind, name, login=login) for login, (kind, name) in story.people.items()
        }
        viewer = next(iter(persons.values()))
        places: dict[str, int] = {}
        for name, logins in story.rooms.items():
            owner, *others = (persons[login] for login in logins.split())
            title = name.removeprefix("*")
            places[title] = rooms.make_room(before, owner, title, is_public=title == name)
            for other in others:
                rooms.add_member(before, places[title], other, by=owner)
        seqs: list[int] = []
        for minutes, place, login, said in story.lines:
            then = change._replace(now_ms=NOW_MS - minutes * 60_000)
            c = places.get(place) or rooms.direct(then, viewer, persons[place])
            seqs.append(append(then, check(_claim(c, said, seqs), persons[login], _way(story, login))).event.seq)
        for who in story.rooms[story.open].split():
            mark(change.db, persons[who], places[story.open], 1_000)
        for title, number in places.items():
            if title not in story.unread:
                mark(change.db, viewer, number, 1_000)
        for known in {place for _, place, _, _ in story.lines} - set(places) - set(story.unread):
            mark(change.db, viewer, rooms.direct(change, viewer, persons[known]), 1_000)
        return {login: (people.add_device(before, number, "Chromium"), number) for login, number in persons.items()}

    @contextmanager
    def opened(self) -> Iterator["Chat"]:
        """Serve, as long as this is entered."""
        self._thread.start()
        try:
            if not self._is_open.wait(SETTLED_MS / 1000):
                raise SystemExit("the chat did not start; see above")
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._over.set)
            self._thread.join(SETTLED_MS / 1000)


def _claim(conversation: int, said: Any, seqs: list[int]) -> Claim:
    if isinstance(said, str):
        return Claim(conversation, "msg", {"text": said})
    kind, line, value = said
    if kind == "react":
        return Claim(conversation, "react", {"mark": value, "on": True}, seqs[line])
    return Claim(conversation, "msg", {"text": value}, seqs[line])


def _way(story: Story, login: str) -> str:
    return "udp" if story.people[login][0] == "peer" else "ws"


# Taking


def enter(browser: Browser, chat: Chat, picture: Picture) -> Page:
    """Open a page for somebody, at the story's time."""
    width, height = picture.size
    is_phone = picture.size == PHONE
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=2 if is_phone else 1.25,
        has_touch=is_phone,
        is_mobile=is_phone,
        color_scheme=picture.scheme,  # type: ignore[arg-type]
        locale={"en": "en-GB", "zh": "zh-CN"}[picture.language],
        timezone_id="UTC",
        reduced_motion="reduce",
    )
    context.set_default_timeout(SETTLED_MS)
    token, number = chat.tokens[picture.login]
    device = json.dumps(json.dumps({"token": token, "me": number}))
    context.add_init_script(f"localStorage.setItem('portico.chat.device', {device})")
    page = context.new_page()
    page.clock.set_fixed_time(datetime.fromtimestamp(NOW_MS / 1000, UTC))
    page.goto(chat.url + picture.path)
    return page


def take(page: Page, path: Path) -> None:
    """Write a picture."""
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(400)  # what was asked for is drawn
    session = page.context.new_cdp_session(page)
    found = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    path.write_bytes(base64.b64decode(found["data"]))


def main(wanted: list[str]) -> None:
    """Take those pictures whose names begin as wanted, or all."""
    chosen = [one for one in PICTURES if not wanted or one.name.startswith(tuple(wanted))]
    if not chosen:
        raise SystemExit(f"no picture begins so; there are {', '.join(one.name for one in PICTURES)}")
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for picture in chosen:
            story = STORIES[picture.language]
            with TemporaryDirectory() as folder, Chat(Path(folder) / "chat", story).opened() as chat:
                others = [
                    enter(browser, chat, picture._replace(login=login, path="/")) for login in list(story.people)[1:4]
                ]
                page = enter(browser, chat, picture)
                picture.act(page, story)
                take(page, FOLDER / f"{picture.name}.webp")
                print(f"{picture.name}: {(FOLDER / f'{picture.name}.webp').stat().st_size // 1000} kB")
                for each in (*others, page):
                    each.context.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
