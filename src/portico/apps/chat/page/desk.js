// The desk of the agents: lists of visitors, an offer to accept, the conversation with its notes, who the visitor is.
//
//   entered -> Desk.run -> refresh (the lists) -> draw
//   "desk_list" of the server -> refresh
//
// What counts is asked of the server; whoever comes too late is told who was first. Keys do everything: see KEYS.

import "./texts-messenger.js";
import "./texts-desk.js";
import { entered, stateLine, turnAway } from "./entered.js";
import { Files } from "./files.js";
import { Picker } from "./picker.js";
import { text } from "./texts.js";
import { Thread } from "./thread.js";
import { avatar, complain, confirmed, dialog, h, iconButton, moment, shortly, toast } from "./ui.js";
import { drawWall, span } from "./wall.js";

const TABS = ["mine", "queue", "all", "closed"];
const STATES = ["available", "busy", "away"];
const LATE_MS = 3 * 60_000;
const WALL_MS = 10_000;
const KEYS = [
  [["J", "K"], "list"], [["R"], "reply"], [["N"], "notes"], [["T"], "transfer"], [["E"], "close"], [["A"], "accept"],
  [["1", "2", "3", "4"], "tabs"], [["W"], "wall"], [["Esc"], "leave"],
];

class Desk {
  constructor({ connection, store, me, op }) {
    Object.assign(this, { connection, store, me, op });
    this.files = new Files(connection);
    const can = { react: false, reply: true, edit: true };
    this.thread = new Thread({ connection, store, files: this.files, can });
    this.notes = new Thread({ connection, store, files: null, can: { react: true, reply: true, edit: true } });
    this.picker = new Picker(this.thread, (c) => this.connection.ask("desk.canned.list", { c }));
    this.thread.element.insertBefore(this.picker.element, this.thread.composer.element);
    this.tab = "mine";
    this.half = "talk";
    this.lists = { mine: [], queue: [], all: [], closed: [] };
    this.current = 0;
    this.is_wall = false;
    this.is_to_write = false; // as soon as there is something to write into
    this.is_leaving = false; // whether a change of the availability is this person's own
    this.available = "";
    this.#build();
  }

  #is_refreshing = false;
  #is_stale = false;
  #signatures = new Map(); // element to what it was drawn from

  #build() {
    this.switch = h("div", { class: "switch", role: "group", "aria-label": text("desk.availability") }, STATES.map((state) =>
      h("button", { type: "button", class: state, "data-state": state, onclick: () => this.setAvailable(state) }, text(`desk.${state}`))));
    this.tabs = h("div", { class: "tabs", role: "tablist", "aria-label": text("desk.tabs") });
    this.list = h("div", { class: "list" });
    this.offer = h("div", { class: "offer", role: "alert", hidden: true });
    this.hint = h("div", { class: "hint", role: "status", hidden: true });
    this.top = h("header", { class: "top" });
    this.halves = h("div", { class: "halves", role: "tablist" });
    this.center = h("div", { class: "thread" });
    this.visitor = h("aside", { class: "visitor", "aria-label": text("desk.details") });
    this.wall = h("section", { class: "wall" });
    const nav = h("nav", {}, h("button", { type: "button", class: "link", onclick: () => this.toggleWall() }, text("desk.wall")),
      h("a", { href: "/" }, text("desk.messenger")), this.me.kind === "admin" && h("a", { href: "/admin" }, text("desk.admin")));
    this.element = h("div", { class: "desk" },
      h("header", { class: "bar" }, h("h1", {}, h("img", { src: "/page/mark.svg", alt: "" }), text("desk.title")), this.switch, nav),
      h("nav", { class: "side", "aria-label": text("desk.tabs") }, this.tabs, this.list),
      h("main", {}, stateLine(this.connection), this.offer, this.top, this.hint, this.halves, this.center, this.wall),
      this.visitor);
  }

  /** Show everything. */
  async run() {
    document.body.replaceChildren(this.element);
    document.title = text("desk.title");
    this.connection.addEventListener("frame", ({ detail }) => detail.desk_list && this.refresh());
    this.connection.addEventListener("state", ({ detail }) => detail === "online" && this.refresh());
    this.store.addEventListener("change", () => this.draw());
    this.files.addEventListener("change", () => this.thread.draw());
    addEventListener("keydown", (event) => this.#key(event));
    addEventListener("hashchange", () => this.#route());
    setInterval(() => this.#tick(), 1000);
    setInterval(() => this.is_wall && document.visibilityState === "visible" && this.#askWall(), WALL_MS);
    await this.refresh();
    this.#route();
  }

  /** Return the cases in the list that is shown. */
  get shown() {
    return this.lists[this.tab];
  }

  /** Return a case that is in any of the lists, or undefined. */
  find(c) {
    return TABS.flatMap((tab) => this.lists[tab]).find((item) => item.c === c);
  }

  /** Ask for the lists again. One at a time; what changes meanwhile is asked for once more. */
  async refresh() {
    if (this.#is_refreshing) {
      this.#is_stale = true;
      return;
    }
    this.#is_refreshing = true;
    try {
      const tabs = [...new Set(["mine", "queue", this.tab])];
      const answers = await Promise.all(tabs.map((tab) => this.connection.ask("desk.list", { tab })));
      answers.forEach((answer, at) => (this.lists[tabs[at]] = answer.items));
      await this.#keepCurrent(tabs);
      this.#noteAvailable(answers[0].available);
      answers.flatMap((answer) => answer.items).forEach((item) => this.#learn(item));
      this.draw();
    } catch (error) {
      if (error.code !== "offline") {
        complain(error);
      }
    } finally {
      this.#is_refreshing = false;
      if (this.#is_stale) {
        this.#is_stale = false;
        this.refresh();
      }
    }
  }

  /** The case that is open may have left the list that it was in: look where it is now. */
  async #keepCurrent(asked) {
    if (!this.current || asked.some((tab) => this.lists[tab].some((item) => item.c === this.current))) {
      return;
    }
    for (const tab of ["all", "closed"].filter((each) => !asked.includes(each))) {
      this.lists[tab] = (await this.connection.ask("desk.list", { tab })).items;
    }
  }

  #learn(item) {
    const people = [item.visitor, item.agent, item.offered].filter(Boolean);
    const missing = people.filter((each) => this.store.people.get(each.id)?.name !== each.name);
    if (missing.length) {
      this.store.setPeople(Object.fromEntries(missing.map(({ id, name }) => [id, { name }])));
    }
  }

  #noteAvailable(state) {
    if (this.available === "available" && state === "away" && !this.is_leaving) {
      toast(text("desk.now_away"));
    }
    this.is_leaving = false;
    this.available = state;
  }

  /** Say whether one wants visitors. */
  async setAvailable(state) {
    this.is_leaving = true;
    await this.#do("desk.available", { state });
  }

  /** Open a case. */
  go(c) {
    this.is_wall = false;
    if (location.hash === `#c${c}`) {
      this.#route();
    } else {
      location.hash = c ? `c${c}` : "";
    }
  }

  #route() {
    const c = Number(/^#c(\d{1,15})$/.exec(location.hash)?.[1] ?? 0);
    if (c !== this.current) {
      this.half = "talk";
      this.element.classList.remove("detailed");
    }
    this.current = c;
    this.draw();
    this.#preview();
    if (c && !this.find(c)) {
      this.refresh();
    }
  }

  /** Ask for something about the case that is open, and look at the lists again. Returns whether it was done. */
  async #do(op, values = {}) {
    try {
      await this.connection.ask(op, values);
      await this.refresh();
      return true;
    } catch (error) {
      if (error.code === "taken") {
        toast(error.message, { kind: "bad" }); // by whom: the server knows
      } else {
        complain(error);
      }
      await this.refresh();
      return false;
    }
  }

  // What is to be seen

  draw() {
    const item = this.find(this.current);
    this.element.classList.toggle("reading", Boolean(item) || this.is_wall);
    this.switch.querySelectorAll("button").forEach((each) => each.setAttribute("aria-pressed", String(each.dataset.state === this.available)));
    this.#drawTabs();
    this.#drawList();
    this.#drawOffer();
    this.#drawCase(item);
    this.#drawVisitor(item);
    const unread = this.lists.mine.reduce((sum, each) => sum + this.#unread(each), 0);
    const count = unread + this.lists.queue.length;
    document.title = count ? `(${count}) ${text("desk.title")}` : text("desk.title");
  }

  /** Draw an element anew where what it is made from has changed. */
  #renew(element, from, make) {
    const signature = JSON.stringify(from);
    if (this.#signatures.get(element) !== signature) {
      this.#signatures.set(element, signature);
      const focused = element.contains(document.activeElement) && document.activeElement.dataset.act;
      element.replaceChildren(...[make()].flat(Infinity).filter(Boolean));
      focused && element.querySelector(`[data-act="${focused}"]`)?.focus();
    }
  }

  #drawTabs() {
    const counts = { mine: this.lists.mine.length, queue: this.lists.queue.length };
    this.#renew(this.tabs, [this.tab, counts], () => TABS.map((tab) =>
      h("button", { type: "button", role: "tab", "data-act": tab, "aria-selected": String(tab === this.tab), onclick: () => this.open(tab) },
        text(`desk.${tab}`), counts[tab] > 0 && h("span", { class: ["badge", tab === "mine" && "muted"] }, counts[tab]))));
  }

  /** Show one of the lists. */
  async open(tab) {
    this.tab = tab;
    this.draw();
    await this.refresh();
  }

  #unread(item) {
    const known = this.store.conversations.get(item.c);
    return known && known.last >= 0 && item.agent?.id === this.me.id && item.state === "open" ? known.unread(this.store.me) : 0;
  }

  #line(item) {
    const newest = this.store.conversations.get(item.c)?.newest();
    return newest && newest.at > (item.last?.at ?? 0) ? newest.text : (item.last?.text ?? "");
  }

  #drawList() {
    const from = this.shown.map((item) => [item, this.#unread(item), this.#line(item), item.c === this.current]);
    this.#renew(this.list, [this.tab, from], () => (this.shown.length
      ? h("ul", {}, this.shown.map((item) => h("li", {}, this.#item(item))))
      : h("p", { class: "nothing dim" }, text(`desk.none_${this.tab}`))));
    this.#tick();
  }

  #item(item) {
    const unread = this.#unread(item);
    const is_waiting = ["queued", "offered"].includes(item.state);
    const at = is_waiting ? h("time", { class: "wait", "data-since": item.since }) : h("time", {}, shortly(item.last?.at ?? item.since));
    const whose = item.state === "open" && item.agent?.id !== this.me.id ? item.agent?.name : item.state === "offered" ? item.offered?.name : "";
    return h("button", {
      type: "button", class: ["item", unread && "unread"], "data-act": `c${item.c}`, "data-c": item.c,
      "aria-current": item.c === this.current && "true", onclick: () => this.go(item.c),
    },
    avatar(item.visitor.name, item.visitor.id),
    h("span", { class: "name" }, h("span", { class: "cut" }, item.visitor.name), whose && h("span", { class: "tag" }, whose)), at,
    h("span", { class: "line cut" }, this.#line(item) || item.page || " "),
    unread > 0 && h("span", { class: "badge", "aria-label": text("desk.unread", { count: unread }) }, unread));
  }

  #drawOffer() {
    const item = this.lists.mine.find((each) => each.offered?.id === this.me.id);
    this.offer.hidden = !item;
    this.#renew(this.offer, item ? [item.c, item.due, item.last] : 0, () => item && [
      avatar(item.visitor.name, item.visitor.id),
      h("div", { class: "grow" }, h("b", { class: "cut" }, text("desk.offer", { name: item.visitor.name })), h("span", { class: "cut" }, item.last?.text ?? item.page)),
      h("span", { class: "left", "data-due": item.due }),
      h("button", { type: "button", class: "main", "data-act": "accept", onclick: () => this.accept(item) }, text("desk.accept")),
      h("button", { type: "button", "data-act": "decline", onclick: () => this.#do("desk.decline", { c: item.c }) }, text("desk.decline")),
    ]);
    this.#tick();
  }

  /** Take the visitor that one is offered. */
  async accept(item) {
    if (await this.#do("desk.accept", { c: item.c })) {
      this.tab = "mine";
      this.is_to_write = true;
      this.go(item.c);
    }
  }

  /** Claim a case. */
  async take(item) {
    if (await this.#do("desk.take", { c: item.c, rev: item.rev })) {
      this.tab = "mine";
      this.is_to_write = true;
      this.draw();
    }
  }

  #isMine(item) {
    return item.state === "open" && item.agent?.id === this.me.id;
  }

  #drawCase(item) {
    for (const element of [this.top, this.halves, this.center]) {
      element.hidden = this.is_wall || (!item && element !== this.center);
    }
    this.wall.hidden = !this.is_wall;
    this.hint.hidden = true;
    if (this.is_wall) {
      return;
    }
    if (!item) {
      this.#renew(this.center, [0], () => h("div", { class: "empty" }, h("img", { src: "/page/mark.svg", alt: "", width: 56, height: 56 }),
        h("h2", {}, text("desk.choose")), h("p", { class: "dim" }, text("desk.keys"))));
      return;
    }
    this.#drawTop(item);
    this.#drawHint(item);
    this.#renew(this.halves, [item.c, this.half], () => ["talk", "notes"].map((half) =>
      h("button", { type: "button", role: "tab", "data-act": half, "aria-selected": String(half === this.half), onclick: () => this.turn(half) }, text(`desk.${half}`))));
    if (this.half === "notes") {
      this.#drawNotes(item);
    } else {
      this.#drawTalk(item);
    }
  }

  #drawTop(item) {
    const is_mine = this.#isMine(item);
    const act = (name, label, onclick, kind = "") => h("button", { type: "button", class: kind, "data-act": name, onclick }, label);
    this.#renew(this.top, [item.c, item.state, item.visitor, item.agent, item.rev, is_mine], () => [
      iconButton("back", text("desk.back"), () => this.go(0), { class: "quiet back" }),
      avatar(item.visitor.name, item.visitor.id),
      h("div", { class: "grow" }, h("h2", { class: "cut", dir: "auto" }, item.visitor.name), h("p", { class: "dim cut", "data-line": true })),
      is_mine && act("transfer", text("desk.transfer"), () => this.transfer(item)),
      (is_mine || ["queued", "offered"].includes(item.state)) && act("close", text("desk.close"), () => this.close(item)),
      item.state === "closed" && act("reopen", text("desk.reopen"), () => this.#do("desk.reopen", { c: item.c }), "main"),
      ["queued", "offered"].includes(item.state) && act("take", text("desk.take"), () => this.take(item), "main"),
      h("span", { class: "only-narrow" }, iconButton("people", text("desk.details"), () => this.element.classList.toggle("detailed"))),
    ]);
    const line = { queued: "", offered: text("desk.offered_to", { name: item.offered?.name }), open: item.agent?.name, closed: text("desk.closed") }[item.state];
    const element = this.top.querySelector("[data-line]");
    if (item.state === "queued") {
      element.dataset.since = item.since;
      this.#tick();
    } else {
      delete element.dataset.since;
      element.textContent = line ?? "";
    }
  }

  #drawHint(item) {
    const writers = [item.c, item.staff].flatMap((c) => this.store.conversations.get(c)?.writers(this.store.me) ?? [])
      .filter((person) => person !== item.visitor.id).map((person) => this.store.name(person));
    const taken = item.state === "open" && !this.#isMine(item) && text("desk.taken", { name: item.agent?.name });
    const asked = this.#isMine(item) && item.offered && text("desk.transfer_asked", { name: item.offered.name });
    const said = (writers.length && text("desk.writing", { name: writers.join(", ") })) || taken || asked || "";
    this.hint.hidden = !said;
    this.hint.textContent = said;
  }

  #drawTalk(item) {
    const known = this.store.conversations.get(item.c);
    const is_member = known && known.last >= 0 && (this.#isMine(item) || (item.state === "closed" && item.agent?.id === this.me.id));
    if (is_member) {
      this.#renew(this.center, ["talk", item.c], () => this.thread.element);
      this.thread.open(item.c);
      if (this.is_to_write) {
        this.is_to_write = false;
        this.thread.composer.focus();
      }
    } else {
      const is_free = ["queued", "offered"].includes(item.state);
      this.#renew(this.center, ["preview", item.c, item.state], () => [
        h("div", { class: "preview", tabindex: 0 }, h("pre")),
        is_free && h("footer", {}, h("span", { class: "dim" }, text("desk.preview")), h("button", { type: "button", class: "main", "data-act": "take", onclick: () => this.take(this.find(item.c)) }, text("desk.take")))]);
      if (this.center.querySelector("pre")?.dataset.head !== String(item.head)) {
        this.#preview();
      }
    }
  }

  async #preview() {
    const item = this.find(this.current);
    const place = this.center.querySelector("pre");
    if (!item || !place) {
      return;
    }
    place.dataset.head = item.head;
    try {
      const answer = await this.connection.ask("desk.transcript", { c: item.c });
      place.textContent = answer.text || text("desk.empty");
    } catch (error) {
      place.textContent = "";
      if (error.code !== "offline") {
        complain(error);
      }
    }
  }

  #drawNotes(item) {
    const known = this.store.conversations.get(item.staff);
    const can_read = known && known.last >= 0 && !known.has_left;
    this.#renew(this.center, ["notes", item.c, Boolean(can_read)], () => {
      const hint = h("p", {}, text("desk.notes_hint"));
      if (can_read) {
        return h("div", { class: "notes" }, hint, this.notes.element);
      }
      const field = h("input", { "aria-label": text("desk.note_write"), placeholder: text("desk.note_write"), required: true, maxlength: 8192 });
      const onsubmit = async (event) => {
        event.preventDefault();
        await this.#do("desk.note", { c: item.c, text: field.value });
      };
      return h("div", { class: "notes" }, hint, h("form", { onsubmit }, field, h("button", { class: "main" }, text("save"))));
    });
    if (can_read) {
      this.notes.open(item.staff);
    }
  }

  #drawVisitor(item) {
    this.visitor.hidden = !item;
    const { visitor, queue } = item ?? {};
    const name = this.queues?.find((each) => each.id === queue)?.name;
    this.#renew(this.visitor, item && [item.c, visitor, item.page, item.contact, item.agent, item.score, item.comment, item.earlier, name], () => item && [
      h("div", { class: "who" }, avatar(visitor.name, visitor.id), h("b", { class: "grow" }, visitor.name),
        h("span", { class: "only-narrow" }, iconButton("close", text("close"), () => this.element.classList.remove("detailed")))),
      h("dl", {}, this.#facts(item, name).filter(([, value]) => value).map(([key, value]) => h("div", {}, h("dt", {}, text(key)), h("dd", {}, value)))),
    ]);
    if (item && !this.queues) {
      this.#askQueues();
    }
  }

  #facts(item, queue) {
    const language = { zh: "中文", en: "English" }[item.visitor.lang] ?? item.visitor.lang;
    const page = /^https?:\/\//.test(item.page) && h("a", { href: item.page, target: "_blank", rel: "noopener noreferrer nofollow" }, item.page);
    const rating = item.score && `${"★".repeat(item.score)}${"☆".repeat(5 - item.score)} ${item.comment}`;
    const earlier = item.earlier.map((c) =>
      h("button", { type: "button", class: "link", onclick: () => this.transcript(c) }, text("desk.earlier_one", { n: c })));
    return [
      ["desk.language", language], ["desk.page", page], ["desk.contact", item.contact], ["desk.since", moment(item.since)],
      ["desk.in_queue", queue], ["desk.agent", item.agent?.name], ["desk.rating", rating],
      ["desk.earlier", earlier.length ? earlier : text("desk.earlier_none")],
      ["desk.transcript", h("button", { type: "button", class: "link", onclick: () => this.transcript(item.c) }, text("desk.transcript"))],
    ];
  }

  async #askQueues() {
    this.queues = [];
    try {
      this.queues = (await this.connection.ask("desk.queues.list")).queues;
      this.draw();
    } catch {
      this.queues = null; // asked for again with the next case
    }
  }

  /** Show a conversation as text, to be copied. */
  async transcript(c) {
    try {
      const answer = await this.connection.ask("desk.transcript", { c });
      await dialog(text("desk.transcript"), () => h("pre", { class: "text", tabindex: 0 }, answer.text || text("desk.empty")), { wide: true });
    } catch (error) {
      complain(error);
    }
  }

  /** Turn to the conversation or to its notes. */
  turn(half) {
    this.half = half;
    this.is_to_write = half === "talk";
    this.draw();
    this.#preview();
    if (half === "notes") {
      (this.center.querySelector(".notes > form input") ?? this.notes.composer.field).focus();
    }
  }

  /** Hand a case on. */
  async transfer(item) {
    let found;
    try {
      const [{ agents }, { queues }] = await Promise.all([this.connection.ask("desk.agents"), this.connection.ask("desk.queues.list")]);
      const others = agents.filter((each) => each.online && each.id !== this.me.id);
      const choose = (close, value, ...parts) => h("li", {}, h("button", { type: "button", class: "grow", onclick: () => close(value) }, parts));
      found = await dialog(text("desk.transfer"), (close) => h("div", {},
        h("h3", {}, text("desk.transfer_agents")),
        others.length ? h("ul", { class: "rows" }, others.map((each) => choose(close, { to: each.id }, h("span", { class: "grow" }, each.name),
          h("span", { class: "tag" }, text(`desk.${each.available}`)), h("span", { class: "dim" }, text("desk.load", { n: each.load })))))
          : h("p", { class: "dim" }, text("desk.transfer_none")),
        h("h3", {}, text("desk.transfer_queues")),
        h("ul", { class: "rows" }, queues.map((each) => choose(close, { queue: each.id }, each.name)))));
    } catch (error) {
      complain(error);
    }
    if (found) {
      await this.#do("desk.transfer", { c: item.c, rev: item.rev, ...found });
    }
  }

  /** End a case. */
  async close(item) {
    if (await confirmed(text("desk.close_sure", { name: item.visitor.name }), text("desk.close"))) {
      await this.#do("desk.close", { c: item.c, rev: item.rev });
    }
  }

  /** Show the figures in place of a case, or the case again. */
  toggleWall() {
    this.is_wall = !this.is_wall;
    this.draw();
    if (this.is_wall) {
      this.#askWall();
    }
  }

  async #askWall() {
    try {
      drawWall(this.wall, await this.connection.ask("desk.stats"));
    } catch (error) {
      if (error.code !== "offline") {
        complain(error);
      }
    }
  }

  // Time and keys

  #tick() {
    const now = Date.now() + this.connection.skew_ms;
    for (const element of this.element.querySelectorAll("[data-since]")) {
      const waited_ms = now - Number(element.dataset.since);
      element.textContent = element.matches(".wait") ? span(waited_ms / 1000) : text("desk.waiting", { time: span(waited_ms / 1000) });
      element.classList.toggle("late", waited_ms > LATE_MS);
    }
    for (const element of this.element.querySelectorAll("[data-due]")) {
      element.textContent = text("desk.seconds", { n: Math.max(0, Math.ceil((Number(element.dataset.due) - now) / 1000)) });
    }
  }

  #step(by) {
    const at = this.shown.findIndex((item) => item.c === this.current);
    const next = this.shown[Math.min(this.shown.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
    if (next) {
      this.go(next.c);
      this.list.querySelector(`[data-c="${next.c}"]`)?.focus();
    }
  }

  #key(event) {
    const is_typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (document.querySelector("dialog[open]") || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (is_typing) {
      if (event.key === "Escape") {
        is_typing.blur();
        this.list.querySelector("[aria-current]")?.focus();
      }
      return;
    }
    const item = this.find(this.current);
    const act = this.#acts[event.key.toLowerCase()];
    if (act && (act.length === 0 || item)) {
      event.preventDefault();
      act(item);
    }
  }

  #acts = {
    "j": () => this.#step(1),
    "k": () => this.#step(-1),
    "r": (item) => item && this.turn("talk"),
    "n": (item) => item && this.turn("notes"),
    "t": (item) => this.#isMine(item) && this.transfer(item),
    "e": (item) => item.state !== "closed" && this.close(item),
    "a": () => this.offer.querySelector(".main")?.click() ?? this.top.querySelector('[data-act="take"]')?.click(),
    "w": () => this.toggleWall(),
    "?": () => this.#showKeys(),
    ...Object.fromEntries(TABS.map((tab, at) => [String(at + 1), () => this.open(tab)])),
  };

  #showKeys() {
    dialog(text("desk.shortcuts"), () => h("div", { class: "keys" }, KEYS.map(([keys, name]) =>
      [h("span", {}, keys.map((key) => [h("kbd", {}, key), " "])), h("span", {}, text(`desk.key_${name}`))])));
  }
}

const found = await entered();
if (["agent", "admin"].includes(found.me.kind)) {
  await new Desk(found).run();
} else {
  found.connection.stop();
  turnAway(text("desk.not_staff"));
}
