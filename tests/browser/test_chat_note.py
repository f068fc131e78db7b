"""The shared note in Chromium: several write in it at once, in two languages, over a server that goes away."""

import json
import random
import re
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Locator, Page, WebSocketRoute, expect
from tests.browser import test_chat_messenger as messenger
from tests.browser.test_chat_messenger import SETTLED_MS, Chat, Entrance, go

from portico.apps.chat import note_log
from portico.apps.chat.log import Change
from portico.apps.chat.notes import Edit, Part, apply, tidy, transform
from portico.apps.chat.schema import renew_epoch

chat = messenger.chat
enter = messenger.enter
CASES: Final = Path(__file__).parents[1] / "apps" / "chat" / "note_cases.json"


def field(page: Page) -> Locator:
    """Return the note's field."""
    return page.locator(".note textarea")


def open_note(page: Page, title: str = "Quay") -> Locator:
    """Open the note of a conversation; return its field."""
    go(page, title)
    page.get_by_role("button", name=re.compile("^(Shared note|共享笔记)$")).click()
    expect(field(page)).to_be_editable()
    return field(page)


def is_saved(page: Page) -> None:
    """Wait until the server has everything."""
    expect(page.locator(".note .state")).to_have_text(re.compile("^(Saved|已保存)$"))


def type_at(page: Page, at: int, text: str) -> None:
    """Put the caret somewhere and type."""
    field(page).evaluate("(element, at) => { element.focus(); element.setSelectionRange(at, at); }", at)
    page.keyboard.type(text)


class Cable:
    """The line of one page to the server, which can be cut and mended while the others' lines hold."""

    def __init__(self, page: Page) -> None:
        self._is_cut = False
        self._ends: list[WebSocketRoute] = []
        page.route_web_socket(re.compile("/ws$"), self._plug)
        page.reload()

    def _plug(self, end: WebSocketRoute) -> None:
        if self._is_cut:
            end.close()
        else:
            end.connect_to_server()
            self._ends.append(end)

    def cut(self) -> None:
        """Let nothing through."""
        self._is_cut = True
        self._ends.pop().close()

    def mend(self) -> None:
        """Let everything through from the next try on."""
        self._is_cut = False


def settle(*pages: Page) -> str:
    """Wait until all fields have the same text, and nobody has anything unsent; return the text."""
    for page in pages:
        is_saved(page)
    text = field(pages[0]).input_value()
    for page in pages:
        expect(field(page)).to_have_value(text)
        is_saved(page)
    assert field(pages[0]).input_value() == text
    return text


# The algebra, as the page has it and as the server has it


def draw_edit(chance: random.Random, text: str) -> Edit:
    """Make some edit of a text."""
    parts: list[Part] = []
    left = len(text)
    while left or chance.random() < 0.3:
        if chance.random() < 0.4:
            parts.append("".join(chance.choices("a7-打😀\n", k=chance.randint(1, 3))))
        step = chance.randint(0, left)
        parts.append(step if chance.random() < 0.6 else -step)
        left -= step
    return tidy(parts)


TRANSFORMED: Final = """async (cases) => {
    const { apply, transform, tidy } = await import("/page/edits.js");
    return cases.map(({ text, one, other }) => {
        const [first, second] = [tidy(one), tidy(other)];
        const [late, early] = [transform(second, first, false), transform(first, second, true)];
        return [late, early, apply(apply(text, first), late), apply(apply(text, second), early)];
    });
}"""


def test_the_page_transforms_as_the_server_does(enter: Entrance) -> None:
    chance = random.Random(7)
    cases: list[dict[str, Any]] = json.loads(CASES.read_text("utf-8"))
    for _ in range(1_500):
        text = "".join(chance.choices("a7-打😀\n", k=chance.randint(0, 12)))
        cases.append({"text": text, "one": draw_edit(chance, text), "other": draw_edit(chance, text)})
    found = enter("").evaluate(TRANSFORMED, cases)
    for case, (late, early, one_way, other_way) in zip(cases, found, strict=True):
        one, other = tidy(case["one"]), tidy(case["other"])
        assert tuple(late) == transform(other, one, is_first=False)
        assert tuple(early) == transform(one, other, is_first=True)
        assert one_way == other_way == apply(apply(case["text"], one), tuple(late))
        assert case.get("result", one_way) == one_way


MADE: Final = """async (cases) => {
    const { apply, compose, cut, difference, moved, size } = await import("/page/edits.js");
    const wrong = [];
    for (const { text, one, then, other, caret, most } of cases) {
        const middle = apply(text, one);
        const found = {
            compose: apply(text, compose(one, then)) === apply(middle, then),
            difference: apply(text, difference(text, other, Math.min(caret, other.length))) === other,
            whole: difference(text, other, caret).every((part) => typeof part !== "string" || part.isWellFormed()),
            cut: cut(one, most, most).reduce(apply, text) === middle,
            short: cut(one, most, 99)[0].reduce((sum, part) => sum + (part.length ? size(part) : 0), 0) <= most,
            ends: moved(text, one, text.length, false) === middle.length,
        };
        wrong.push(...Object.keys(found).filter((name) => !found[name]).map((name) => [name, text, one, then, other]));
    }
    return wrong;
}"""


def test_edits_are_put_together_cut_in_two_and_found_again(enter: Entrance) -> None:
    chance = random.Random(8)
    cases = []
    for _ in range(1_500):
        text, other = ("".join(chance.choices("a7-打😀😁\n", k=chance.randint(0, 9))) for _ in range(2))
        one = draw_edit(chance, text)
        then = draw_edit(chance, apply(text, one))
        numbers = {"caret": chance.randint(0, 9), "most": chance.randint(0, 4)}
        cases.append({"text": text, "one": one, "then": then, "other": other, **numbers})
    assert enter("").evaluate(MADE, cases) == []


# The page's own part, with a server that is slow, forgets to tell, and is away

MANY: Final = """async ([seed, count]) => {
    const { SharedNote } = await import("/page/shared.js");
    const { Refusal } = await import("/page/chat.js");
    const { apply, size, tidy, transform } = await import("/page/edits.js");
    let state = seed;
    const chance = (most) => Math.floor(most * ((state = (state * 48271) % 2147483647) / 2147483647));
    const soon = (work) => setTimeout(work, chance(8));
    const log = [];
    const lines = [];
    const act = {
        "note.close": () => ({}),
        "note.get": (me, { have }) => {
            const text = log.reduce((before, { edit }) => apply(before, edit), "");
            const known = have === undefined ? { text } : { edits: log.slice(have) };
            return { v: log.length, ...known, here: [], by: 0, at: 0 };
        },
        "note.edit": (me, { v, edit, cid }) => {
            if (!log.some((made) => made.f === me && made.cid === cid)) {
                const over = log.slice(v);
                const moved = over.reduce((mine, other) => transform(mine, other.edit, me < other.f), edit);
                log.push({ v: log.length + 1, f: me, edit: moved, cid, at: 0 });
                lines.forEach((line) => line.hear({ t: "st", c: 1, note: log.at(-1) }));
            }
            return act["note.get"](me, { have: v });
        },
    };
    class Line extends EventTarget {
        state = "online";
        asked = new Set();
        constructor(me) {
            super();
            this.store = { me, epoch: "e" };
            lines.push(this);
        }
        hear(frame) {
            if (chance(9)) {
                soon(() => this.state === "online" && this.dispatchEvent(new CustomEvent("frame", { detail: frame })));
            }
        }
        ask(op, values) {
            return new Promise((done, fail) => {
                this.asked.add(fail);
                soon(() => {
                    if (this.state === "online" && this.asked.has(fail)) {
                        const answer = act[op](this.store.me, structuredClone(values));
                        soon(() => this.asked.delete(fail) && done(answer));
                    }
                });
            });
        }
        turn(state) {
            this.state = state;
            this.asked.forEach((fail) => fail(new Refusal("offline")));
            this.asked.clear();
            this.dispatchEvent(new Event("state"));
        }
    }
    const wrong = [];
    const notes = Array.from({ length: count }, (_, at) => new SharedNote(new Line(at + 1), 1));
    const shown = new Map(notes.map((note) => [note, ""]));
    for (const note of notes) {
        note.addEventListener("edit", ({ detail }) => shown.set(note, apply(shown.get(note), detail.edit)));
        note.open();
    }
    const until = performance.now() + 5000;
    const letters = ["a", "7", "-", "打", "😀", "\\n"];
    while (performance.now() < until) {
        const note = notes[chance(count)];
        const length = size(note.text);
        const at = chance(length + 1);
        const edit = tidy([at, chance(4) ? letters[chance(6)] : -chance(Math.min(3, length - at + 1))]);
        if (note.is_known) {
            shown.set(note, apply(shown.get(note), edit));
            note.write(edit);
        }
        if (!chance(40)) {
            note.connection.turn(note.connection.state === "online" ? "waiting" : "online");
        }
        if (shown.get(note) !== note.text) {
            wrong.push([shown.get(note), note.text]);
        }
        await new Promise((done) => soon(done));
    }
    for (const note of notes) {
        note.connection.turn("online");
    }
    const is_over = (note) => note.is_saved && note.version === log.length;
    for (let left = 400; left && !notes.every(is_over); left -= 1) {
        await new Promise((done) => setTimeout(done, 25));
        notes.forEach((note) => note.open());
    }
    const text = log.reduce((before, { edit }) => apply(before, edit), "");
    notes.forEach((note) => note.end());
    return { wrong, over: notes.map(is_over), same: notes.map((note) => note.text === text), edits: log.length };
}"""


def test_many_pages_end_with_one_text_whatever_is_lost_on_the_way(enter: Entrance) -> None:
    found = enter("").evaluate(MANY, [4711, 4])
    assert found["wrong"] == []
    assert found["over"] == found["same"] == [True] * 4
    assert found["edits"] > 10


# Writing together


def test_two_write_at_once_in_both_languages(enter: Entrance) -> None:
    ada, wei = enter("ada"), enter("wei", locale="zh-CN", color_scheme="dark")
    open_note(ada)
    open_note(wei)
    type_at(ada, 0, "Low water: \nRopes: ")
    expect(field(wei)).to_have_value("Low water: \nRopes: ")
    expect(wei.locator(".note footer")).to_contain_text("Ada 正在编辑……")
    expect(wei.locator(".note .here")).to_have_attribute("title", "正在查看：Ada")
    for own, other in zip(["9", ":", "1", "5", "!"], "魏五😀船。", strict=True):
        ada.keyboard.press("End")
        type_at(ada, field(ada).input_value().index("\n"), own)
        type_at(wei, len(field(wei).evaluate("element => element.value")) + 9, other)
    assert settle(ada, wei) == "Low water: 9:15!\nRopes: 魏五😀船。"
    expect(ada.locator(".log .sys").last).to_have_text("Ada has changed the shared note")
    expect(ada.locator(".note footer")).to_contain_text("Last changed by ")


def test_two_write_at_the_same_place_while_one_is_cut_off(enter: Entrance) -> None:
    ada, wei = enter("ada"), enter("wei")
    cable = Cable(wei)
    open_note(ada)
    open_note(wei)
    type_at(ada, 0, "[]")
    assert settle(ada, wei) == "[]"
    cable.cut()
    expect(wei.locator(".link-state")).to_contain_text("No connection")
    for step in range(4):
        type_at(wei, 1 + 4 * step, "潮水😀")  # four units of UTF-16
        type_at(ada, 1 + 4 * step, "tide")
    expect(wei.locator(".note .state")).to_contain_text("kept here and sent later")
    field(wei).press("Control+End")
    wei.keyboard.type("!")
    cable.mend()
    assert settle(ada, wei) == f"[{'tide' * 4}{'潮水😀' * 4}]!"


def test_what_one_takes_out_takes_nothing_of_the_other_along(enter: Entrance) -> None:
    ada, wei = enter("ada"), enter("wei")
    cable = Cable(wei)
    open_note(ada).fill("one two three four five")
    open_note(wei)
    settle(ada, wei)
    cable.cut()
    expect(wei.locator(".link-state")).to_contain_text("No connection")
    type_at(wei, 9, "😀三")
    type_at(wei, 0, "零 ")
    field(ada).fill("five")
    is_saved(ada)
    cable.mend()
    assert settle(ada, wei) == "零 😀三five"


def test_the_caret_and_what_is_chosen_stay_where_they_are(enter: Entrance) -> None:
    ada, wei = enter("ada"), enter("wei")
    open_note(ada).fill("😀 low water")
    open_note(wei)
    settle(ada, wei)
    field(wei).evaluate("element => { element.focus(); element.setSelectionRange(3, 6); }")
    type_at(ada, 0, "今天 ")
    settle(ada, wei)
    assert field(wei).evaluate("element => element.value.slice(element.selectionStart, element.selectionEnd)") == "low"
    wei.keyboard.type("high")
    assert settle(ada, wei) == "今天 😀 high water"


def test_while_somebody_composes_a_character_the_field_is_left_alone(enter: Entrance) -> None:
    ada, wei = enter("ada"), enter("wei", locale="zh-CN")
    open_note(ada).fill("[]")
    open_note(wei)
    settle(ada, wei)
    type_at(wei, 1, "")
    method = wei.context.new_cdp_session(wei)
    method.send("Input.imeSetComposition", {"text": "chao shui", "selectionStart": 9, "selectionEnd": 9})
    type_at(ada, 0, "tide ")
    is_saved(ada)
    expect(wei.locator(".note footer")).to_contain_text("Ada")
    expect(field(wei)).to_have_value("[chao shui]")
    method.send("Input.insertText", {"text": "潮水"})
    assert settle(ada, wei) == "tide [潮水]"
    wei.keyboard.type("！")
    assert settle(ada, wei) == "tide [潮水！]"


def test_one_takes_back_what_one_has_written_and_nothing_of_the_others(enter: Entrance) -> None:
    ada, wei = enter("ada"), enter("wei")
    open_note(ada)
    open_note(wei)
    type_at(ada, 0, "low ")
    settle(ada, wei)
    type_at(wei, 4, "water ")
    settle(ada, wei)
    ada.wait_for_timeout(800)
    type_at(ada, 10, "at ten")
    settle(ada, wei)
    ada.keyboard.press("Control+z")
    assert settle(ada, wei) == "low water "
    ada.keyboard.press("Control+z")
    assert settle(ada, wei) == "water "
    ada.keyboard.press("Control+z")
    ada.keyboard.press("Control+y")
    ada.keyboard.press("Control+Shift+z")
    assert settle(ada, wei) == "low water at ten"


# Going away and coming back


def test_a_reload_loses_nothing_and_the_note_stays_open(enter: Entrance, chat: Chat) -> None:
    page = enter("ada")
    open_note(page).fill("kept")
    is_saved(page)
    chat.stop()
    expect(page.locator(".link-state")).to_contain_text("No connection")
    type_at(page, 4, " and 未发送")
    expect(page.locator(".note .state")).to_contain_text("sent later")
    chat.restart()
    page.reload()
    expect(field(page)).to_have_value("kept and 未发送")
    is_saved(page)
    page.reload()
    expect(field(page)).to_have_value("kept and 未发送")


def test_what_a_page_that_was_closed_left_unsent_is_sent_by_the_next_one(enter: Entrance, chat: Chat) -> None:
    ada, wei = enter("ada"), enter("wei")
    open_note(ada)
    open_note(wei).fill("here")
    settle(ada, wei)
    chat.stop()
    expect(ada.locator(".link-state")).to_contain_text("No connection")
    type_at(ada, 4, ", kept")
    expect(ada.locator(".note .state")).to_contain_text("sent later")
    later = ada.context.new_page()
    ada.close(run_before_unload=True)
    chat.restart(lambda change, hashed: append(change, " 另"))
    later.goto(chat.url)
    expect(field(wei)).to_have_value(re.compile("here, kept\n 另|here\n 另, kept"))


def append(change: Change, line: str) -> None:
    """Put a line under the note of the room, as Wei."""
    note_log.append(change, 2, 1, line)


def test_what_came_before_the_server_forgot_it_is_joined_with_the_text_of_now(enter: Entrance, chat: Chat) -> None:
    def forget(change: Change, hashed: str) -> None:
        append(change, "meanwhile")
        note_log.forget_edits(change, "room", 1 << 50)

    page = enter("ada")
    open_note(page).fill("one\ntwo")
    is_saved(page)
    chat.stop()
    expect(page.locator(".link-state")).to_contain_text("No connection")
    type_at(page, 3, " 一")
    chat.restart(forget)
    is_saved(page)
    expect(field(page)).to_have_value("one 一\ntwo\nmeanwhile")


def test_after_an_older_copy_is_restored_the_note_is_that_of_the_copy(enter: Entrance, chat: Chat) -> None:
    def restore(change: Change, hashed: str) -> None:
        change.db.execute("DELETE FROM note_edit")
        change.db.execute("DELETE FROM note")
        renew_epoch(change.db)
        for line in ("old", "and", "older"):
            append(change, line)

    page = enter("ada")
    open_note(page).fill("new")
    is_saved(page)
    page.context.set_offline(True)
    chat.stop()
    chat.restart(restore)
    chat.stop()
    chat.restart()
    page.context.set_offline(False)
    expect(field(page)).to_have_value("old\nand\nolder")
    type_at(page, 0, "very ")
    is_saved(page)
    page.reload()
    expect(field(page)).to_have_value("very old\nand\nolder")


# The rest


def test_a_long_text_is_pasted_in_several_edits(enter: Entrance) -> None:
    ada, wei = enter("ada"), enter("wei")
    open_note(ada)
    open_note(wei)
    text = "潮汐表 😀\n" * 4_000
    field(ada).evaluate("(element, text) => { element.value = text; element.dispatchEvent(new Event('input')); }", text)
    expect(field(wei)).to_have_value(text, timeout=2 * SETTLED_MS)
    field(wei).fill("gone")
    expect(field(ada)).to_have_value("gone")


def test_who_leaves_sees_no_more_of_it(enter: Entrance) -> None:
    ada, wei = enter("ada"), enter("wei")
    open_note(wei).fill("ours")
    open_note(ada)
    settle(ada, wei)
    wei.get_by_role("button", name="Members", exact=True).click()
    wei.get_by_role("button", name="Leave the room").click()
    wei.get_by_role("dialog", name="Are you sure?").get_by_role("button", name="Leave the room").click()
    expect(wei.locator(".note")).to_be_hidden()
    expect(wei.get_by_role("button", name="Shared note")).to_have_count(0)
    field(ada).fill("mine")
    is_saved(ada)
    wei.evaluate("location.hash = 'c1.note'")
    expect(wei.locator(".note")).to_be_hidden()
    assert "mine" not in wei.content()


def test_on_a_phone_the_note_is_the_whole_page_and_back_closes_it(enter: Entrance) -> None:
    page = enter("ada", viewport={"width": 390, "height": 780}, has_touch=True, is_mobile=True)
    open_note(page).fill("from the quay")
    expect(page.locator(".app > main")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    is_saved(page)
    page.go_back()
    expect(page.locator(".note")).to_be_hidden()
    expect(page.locator(".app > main")).to_be_visible()


def test_each_conversation_has_its_own_and_the_keyboard_closes_it(enter: Entrance) -> None:
    ada, wei = enter("ada"), enter("wei")
    ada.keyboard.press("Control+k")
    ada.get_by_role("searchbox").fill("wei")
    ada.get_by_role("dialog").locator(".item", has_text="Wei").click()
    open_note(ada, "Wei").fill("for the two of us")
    is_saved(ada)
    open_note(ada, "Quay").fill("for everybody")
    is_saved(ada)
    go(ada, "Wei")
    expect(ada.locator(".note")).to_be_hidden()
    expect(open_note(ada, "Wei")).to_have_value("for the two of us")
    field(ada).press("Escape")
    expect(ada.locator(".note")).to_be_hidden()
    expect(open_note(wei, "Ada")).to_have_value("for the two of us")
