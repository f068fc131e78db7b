// The desk of the agents: lists of visitors, an offer to accept, the conversation with its notes, who the visitor is.
//
//   entered -> Desk.run -> refresh (the lists) -> draw
//     desk/lists.js      the lists and the offer         desk/case.js       the case that is open, and who else looks
//     desk/visitor.js    who the visitor is              desk/dialogs.js    what an agent is asked
//     wall.js            the figures
//   "desk_list" of the server -> refresh
//
// What counts is asked of the server; whoever comes too late is told who was first. Keys do everything: see #acts.

import "./texts-messenger.js";
import "./texts-desk.js";
import { CaseView } from "./desk/case.js";
import { askReceiver, askUntil, showKeys } from "./desk/dialogs.js";
import { Lists, TABS, tick } from "./desk/lists.js";
import { Visitor } from "./desk/visitor.js";
import { entered, stateLine, turnAway } from "./entered.js";
import { Files } from "./files.js";
import { text } from "./texts.js";
import { complain, confirmed, h, iconButton, toast } from "./ui.js";
import { drawWall } from "./wall.js";

const STATES = ["available", "busy", "away"];
const WALL_MS = 10_000;

class Desk {
  constructor({ connection, store, me, op }) {
    Object.assign(this, { connection, store, me, op });
    this.files = new Files(connection);
    this.tab = "mine";
    this.lists = { mine: [], queue: [], all: [], closed: [] };
    this.current = 0;
    this.is_wall = false;
    this.available = "";
    this.has_missed = false; // whether this agent is away for an offer that ran out
    this.side = new Lists(this);
    this.case = new CaseView(this);
    this.visitor = new Visitor(this);
    this.#build();
  }

  #is_refreshing = false;
  #is_stale = false;

  #build() {
    this.switch = h("div", { class: "switch", role: "group", "aria-label": text("desk.availability") }, STATES.map((state) =>
      h("button", { type: "button", class: state, "data-state": state, onclick: () => this.setAvailable(state) }, text(`desk.${state}`))));
    this.missed = h("div", { class: "missed", role: "alert", hidden: true }, h("p", { class: "grow" }, text("desk.now_away")),
      h("button", { type: "button", class: "main", onclick: () => this.setAvailable("available") }, text("desk.available")));
    this.wall = h("section", { class: "wall", hidden: true });
    this.walls = h("button", { type: "button", class: "link", "aria-pressed": "false", onclick: () => this.toggleWall() }, text("desk.wall"));
    const nav = h("nav", {}, this.walls, h("a", { href: "/" }, text("desk.messenger")),
      this.me.kind === "admin" && h("a", { href: "/admin" }, text("desk.admin")));
    this.leave = h("header", { class: "homeward", hidden: true }, iconButton("back", text("desk.back"), () => this.toggleWall(), { class: "quiet back" }), h("h2", {}, text("desk.wall")));
    this.element = h("div", { class: "desk" },
      h("header", { class: "bar" }, h("h1", {}, h("img", { src: "/page/mark.svg", alt: "" }), text("desk.title")), this.switch, nav),
      this.side.element,
      h("main", {}, stateLine(this.connection), this.missed, this.side.offer, this.leave, this.case.elements, this.wall),
      this.visitor.element);
  }

  /** Show everything. */
  async run() {
    document.body.replaceChildren(this.element);
    document.title = text("desk.title");
    this.connection.addEventListener("frame", ({ detail }) => {
      this.case.hear(detail);
      if (detail.desk_list) {
        this.refresh();
      }
    });
    this.connection.addEventListener("state", ({ detail }) => detail === "online" && this.refresh());
    this.store.addEventListener("change", () => this.draw());
    this.files.addEventListener("change", () => (this.case.thread.draw(), this.draw()));
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

  /** Tell whether this agent has a case. */
  isMine(item) {
    return item.state === "open" && item.agent?.id === this.me.id;
  }

  /** Return how many messages of a case this agent has not read. */
  unread(item) {
    const known = this.store.conversations.get(item.c);
    return known && known.last >= 0 && this.isMine(item) ? known.unread(this.store.me) : 0;
  }

  /** Ask for the lists again. One at a time; what changes meanwhile is asked for once more. */
  async refresh() {
    if (this.#is_refreshing) {
      this.#is_stale = true;
      return;
    }
    this.#is_refreshing = true;
    const sought = this.current;
    try {
      const tabs = [...new Set(["mine", "queue", this.tab])];
      const answers = await Promise.all(tabs.map((tab) => this.connection.ask("desk.list", { tab })));
      answers.forEach((answer, at) => (this.lists[tabs[at]] = answer.items));
      await this.#keepCurrent(tabs);
      this.available = answers[0].available;
      this.has_missed = answers[0].missed;
      answers.flatMap((answer) => answer.items).forEach((item) => this.#learn(item));
      if (sought && sought === this.current && !this.find(sought)) {
        this.current = 0; // in none of the lists: there is no such case any more, as after a restore
        history.replaceState(null, "", location.pathname);
      }
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

  /** Say whether one wants visitors. */
  async setAvailable(state) {
    await this.do("desk.available", { state });
  }

  /** Open a case, or none with 0. */
  go(c) {
    this.is_wall = false;
    if (location.hash === (c ? `#c${c}` : "")) {
      this.#route();
    } else {
      location.hash = c ? `c${c}` : "";
    }
  }

  #route() {
    const c = Number(/^#c(\d{1,15})$/.exec(location.hash)?.[1] ?? 0);
    if (c !== this.current) {
      this.case.half = "talk";
      this.element.classList.remove("detailed");
    }
    this.current = c;
    this.draw();
    this.case.preview();
    if (c && !this.find(c)) {
      this.refresh();
    }
  }

  /** Say what was refused of what was asked for a case by itself. Of one that is gone, nothing: the lists tell that. */
  complainOf(error) {
    if (!["offline", "no_case", "forbidden"].includes(error.code)) {
      complain(error);
    }
  }

  /** Ask for something about a case, and look at the lists again. Returns whether it was done. */
  async do(op, values = {}) {
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

  /** Draw everything that has changed. */
  draw() {
    const item = this.is_wall ? undefined : this.find(this.current);
    this.element.classList.toggle("reading", Boolean(item) || this.is_wall);
    this.switch.querySelectorAll("button").forEach((each) => each.setAttribute("aria-pressed", String(each.dataset.state === this.available)));
    this.missed.hidden = !this.has_missed;
    this.walls.setAttribute("aria-pressed", String(this.is_wall));
    this.wall.hidden = this.leave.hidden = !this.is_wall;
    this.case.center.hidden = this.is_wall;
    this.side.draw();
    this.case.draw(item);
    this.visitor.draw(item);
    this.#tick();
    const unread = this.lists.mine.reduce((sum, each) => sum + this.unread(each), 0);
    const count = unread + this.lists.queue.length;
    document.title = count ? `(${count}) ${text("desk.title")}` : text("desk.title");
  }

  #tick() {
    tick(this.element, Date.now() + this.connection.skew_ms);
  }

  /** Show one of the lists. */
  async open(tab) {
    this.tab = tab;
    this.draw();
    await this.refresh();
  }

  // What is done

  /** Take the visitor that one is offered. */
  async accept(item) {
    if (await this.do("desk.accept", { c: item.c })) {
      this.tab = "mine";
      this.case.to_write = item.c;
      this.go(item.c);
    }
  }

  /** Claim a case. */
  async take(item) {
    if (await this.do("desk.take", { c: item.c, rev: item.rev })) {
      this.tab = "mine";
      this.case.to_write = item.c;
      this.draw();
    }
  }

  /** Hand a case on. */
  async transfer(item) {
    let found;
    try {
      const [{ agents }, { queues }] = await Promise.all([this.connection.ask("desk.agents"), this.connection.ask("desk.queues.list")]);
      found = await askReceiver({ agents, queues, me: this.me, current: item.queue });
    } catch (error) {
      complain(error);
    }
    if (found) {
      await this.do("desk.transfer", { c: item.c, rev: item.rev, ...found });
    }
  }

  /** Put a case off. */
  async snooze(item) {
    const until = await askUntil(Date.now() + this.connection.skew_ms);
    if (until) {
      await this.do("desk.snooze", { c: item.c, rev: item.rev, until });
    }
  }

  /** End a case. */
  async close(item) {
    if (await confirmed(text("desk.close_sure", { name: item.visitor.name }), text("desk.close"))) {
      await this.do("desk.close", { c: item.c, rev: item.rev });
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

  // Keys

  #step(by) {
    const at = this.shown.findIndex((item) => item.c === this.current);
    const next = this.shown[Math.min(this.shown.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
    if (next) {
      this.go(next.c);
      this.side.focus(next.c);
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
        this.side.focus();
      }
      return;
    }
    const act = this.#acts[event.key.toLowerCase()];
    if (act) {
      event.preventDefault();
      act(this.find(this.current));
    }
  }

  #acts = {
    "j": () => this.#step(1),
    "k": () => this.#step(-1),
    "r": (item) => item && this.case.turn("talk"),
    "n": (item) => item && this.case.turn("notes"),
    "t": (item) => item && this.isMine(item) && this.transfer(item),
    "s": (item) => item && this.isMine(item) && this.snooze(item),
    "e": (item) => item && item.state !== "closed" && this.close(item),
    "a": () => (this.side.offer.querySelector(".main") ?? this.case.top.querySelector('[data-act="take"]'))?.click(),
    "w": () => this.toggleWall(),
    "?": () => showKeys(),
    ...Object.fromEntries(TABS.map((tab, at) => [String(at + 1), () => this.open(tab)])),
  };
}

const found = await entered();
if (["agent", "admin"].includes(found.me.kind)) {
  await new Desk(found).run();
} else {
  found.connection.stop();
  turnAway(text("desk.not_staff"));
}
