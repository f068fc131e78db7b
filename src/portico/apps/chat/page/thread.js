// A conversation as it is read and written: rows for messages and what else happens, and the composer below.
//
//   open(id) -> draw -> rows (what is to be seen, each with a key and a signature) -> only what differs is made anew
//
// Scrolled to the end, it stays at the end; anywhere else, what is being read stays where it is. What has been seen is
// marked as read.

import { avatar, clock, complain, confirmed, day, dayOf, h, icon, iconButton, linked, moment, reason, toast, wayTag } from "./ui.js";
import { Composer } from "./composer.js";
import { text } from "./texts.js";

const FIRST_ROWS = 120;
const MORE_ROWS = 120;
const PAGE = 100;
const GROUP_MS = 5 * 60_000;
const NEAR_PX = 80;
const PRESS_MS = 450;
const KEYS = { "+": "smile", r: "reply", c: "copy", e: "pencil", delete: "trash", backspace: "trash" };
const PLACE = "portico.chat.place."; // where each conversation was left
const NAMES = 12; // of those who have read a message, in one line
export const MARKS = ["👍", "❤️", "😄", "🎉", "👀", "✅"];
const ONLY_PICTOGRAMS = /^(?:\p{Extended_Pictographic}(?:\uFE0F|\u200D\p{Extended_Pictographic}|\p{Emoji_Modifier})*){1,3}$/u;

export class Thread {
  /**
   * connection, store: see chat.js. files: see files.js, null for none. can: which of "react", "reply", "edit" and
   * "moderate" (a function of a conversation) this page offers.
   */
  constructor({ connection, store, files = null, can = { react: true, reply: true, edit: true } }) {
    this.connection = connection;
    this.store = store;
    this.files = files;
    this.can = can;
    this.id = 0;
    this.log = h("div", { class: "log", role: "log", "aria-live": "off", "aria-label": text("thread.messages") });
    this.scroll = h("div", { class: "scroll", tabindex: -1 }, this.log);
    this.typing = h("div", { class: "typing", "aria-live": "polite" });
    this.spoken = h("div", { class: "sr", role: "status", "aria-live": "polite" });
    this.down = h("button", { class: "bottom", type: "button", hidden: true, onclick: () => this.toEnd() },
      icon("down"), h("span", {}, text("thread.bottom")));
    this.composer = new Composer(this);
    this.composer.element.prepend(this.down);
    this.element = h("section", { class: "thread" }, this.scroll, this.typing, this.composer.element, this.spoken);
    this.scroll.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.log.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.is_at_end && this.toEnd()).observe(this.log);
    new ResizeObserver(() => this.is_at_end && this.toEnd()).observe(this.scroll);
    store.addEventListener("change", ({ detail }) => detail.conversations.has(this.id) && this.draw());
    files?.addEventListener("change", () => this.draw());
    store.addEventListener("event", ({ detail }) => this.#speak(detail));
    document.addEventListener("visibilitychange", () => this.#markSeen());
    addEventListener("focus", () => this.#markSeen());
    addEventListener("pagehide", () => this.#leave());
  }

  is_at_end = true;
  #top = 0;
  #rows = new Map(); // key to {element, signature}
  #limit = FIRST_ROWS;
  #new_from = 0; // the last seq that was read when the conversation was opened, 0 for no line
  #reacting = 0;
  #loading = new Set();
  #lit = 0;

  /** Return the conversation that is open, or undefined. */
  get conversation() {
    return this.store.conversations.get(this.id);
  }

  /** Show a conversation; 0 for none. at: the message to go to. */
  async open(id, { at = 0 } = {}) {
    if (this.id !== id) {
      this.#leave();
      this.composer.leave();
      this.id = id;
      this.#limit = FIRST_ROWS;
      this.#rows.clear();
      this.log.replaceChildren();
      this.#reacting = 0;
      this.is_at_end = true;
      const unread = this.conversation?.unread(this.store.me) ?? 0;
      this.#new_from = unread ? this.conversation.read : 0;
      this.composer.enter(id);
      this.draw();
      const place = unread || at ? 0 : left(id);
      if (unread) {
        this.log.querySelector(".newline")?.scrollIntoView({ block: "center" });
        this.#scrolled();
      } else if (place) {
        await this.#return(place);
      }
    }
    if (at) {
      await this.show(at);
    }
  }

  /** Go to a message, which is loaded first where it is not known. */
  async show(seq) {
    const conversation = this.conversation;
    if (!conversation.events.has(seq)) {
      try {
        await this.connection.get(this.id, { after: Math.max(0, seq - PAGE / 2), limit: PAGE });
      } catch (error) {
        complain(error);
        return;
      }
    }
    if (conversation !== this.conversation) {
      return;
    }
    this.#limit = Infinity;
    this.is_at_end = false;
    this.#lit = seq;
    this.draw();
    const row = this.log.querySelector(`[data-seq="${seq}"]`);
    row?.scrollIntoView({ block: "center" });
    row?.focus({ preventScroll: true });
    this.#lit = 0;
  }

  /** Go to where the conversation was left, as far as it is still there. */
  async #return({ seq, top }) {
    const { id } = this;
    if (!this.conversation.events.has(seq)) {
      await this.connection.get(id, { after: Math.max(0, seq - PAGE / 2), limit: PAGE }).catch(() => {});
    }
    if (this.id !== id) {
      return;
    }
    this.#limit = Infinity;
    this.is_at_end = false;
    this.draw();
    const row = this.log.querySelector(`[data-seq="${seq}"]`);
    if (row) {
      this.scroll.scrollTop += row.getBoundingClientRect().top - this.scroll.getBoundingClientRect().top - top;
    } else {
      this.toEnd();
    }
  }

  /** Note where the conversation is left, for when it is opened again, by a reload too. */
  #leave() {
    if (!this.id) {
      return;
    }
    const anchor = this.is_at_end ? null : this.#anchor();
    const seq = Number(anchor && this.#rows.get(anchor.key)?.element.dataset.seq);
    keepPlace(this.id, seq ? { seq, top: anchor.top - this.scroll.getBoundingClientRect().top } : null);
  }

  /** Go to the newest message. */
  toEnd() {
    this.is_at_end = true;
    this.scroll.scrollTop = this.scroll.scrollHeight;
    this.down.hidden = true;
    this.#markSeen();
  }

  /** Draw what has changed. */
  draw() {
    const conversation = this.conversation;
    if (!conversation) {
      this.log.replaceChildren();
      return;
    }
    const anchor = this.is_at_end ? null : this.#anchor();
    this.#place(this.#describe(conversation));
    const writers = conversation.writers(this.store.me).map((person) => this.store.name(person) || text("somebody"));
    const key = writers.length > 1 ? "thread.typing_many" : "thread.typing";
    this.typing.textContent = writers.length ? text(key, { names: writers.slice(0, 3).join(", ") }) : "";
    this.composer.draw();
    const row = this.#rows.get(anchor?.key)?.element;
    if (row) {
      this.scroll.scrollTop += row.getBoundingClientRect().top - anchor.top;
    } else if (this.is_at_end) {
      this.toEnd();
    }
  }

  // What is to be seen

  #describe(conversation) {
    const { store } = this;
    const rows = [];
    const items = conversation.items(this.#limit);
    const is_cut = items.length === this.#limit;
    if (is_cut) {
      rows.push({ key: "more", signature: "", make: () => this.#more() });
    } else if (!items[0]?.gap && conversation.last >= 0) {
      rows.push({ key: "begin", signature: "", make: () => h("p", { class: "sys" }, text("thread.begin")) });
    }
    let last = null; // the message above, for as long as one belongs to its group
    let last_day = 0;
    const meet = (at) => {
      if (dayOf(at) !== last_day) {
        last_day = dayOf(at);
        last = null;
        const name = day(at);
        rows.push({ key: `d${last_day}`, signature: name, make: () => h("h3", { class: "day" }, name) });
      }
    };
    let has_line = false;
    for (const { gap, event } of items) {
      if (gap) {
        last = null;
        rows.push(this.#gap(gap));
        continue;
      }
      const is_plain = conversation.kind === "direct" && event.k === "join"; // who is in it goes without saying
      if (is_plain) {
        continue;
      }
      if (event.k !== "msg" && !this.#happened(event)) {
        continue; // nothing that anybody has to be told
      }
      meet(event.at);
      if (!has_line && this.#new_from && event.s > this.#new_from && event.f !== store.me && event.k === "msg") {
        has_line = true;
        last = null;
        rows.push({ key: "new", signature: "", make: () => h("div", { class: "newline", role: "separator" }, text("thread.new")) });
      }
      if (event.k !== "msg") {
        last = null;
        const said = this.#happened(event);
        rows.push({ key: `s${event.s}`, signature: said, make: () => h("p", { class: "sys", "data-seq": event.s }, said) });
        continue;
      }
      const message = conversation.message(event.s);
      const is_head = !last || last.f !== message.f || message.at - last.at > GROUP_MS || message.ref !== undefined;
      rows.push(this.#message(conversation, message, is_head));
      last = message;
    }
    for (const entry of store.unsent(this.id)) {
      meet(entry.at);
      rows.push(this.#unsent(entry, !last || last.f !== store.me || entry.at - last.at > GROUP_MS));
      last = { f: store.me, at: entry.at };
    }
    return rows;
  }

  #happened(event) {
    const { b: body } = event;
    const by = this.store.name(event.f);
    const name = this.store.name(body.person ?? event.f);
    const is_own = (body.person ?? event.f) === event.f;
    const values = { ...body, by, name, agent: body.agent ? this.store.name(body.agent) : "" };
    const kind = { join: is_own ? "join" : "invited", leave: is_own ? "leave" : "removed" }[event.k] ?? event.k;
    const keys = event.k === "state" ? [`event.state_${body.why}`, `event.state_${body.state}`] : [`event.${kind}`];
    return keys.map((key) => text(key, values)).find((said) => !said.startsWith("event.")) ?? "";
  }

  #message(conversation, message, is_head) {
    const { store, files } = this;
    const is_mine = message.f === store.me;
    const named = (persons) => persons.map((person) => store.name(person)).filter(Boolean);
    const read = is_mine ? named(conversation.readers(message.s, store.me)) : [];
    const got = is_mine && !read.length ? named(conversation.receivers(message.s, store.me)) : [];
    const reply = message.ref ? conversation.message(message.ref) : null;
    const quoted = message.ref && { name: reply ? store.name(reply.f) : "", text: reply?.text ?? text("thread.gone") };
    const known = message.files.map((id) => files?.known(id) ?? null);
    const parts = { message, is_mine, is_head, read, got, quoted, known, name: store.name(message.f) };
    const is_reacting = this.#reacting === message.s;
    const signature = JSON.stringify([parts, is_reacting, this.#lit === message.s]);
    return { key: `m${message.s}`, signature, make: () => this.#makeMessage(conversation, parts, is_reacting) };
  }

  // Making rows

  #makeMessage(conversation, { message, is_mine, is_head, read, got, quoted, known, name }, is_reacting) {
    const is_big = message.files.length === 0 && ONLY_PICTOGRAMS.test(message.text);
    const classes = ["msg", is_mine && "mine", is_head && "head", message.deleted && "deleted", is_big && "big"];
    const label = `${is_mine ? text("you") : name}, ${clock(message.at)}: ${message.deleted ? text("thread.deleted") : message.text}`;
    return h("article", {
      class: [...classes, `tone${message.f % 6}`, this.#lit === message.s && "lit"],
      tabindex: -1, "data-seq": message.s, "aria-label": label,
      onclick: (event) => this.#tapped(event),
      onpointerdown: (event) => this.#pressed(event),
    },
    is_head && !is_mine && avatar(name, message.f),
    is_head && h("div", { class: "by" }, h("b", {}, name || text("somebody")),
      h("time", { datetime: new Date(message.at).toISOString(), title: moment(message.at) }, clock(message.at)),
      wayTag(message.via)),
    h("div", { class: "body" },
      this.#bubble(message, quoted, is_head),
      message.files.map((id, at) => this.files?.view(id, known[at])),
      message.marks.length > 0 && this.#marks(message)),
    this.#foot(message, is_mine, read, got),
    !message.deleted && this.#tools(conversation, message, is_mine, is_reacting));
  }

  #bubble(message, quoted, is_head) {
    if (message.deleted) {
      return h("div", { class: "bubble" }, text("thread.deleted"));
    }
    if (!message.text && !quoted) {
      return null;
    }
    const quote = quoted && h("button", { type: "button", class: "quote", onclick: () => this.show(message.ref) },
      quoted.name && h("b", {}, quoted.name), quoted.text || text("thread.file"));
    const title = is_head ? null : moment(message.at);
    return h("div", { class: "bubble", dir: "auto", title }, quote, linked(message.text));
  }

  #marks(message) {
    return h("div", { class: "marks" }, message.marks.map(({ mark, people }) => {
      const is_on = people.includes(this.store.me);
      const names = people.map((person) => this.store.name(person)).join(", ");
      const attributes = { type: "button", class: is_on && "on", title: names, "aria-pressed": String(is_on) };
      const onclick = () => this.#react(message.s, mark, !is_on);
      return h("button", { ...attributes, "aria-label": `${mark} ${people.length}: ${names}`, "data-act": `mark${mark}`, onclick },
        h("span", { class: "emoji" }, mark), h("span", {}, people.length));
    }));
  }

  #foot(message, is_mine, read, got) {
    const edited = message.edited > 0 && h("span", {}, text("thread.edited"));
    if (!is_mine || message.deleted) {
      return edited && h("div", { class: "foot" }, edited);
    }
    const names = (read.length ? read : got).slice(0, NAMES).join(text("comma"));
    const label = text(read.length ? "thread.read" : got.length ? "thread.got" : "thread.sent", { names });
    const tick = h("span", { class: ["tick", read.length && "seen"], title: label, role: "img", "aria-label": label },
      icon(read.length || got.length ? "checks" : "check"));
    return h("div", { class: "foot" }, edited, tick);
  }

  #tools(conversation, message, is_mine, is_reacting) {
    const { can } = this;
    if (conversation.has_left) {
      return null;
    }
    if (is_reacting) {
      const choose = (mark) => () => this.#react(message.s, mark, true);
      return h("div", { class: "tools marking", role: "toolbar", "aria-label": text("thread.react") },
        MARKS.map((mark) => h("button", { type: "button", class: "quiet", "aria-label": mark, onclick: choose(mark) }, h("span", { class: "emoji" }, mark))));
    }
    const tool = (name, key, label, act) => iconButton(name, label, act, { "data-act": name, "aria-keyshortcuts": key, title: `${label} (${key})` });
    const tools = [
      can.react && tool("smile", "+", text("thread.react"), () => this.#startReaction(message.s)),
      can.reply && tool("reply", "R", text("thread.reply"), () => this.composer.reply(message)),
      message.text && tool("copy", "C", text("copy"), () => copy(message.text)),
      can.edit && is_mine && message.text && tool("pencil", "E", text("edit"), () => this.composer.edit(message)),
      can.edit && (is_mine || can.moderate?.(conversation)) && tool("trash", "Del", text("delete"), () => this.delete(message.s)),
    ].filter(Boolean);
    return tools.length > 0 && h("div", { class: "tools", role: "toolbar", "aria-label": text("thread.more") }, tools);
  }

  #unsent(entry, is_head) {
    const why = entry.failed && reason({ code: entry.failed.code, message: entry.failed.why });
    const signature = JSON.stringify([entry, is_head]);
    const make = () => {
      const { outbox } = this.connection;
      const state = why
        ? [icon("warn"), text("thread.failed", { why }),
          h("button", { type: "button", class: "link", onclick: () => this.connection.retry(entry.cid) }, text("retry")),
          h("button", { type: "button", class: "link", onclick: () => outbox.discard(entry.cid) }, text("thread.discard"))]
        : h("span", { class: "tick", title: text("thread.unsent"), role: "img", "aria-label": text("thread.unsent") }, icon("wait"));
      const files = (entry.b.files ?? []).map((id) => this.files?.view(id, this.files.known(id)));
      return h("article", { class: ["msg mine unsent", is_head && "head", why && "failed"], tabindex: -1, "data-cid": entry.cid },
        h("div", { class: "body" },
          entry.b.text && h("div", { class: "bubble", dir: "auto" }, linked(entry.b.text)), files),
        h("div", { class: "foot" }, state));
    };
    return { key: `p${entry.cid}`, signature, make };
  }

  #gap(gap) {
    const is_top = gap.after < (this.conversation.seqs()[0] ?? 0);
    const label = text(is_top ? "thread.older" : "thread.gap");
    const make = () => h("div", { class: "gap" },
      h("button", { type: "button", onclick: () => this.#load(gap) }, label));
    return { key: `g${gap.before}`, signature: label, make };
  }

  #more() {
    return h("div", { class: "gap" },
      h("button", { type: "button", onclick: () => this.#showMore() }, text("thread.older")));
  }

  // Placing rows

  #place(rows) {
    const focused = document.activeElement;
    const kept = new Map();
    let next = this.log.firstChild;
    for (const { key, signature, make } of rows) {
      const known = this.#rows.get(key);
      const row = known?.signature === signature ? known : { element: make(), signature };
      if (known && known !== row && known.element.contains(focused)) {
        const act = focused.dataset.act;
        known.element.replaceWith(row.element);
        next = next === known.element ? row.element : next;
        (row.element.querySelector(`[data-act="${CSS.escape(act ?? "")}"]`) ?? row.element).focus({ preventScroll: true });
      }
      kept.set(key, row);
      if (row.element === next) {
        next = next.nextSibling;
      } else {
        this.log.insertBefore(row.element, next);
      }
    }
    while (next) {
      const gone = next;
      next = next.nextSibling;
      gone.remove();
    }
    this.#rows = kept;
    const messages = this.log.querySelectorAll(".msg");
    messages.forEach((row) => (row.tabIndex = -1));
    messages[messages.length - 1]?.setAttribute("tabindex", 0);
  }

  /** Return a row that is seen now and where it is, to have it there again after drawing. */
  #anchor() {
    const edge = this.scroll.getBoundingClientRect().top;
    for (const row of this.log.querySelectorAll("[data-seq]")) {
      const { top, bottom } = row.getBoundingClientRect();
      if (bottom > edge) {
        const key = [...this.#rows].find(([, { element }]) => element === row)?.[0];
        return { top, key };
      }
    }
    return null;
  }

  // What is done

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.scroll;
    const is_upwards = scrollTop < this.#top; // a picture that grows below before this is told of leads nobody away
    this.#top = scrollTop;
    this.is_at_end = scrollHeight - scrollTop - clientHeight < NEAR_PX || (this.is_at_end && !is_upwards);
    this.down.hidden = this.is_at_end;
    if (scrollTop < NEAR_PX && scrollHeight > clientHeight && this.log.firstElementChild?.matches(".gap")) {
      this.log.firstElementChild.querySelector("button").click(); // who scrolls to the top wants what is above
    }
    this.#markSeen();
  }

  #markSeen() {
    const conversation = this.conversation;
    if (!conversation || document.visibilityState !== "visible" || !document.hasFocus() || conversation.last < 1) {
      return;
    }
    let seen = conversation.last;
    if (!this.is_at_end) {
      const edge = this.scroll.getBoundingClientRect().bottom;
      const rows = [...this.log.querySelectorAll("[data-seq]")];
      seen = Number(rows.findLast((row) => row.getBoundingClientRect().bottom <= edge)?.dataset.seq ?? 0);
    }
    if (seen > conversation.read) {
      this.connection.mark(this.id, seen);
    }
  }

  #showMore() {
    this.#limit += MORE_ROWS;
    this.is_at_end = false;
    this.draw();
  }

  async #load({ after, before }) {
    const id = this.id;
    if (this.#loading.has(before)) {
      return;
    }
    this.#loading.add(before);
    try {
      this.#limit += PAGE;
      this.is_at_end = false;
      await this.connection.get(id, { before, limit: Math.min(PAGE, Math.max(1, before - after - 1)) });
    } catch (error) {
      complain(error);
    } finally {
      this.#loading.delete(before);
    }
  }

  #react(seq, mark, on) {
    this.#reacting = 0;
    this.connection.send(this.id, { mark, on }, { kind: "react", ref: seq });
    this.draw();
  }

  #startReaction(seq) {
    this.#reacting = seq;
    this.draw();
    this.log.querySelector(".marking button")?.focus();
  }

  /** Delete a message, after a question. */
  async delete(seq) {
    if (await confirmed(text("thread.delete_sure"), text("delete"))) {
      this.connection.send(this.id, {}, { kind: "del", ref: seq });
    }
  }

  /** Return the last message of this person that can be edited, or undefined. */
  lastOwn() {
    const conversation = this.conversation;
    const seq = conversation?.seqs().findLast((each) => {
      const message = conversation.message(each);
      return message?.f === this.store.me && !message.deleted && message.text;
    });
    return seq && conversation.message(seq);
  }

  /** Show the tools of one message, or of none, where there is no pointer that hovers. */
  #pick(row) {
    this.log.querySelectorAll(".picked").forEach((each) => each !== row && each.classList.remove("picked"));
    row?.classList.add("picked");
  }

  #tapped({ currentTarget: row, target }) {
    if (!target.closest("button, a") && getSelection().isCollapsed && matchMedia("(hover: none)").matches) {
      this.#pick(row.classList.contains("picked") ? null : row);
    }
  }

  #pressed({ currentTarget: row, pointerType, target }) {
    if (pointerType !== "touch" || target.closest(".tools")) {
      return;
    }
    const over = new AbortController();
    const { signal } = over;
    const timer = setTimeout(() => {
      over.abort();
      this.#pick(row);
      navigator.vibrate?.(12);
      const swallow = (event) => event.target.closest(".tools") || event.stopPropagation(); // the finger's own click
      row.addEventListener("click", swallow, { capture: true, once: true, signal: AbortSignal.timeout(1000) });
    }, PRESS_MS);
    for (const kind of ["pointerup", "pointercancel"]) { // a finger that begins to scroll cancels
      addEventListener(kind, () => {
        clearTimeout(timer);
        over.abort();
      }, { signal });
    }
    row.addEventListener("contextmenu", (event) => target.closest("a") || event.preventDefault(), { signal: AbortSignal.timeout(2000) });
  }

  #key(event) {
    const row = event.target.closest(".msg");
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (event.key === "Escape") {
      this.#reacting = 0;
      this.draw();
      this.composer.focus();
      event.stopPropagation();
    } else if (row && event.target === row && KEYS[event.key.toLowerCase()] && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const button = row.querySelector(`.tools [data-act="${KEYS[event.key.toLowerCase()]}"]`);
      if (button) {
        event.preventDefault();
        button.click();
      }
    } else if (row && step) {
      const rows = [...this.log.querySelectorAll(".msg")];
      const next = rows[rows.indexOf(row) + step];
      (next ?? (step > 0 ? this.composer.field : row)).focus();
      event.preventDefault();
    }
  }

  #speak({ conversation, event }) {
    if (conversation.id === this.id && event.k === "msg" && event.f !== this.store.me) {
      this.spoken.textContent = `${this.store.name(event.f)}: ${event.b.text || text("thread.file")}`;
    }
  }
}

async function copy(written) {
  try {
    await navigator.clipboard.writeText(written);
    toast(text("copied"));
  } catch {
    complain({ code: "no_clipboard" });
  }
}

function left(id) {
  try {
    return JSON.parse(sessionStorage.getItem(PLACE + id) ?? "null");
  } catch {
    return null; // no storage in this frame
  }
}

function keepPlace(id, place) {
  try {
    if (place) {
      sessionStorage.setItem(PLACE + id, JSON.stringify(place));
    } else {
      sessionStorage.removeItem(PLACE + id);
    }
  } catch {
    // no storage: it lasts as long as the page
  }
}
