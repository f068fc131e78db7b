"""Take the pictures of the desk for the documents: agents, visitors, the figures, the administration.

python docs/take_desk_pictures.py             all
python docs/take_desk_pictures.py NAME ...    those whose names begin so

As take_pictures.py, with stories of visitors in place of rooms.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from playwright.sync_api import Page, Route, sync_playwright
from take_pictures import CHROMIUM, FOLDER, NOW_MS, PHONE, STORIES, Chat, Picture, Story, enter, take

from portico.apps.chat import cases, desk_router, desk_settings, people
from portico.apps.chat.events import Claim, check
from portico.apps.chat.log import Change, append

MINUTE_MS: Final = 60_000
# The page of the site is answered here: it counts as one of the internet, which may not reach this machine.
FLAGS: Final = ["--no-sandbox", "--disable-gpu", "--disable-features=LocalNetworkAccessChecks"]
PAGE: Final = "https://harbour.example/berths"


class Visit(NamedTuple):
    """One visitor's conversation. minutes: before now. lines: who ("v" for the visitor, "n" for a note) and what.

    agent: the login of who has it, "" where it waits. end: "", "later", or "closed" with a rating.
    """

    name: str
    minutes: int
    lines: tuple[tuple[str, str], ...]
    agent: str = ""
    end: str = ""
    priority: int = 0


VISITS: Final = {
    "en": (
        Visit("Elin Sorsa", 210, (("v", "Is berth 2 free in May?"), ("wei", "It is, from the 4th.")), "wei", "closed"),
        Visit("Bo Larsen", 95, (("v", "Please call me about the crane fees."),), "wei", "later"),
        Visit(
            "Aylin Demir",
            14,
            (
                ("v", "Hello! Our yacht is 14 m long and draws 2.30 m. Would berth 4 do?"),
                ("wei", "Good morning! Berth 4 has 1.80 m at low water, so I'd rather offer you berth 6."),
                ("n", "Was here in 2024, berth 6 as well. Pays by card."),
                ("v", "Berth 6 is fine. From Friday to Sunday, with power?"),
            ),
            "wei",
        ),
        Visit("Visitor", 6, (("v", "How much is a night for 9 m?"),), "wei"),
        Visit("Jonas", 4, (("v", "Our engine has stopped near pier 2, can anybody tow us?"),), priority=2),
        Visit("Marek", 2, (("v", "Do you sell diesel on Sundays?"),)),
    ),
    "zh": (
        Visit("孙丽", 210, (("v", "五月份2号泊位有空吗？"), ("wei", "有的，4号起都空着。")), "wei", "closed"),
        Visit("吴刚", 95, (("v", "吊机费用的事，请给我回个电话。"),), "wei", "later"),
        Visit(
            "高敏",
            14,
            (
                ("v", "您好！我们的帆船长 14 米，吃水 2.3 米，能停4号泊位吗？"),
                ("wei", "早上好！4号泊位低潮时只有 1.8 米，建议您停6号。"),
                ("n", "2024 年来过，也是6号泊位，刷卡付款。"),
                ("v", "6号可以。周五到周日，带岸电，行吗？"),
            ),
            "wei",
        ),
        Visit("访客", 6, (("v", "9 米的船停一晚多少钱？"),), "wei"),
        Visit("郑浩", 4, (("v", "我们的发动机在2号码头附近停了，能派船拖一下吗？"),), priority=2),
        Visit("马宁", 2, (("v", "周日卖柴油吗？"),)),
    ),
}
CANNED: Final = {
    "en": (
        ("hi", "Greeting", "Good morning {{visitor.name}}, what can I do for you?"),
        ("fees", "Fees", "Fees are on our page."),
    ),
    "zh": (
        ("hi", "问候", "{{visitor.name}}您好，请问有什么可以帮您？"),
        ("fees", "收费标准", "收费标准见我们的网页。"),
    ),
}
GREETINGS: Final = {"en": "Ahoy! Ask us about berths, fees and tides.", "zh": "您好！泊位、收费、潮汐，都可以问我们。"}
SITE: Final = {
    "en": ("Berths for guests", "Twelve berths with power and water, from 6 to 18 m. Ask us for a place."),
    "zh": ("访客泊位", "十二个泊位，水电齐全，可停 6 至 18 米的船。欢迎咨询。"),
}


class Desk(Chat):
    """A chat whose desk has visitors."""

    def __init__(self, folder: Path, story: Story, language: str) -> None:
        super().__init__(folder, story)
        self._language = language

    def _tell(self, change: Change) -> dict[str, tuple[str, int]]:
        logins: dict[str, int] = {}
        for login, kind in (("root", "admin"), ("wei", "agent"), ("mira", "agent"), ("tomas", "agent")):
            logins[login] = people.add_person(change, kind, self.story.people.get(login, ("", "root"))[1], login=login)
        greeting = desk_settings.Setting(1, "Harbour" if self._language == "en" else "港口", False, 4, "", "")
        desk_settings.set_queue(change, greeting._replace(greeting=GREETINGS[self._language]), [])
        for short, title, text in CANNED[self._language]:
            desk_settings.set_canned(change, None, short, title, text)
        desk_router.set_available(change, logins["mira"], "busy")
        for visit in VISITS[self._language]:
            self._visit(change, visit, logins)
        return {login: (people.add_device(change, number, "Chromium"), number) for login, number in logins.items()}

    def _visit(self, change: Change, visit: Visit, logins: dict[str, int]) -> None:
        """Have a visitor come, be answered, and be let go."""
        then = change._replace(now_ms=NOW_MS - visit.minutes * MINUTE_MS)
        visitor = people.add_person(then, "visitor", visit.name)
        change.db.execute("UPDATE person SET language = ? WHERE id = ?", (self._language, visitor))
        case = cases.start(then, visitor, page=PAGE)
        for at, (who, text) in enumerate(visit.lines):
            then = then._replace(now_ms=NOW_MS - (visit.minutes - at) * MINUTE_MS)
            if who == "n":
                cases.note(then, logins[visit.agent], case, text)
                continue
            sender = visitor if who == "v" else logins[who]
            append(then, check(Claim(case.conversation, "msg", {"text": text}), sender, "ws"))
            if visit.agent and case.agent is None:
                case = cases.take(then, logins[visit.agent], case.conversation, case.revision)
        if visit.priority:
            cases.set_priority(then, logins["wei"], case, visit.priority)
        if visit.end == "later":
            cases.snooze(then, logins["wei"], case, NOW_MS + 3 * 60 * MINUTE_MS)
        if visit.end == "closed":
            cases.close(then, logins["wei"], case)
            cases.rate(then, visitor, case.conversation, 5)


# What is done before a picture is taken


def serve(page: Page, story: Story) -> None:
    """Open the conversation that is the longest, while the next visitor is offered."""
    page.locator(".offer .main").wait_for()
    page.locator(".list .item", has_text=VISITS[_language(page)][2].name).click()
    page.locator(".msg").last.wait_for()


def read_notes(page: Page, story: Story) -> None:
    """Open the notes of that conversation."""
    serve(page, story)
    page.locator("[data-act=notes]").click()
    page.locator(".notes .bubble").wait_for()


def look(page: Page, story: Story) -> None:
    """Look at the figures."""
    page.locator(".list .item").first.wait_for()
    page.keyboard.press("w")
    page.locator(".wall .agents").wait_for()


def administer(page: Page, story: Story) -> None:
    """Look at the opening hours."""
    page.locator(".rows .acts button").first.click()
    page.locator("dialog input[name=always]").uncheck()


def ask(page: Page, story: Story) -> None:
    """Ask something with the widget, on the page of a site."""
    is_zh = _language(page) == "zh"
    title, text = SITE[_language(page)]
    sheet = "body{font:18px/1.6 system-ui,sans-serif;margin:12vh 10vw;max-width:34rem;color:#234}h1{font-size:2.6rem}"
    site = f"<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'><title>{title}</title>"
    site += f"<style>{sheet}</style><h1>{title}</h1><p>{text}</p><script src=/widget.js async></script>"

    def answer(route: Route) -> None:
        route.fulfill(body=site, content_type="text/html")

    page.route("**/berths", answer)
    page.goto(page.url.replace("/widget", "/berths"))
    page.locator("button.bubble").click()
    page.locator("[name=name]").fill("高敏" if is_zh else "Aylin Demir")
    page.locator("[name=text]").fill("4号泊位周五有空吗？" if is_zh else "Is berth 4 free on Friday?")
    page.locator("form .main").click()
    page.locator(".log .msg:not(.wait)").wait_for()


def _language(page: Page) -> str:
    return str(page.evaluate("navigator.language"))[:2]


PICTURES: Final = [
    Picture("chat-desk-en", "/desk", "wei", "en", serve),
    Picture("chat-desk-zh", "/desk", "wei", "zh", serve),
    Picture("chat-desk-dark", "/desk", "wei", "en", read_notes, scheme="dark"),
    Picture("chat-desk-phone", "/desk", "wei", "zh", serve, PHONE),
    Picture("chat-wall-en", "/desk", "wei", "en", look),
    Picture("chat-wall-zh", "/desk", "wei", "zh", look),
    Picture("chat-admin-en", "/admin#queues", "root", "en", administer),
    Picture("chat-admin-zh", "/admin#queues", "root", "zh", administer),
    Picture("chat-widget-en", "/widget", "root", "en", ask),
    Picture("chat-widget-zh", "/widget", "root", "zh", ask),
    Picture("chat-widget-phone", "/widget", "root", "zh", ask, PHONE),
]


def main(wanted: list[str]) -> None:
    """Take those pictures whose names begin as wanted, or all."""
    chosen = [one for one in PICTURES if not wanted or one.name.startswith(tuple(wanted))]
    if not chosen:
        raise SystemExit(f"no picture begins so; there are {', '.join(one.name for one in PICTURES)}")
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for picture in chosen:
            story = STORIES[picture.language]
            with TemporaryDirectory() as folder:
                chat = Desk(Path(folder) / "chat", story, picture.language)
                with chat.opened():
                    other = enter(browser, chat, picture._replace(login="mira", path="/desk"))
                    other.locator(".list").wait_for()
                    page = enter(browser, chat, picture)
                    picture.act(page, story)
                    take(page, FOLDER / f"{picture.name}.webp")
                    print(f"{picture.name}: {(FOLDER / f'{picture.name}.webp').stat().st_size // 1000} kB")
                    for each in (other, page):
                        each.context.close()
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
