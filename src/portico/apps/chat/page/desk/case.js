// The case that is open: its head, who else has it open, the conversation or the notes.
//
// Whose case it is reads and writes its log; everybody else who serves the queue reads it as text. The notes are a log of
// their own, on another ground.

import { Picker } from "../picker.js";
import { text } from "../texts.js";
import { Thread } from "../thread.js";
import { avatar, h, icon, iconButton, moment } from "../ui.js";
import { Drawn } from "./drawn.js";
import { priorityMark } from "./lists.js";

const LOOK_MS = 15_000; // how often it is said what this agent has open
const WRITING_MS = 3_000;
const WAITING = ["queued", "offered"];

export class CaseView {
  /** desk: see desk.js. */
  constructor(desk) {
    this.desk = desk;
    const { connection, store, files } = desk;
    this.thread = new Thread({ connection, store, files, can: { react: false, reply: true, edit: true } });
    this.notes = new Thread({ connection, store, files: null, can: { react: true, reply: true, edit: true } });
    this.picker = new Picker(this.thread, (c) => connection.ask("desk.canned.list", { c }));
    this.thread.element.insertBefore(this.picker.element, this.thread.composer.element);
    this.half = "talk";
    this.to_write = 0; // the case that is written into as soon as there is something to write into
    this.top = h("header", { class: "top" });
    this.hint = h("div", { class: "hint", role: "status", hidden: true });
    this.halves = h("div", { class: "halves", role: "tablist", "aria-label": text("desk.halves") });
    this.center = h("div", { class: "thread" });
    this.elements = [this.top, this.hint, this.halves, this.center];
    for (const { composer } of [this.thread, this.notes]) {
      composer.field.addEventListener("input", () => this.#look(true));
    }
    setInterval(() => document.visibilityState === "visible" && this.#look(), LOOK_MS);
  }

  #drawn = new Drawn();
  #looked = { c: -1, at: 0, is_writing: false }; // -1: nothing has been said, not even that it is no case
  #looking = []; // who has the case open, as the server said last

  /** Draw a case, or that there is none. */
  draw(item) {
    this.#lookAt(item);
    this.top.hidden = this.halves.hidden = !item;
    this.hint.hidden = true;
    if (!item) {
      this.#drawn.renew(this.center, [0], () => h("div", { class: "empty" }, h("img", { src: "/page/mark.svg", alt: "", width: 56, height: 56 }),
        h("h2", {}, text("desk.choose")), h("p", { class: "dim keyed" }, text("desk.keys"))));
      return;
    }
    this.#drawTop(item);
    this.#drawHint(item);
    this.#drawn.renew(this.halves, [item.c, this.half], () => ["talk", "notes"].map((half) =>
      h("button", { type: "button", role: "tab", "data-act": half, "aria-selected": String(half === this.half), onclick: () => this.turn(half) }, text(`desk.${half}`))));
    if (this.half === "notes") {
      this.#drawNotes(item);
    } else {
      this.#drawTalk(item);
    }
  }

  /** Turn to the conversation or to its notes. */
  turn(half) {
    this.half = half;
    this.to_write = half === "talk" ? this.desk.current : 0;
    this.desk.draw();
    this.preview();
    if (half === "notes") {
      (this.center.querySelector(".notes > form input") ?? this.notes.composer.field).focus();
    }
  }

  #drawTop(item) {
    const { desk } = this;
    const is_mine = desk.isMine(item);
    const is_waiting = WAITING.includes(item.state);
    const act = (name, onclick, sign = "", kind = "") => h("button", { type: "button", class: kind, "data-act": name, title: text(`desk.${name}`), onclick },
      sign && icon(sign), h("span", {}, text(`desk.${name}`)));
    this.#drawn.renew(this.top, [item.c, item.state, item.visitor, item.agent, item.offered, item.due, item.rev, item.priority, is_mine], () => [
      iconButton("back", text("desk.back"), () => desk.go(0), { class: "quiet back" }),
      avatar(item.visitor.name, item.visitor.id),
      h("div", { class: "grow" }, h("h2", {}, item.priority !== 0 && priorityMark(item.priority), h("span", { class: "cut", dir: "auto" }, item.visitor.name)),
        h("p", { class: ["dim cut", item.state === "queued" && "since"], "data-since": item.state === "queued" && item.since }, this.#standing(item))),
      is_mine && act("transfer", () => desk.transfer(item), "forward"),
      is_mine && act("snooze", () => desk.snooze(item), "wait"),
      item.state !== "closed" && (is_mine || item.state !== "open") && act("close", () => desk.close(item), "check"),
      item.state === "closed" && act("reopen", () => desk.do("desk.reopen", { c: item.c }), "", "main"),
      (is_waiting || item.state === "snoozed") && act("take", () => desk.take(item), "", "main"),
      h("span", { class: "only-narrow" }, iconButton("people", text("desk.details"), () => desk.element.classList.toggle("detailed"))),
    ]);
  }

  #standing(item) {
    const ways = {
      offered: () => text("desk.offered_to", { name: item.offered?.name }),
      open: () => item.agent?.name,
      snoozed: () => text("desk.until", { at: moment(item.due) }),
      closed: () => text("desk.closed"),
    };
    return ways[item.state]?.() ?? "";
  }

  #drawHint(item) {
    const { desk } = this;
    const others = this.#looking.filter((each) => each.id !== desk.me.id);
    const names = (list) => list.map((each) => each.name).join(text("desk.comma"));
    const writers = others.filter((each) => each.writing);
    const readers = others.filter((each) => item.state !== "open" || each.id !== item.agent?.id);
    const taken = item.state === "open" && !desk.isMine(item) && text("desk.taken", { name: item.agent?.name });
    const asked = desk.isMine(item) && item.offered && text("desk.transfer_asked", { name: item.offered.name });
    const here = writers.length ? text("desk.writing", { name: names(writers) }) : readers.length && text("desk.looking", { name: names(readers) });
    const said = [taken || asked, here].filter(Boolean);
    this.hint.hidden = !said.length;
    this.hint.textContent = said.join(" ");
  }

  // who else is here

  /** Take what the server says of who has a case open. */
  hear(frame) {
    if (frame.looking && frame.c === this.#looked.c) {
      this.#looking = frame.looking;
      this.desk.draw();
    }
  }

  #lookAt(item) {
    const c = item?.c ?? 0;
    if (c !== this.#looked.c) {
      this.#looked = { c, at: 0, is_writing: false };
      this.#looking = [];
      this.#look();
    }
  }

  async #look(is_writing = false) {
    const { c, at } = this.#looked;
    const now = Date.now();
    if ((c <= 0 && (is_writing || at)) || (is_writing && this.#looked.is_writing && now - at < WRITING_MS)) {
      return;
    }
    this.#looked = { c, at: now, is_writing };
    try {
      this.hear({ c, ...(await this.desk.connection.ask("desk.look", { c, writing: is_writing })) });
    } catch {
      // said again soon; or the case is not this agent's to see any more, which the lists say
    }
  }

  // the conversation

  #drawTalk(item) {
    const { desk } = this;
    const known = desk.store.conversations.get(item.c);
    const was_mine = ["closed", "snoozed"].includes(item.state) && item.agent?.id === desk.me.id;
    const is_member = known && known.last >= 0 && (desk.isMine(item) || (was_mine && item.state === "closed"));
    if (is_member) {
      this.#drawn.renew(this.center, ["talk", item.c], () => this.thread.element);
      this.thread.open(item.c);
      if (this.to_write === item.c) {
        this.to_write = 0;
        this.thread.composer.focus();
      }
      return;
    }
    this.#drawn.renew(this.center, ["preview", item.c, item.state], () => [
      h("div", { class: "preview", tabindex: 0 }, h("pre", { dir: "auto" })),
      [...WAITING, "snoozed"].includes(item.state) && h("footer", {}, h("span", { class: "dim" }, text("desk.preview")),
        h("button", { type: "button", class: "main", "data-act": "take", onclick: () => desk.take(desk.find(item.c)) }, text("desk.take")))]);
    if (this.center.querySelector("pre")?.dataset.head !== String(item.head)) {
      this.preview();
    }
  }

  /** Ask for the text of the case that is open, where it is shown as text. */
  async preview() {
    const { desk } = this;
    const item = desk.find(desk.current);
    const place = this.center.querySelector(".preview pre");
    if (!item || !place) {
      return;
    }
    place.dataset.head = item.head;
    try {
      const answer = await desk.connection.ask("desk.transcript", { c: item.c });
      place.textContent = answer.text || text("desk.empty");
    } catch (error) {
      place.textContent = "";
      desk.complainOf(error);
    }
  }

  #drawNotes(item) {
    const { desk } = this;
    const known = desk.store.conversations.get(item.staff);
    const can_read = known && known.last >= 0 && !known.has_left;
    this.#drawn.renew(this.center, ["notes", item.c, Boolean(can_read)], () => {
      const hint = h("p", {}, icon("lock"), text("desk.notes_hint"));
      if (can_read) {
        return h("div", { class: "notes" }, hint, this.notes.element);
      }
      const field = h("input", { "aria-label": text("desk.note_write"), placeholder: text("desk.note_write"), required: true, maxlength: 8192 });
      const onsubmit = (event) => (event.preventDefault(), desk.do("desk.note", { c: item.c, text: field.value }));
      return h("div", { class: "notes" }, hint, h("form", { onsubmit }, field, h("button", { class: "main" }, text("save"))));
    });
    if (can_read) {
      this.notes.open(item.staff);
    }
  }
}
