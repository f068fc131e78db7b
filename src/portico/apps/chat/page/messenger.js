// The messenger: rooms and people on the left, a conversation on the right; on a phone one or the other.
//
//   start -> device of this browser, or signIn -> Connection, Store -> Messenger
//
// The address says what is open (#c12), so that the browser's way back works.

import "./texts-messenger.js";
import { device, keep, readPublic, signOut } from "./api.js";
import { book } from "./book.js";
import { Connection } from "./chat.js";
import { Files } from "./files.js";
import { NotePanel } from "./note.js";
import { Notices } from "./notices.js";
import { members, search, settings, somethingNew, unsent } from "./panels.js";
import { Sidebar, listed, pictureOf, titleOf } from "./sidebar.js";
import { linkInAddress, signIn } from "./signin.js";
import { Store } from "./store.js";
import { choice, choose, language, text } from "./texts.js";
import { Thread } from "./thread.js";
import { complain, confirmed, h, iconButton, wayTag } from "./ui.js";

const LOOKED_AT = 200; // members whose read marks are asked for when a conversation is opened

class Messenger {
  constructor(found) {
    this.store = new Store();
    this.connection = new Connection({ token: found.token, store: this.store, owner: found.me });
    this.files = new Files(this.connection);
    this.me = { id: found.me, name: "", kind: "", login: "" };
    this.title = "Portico";
    this.by = found.by ?? "";
    const can = { react: true, reply: true, edit: true, moderate: (conversation) => this.owned.has(conversation.id) };
    this.owned = new Set();
    this.thread = new Thread({ connection: this.connection, store: this.store, files: this.files, can });
    this.notices = new Notices(this.store, (id) => this.go(id));
    this.sidebar = new Sidebar(this.store, {
      open: (id) => this.go(id), find: () => this.find(), start: () => this.start(), book: () => this.book(), settings: () => this.settings(),
    });
    this.state = h("div", { class: "link-state", role: "status", hidden: true });
    this.top = h("header", { class: "top" });
    this.empty = h("div", { class: "empty" });
    this.main = h("main", {}, this.state, this.top, this.thread.element, this.empty);
    this.note = new NotePanel(this.connection, () => this.go(this.thread.id));
    this.element = h("div", { class: "app" }, this.sidebar.element, this.main, this.note.element);
  }

  #over = new AbortController(); // of what this one listens to
  #ready = false;
  #looked = new Set(); // conversations of which it has been asked who is in them, on this connection

  /** Show everything and connect. */
  async run() {
    document.body.replaceChildren(this.element);
    const { connection, store } = this;
    store.addEventListener("change", ({ detail }) => this.draw(detail));
    store.addEventListener("event", ({ detail }) => this.#hear(detail));
    store.addEventListener("moved", ({ detail }) => this.#moved(detail));
    connection.addEventListener("state", () => this.#state());
    connection.addEventListener("me", ({ detail }) => this.#meet(detail));
    const { signal } = this.#over;
    connection.addEventListener("auth", () => this.#leave());
    addEventListener("hashchange", () => this.#route(), { signal });
    addEventListener("keydown", (event) => this.#key(event), { signal });
    addEventListener("storage", () => device()?.token !== connection.token && location.reload(), { signal });
    for (const kind of ["dragover", "drop"]) {
      addEventListener(kind, (event) => event.preventDefault(), { signal }); // a file beside the thread replaces no page
    }
    this.#route();
    await connection.start();
  }

  #hear(detail) {
    const is_list_alone = getComputedStyle(this.main).display === "none" && document.visibilityState === "visible";
    if (!is_list_alone) { // a phone that shows the list shows it there
      this.notices.hear(detail, this.shownId());
    }
  }

  /** Return which conversation is in front of somebody's eyes, 0 for none. */
  shownId() {
    return document.visibilityState === "visible" && document.hasFocus() ? this.thread.id : 0;
  }

  /** Go to a conversation, and to a message in it. */
  go(c, s = 0) {
    this.at = s;
    if (location.hash === `#c${c}`) {
      this.#route();
    } else {
      location.hash = c ? `c${c}` : "";
    }
  }

  /** Draw what has changed. */
  draw() {
    this.sidebar.draw();
    this.#top();
    this.#state();
    const unread = listed(this.store).filter((each) => !each.is_muted).reduce((sum, each) => sum + each.unread(this.store.me), 0);
    document.title = unread ? `(${unread}) ${this.title}` : this.title;
  }

  async find() {
    const found = await search(this.connection, this.thread.id);
    this.#follow(found);
  }

  async start() {
    const c = await somethingNew(this.connection);
    this.#follow(c && { c });
  }

  async members() {
    this.#follow(await members(this.connection, this.thread.conversation));
  }

  async book() {
    this.#follow(await book(this.connection));
  }

  #moved({ conversation, event }) {
    if (conversation.id === this.thread.id && event.s > conversation.last) {
      this.connection.view(conversation.id); // to be told how many are here now
    }
  }

  async settings(hint = "") {
    const wish = await settings(this.connection, this.me, { hint: typeof hint === "string" ? hint : "", notices: this.notices });
    if (wish === "reload") {
      location.reload();
    } else if (wish === "signout") {
      await this.#signOut();
    }
  }

  async #signOut() {
    const count = this.connection.outbox.entries.length;
    if (count && !(await confirmed(text("settings.signout_unsent", { count }), text("settings.signout")))) {
      return;
    }
    this.connection.outbox.clear();
    this.note.forget();
    this.connection.stop();
    await signOut(this.connection.token);
    location.assign("/");
  }

  /** This device is not known any more: another sign-in, and everything from the beginning. */
  async #leave() {
    this.#over.abort();
    keep(null);
    document.querySelectorAll("dialog").forEach((each) => each.close());
    await new Messenger(await signIn({ why: text("signin.again") })).run();
  }

  #follow(found) {
    if (found) {
      this.go(found.c, found.s ?? 0);
    }
  }

  #route() {
    const c = Number(/^#c(\d{1,15})(?:\.note)?$/.exec(location.hash)?.[1] ?? 0);
    const known = this.store.conversations.get(c);
    const id = known && (known.is_listed || known.last >= 0) ? c : 0;
    const at = this.at ?? 0;
    this.at = id ? 0 : at;
    this.sidebar.current = c;
    this.notices.seen(id);
    this.element.classList.toggle("reading", c > 0);
    this.thread.element.hidden = id === 0;
    this.top.hidden = id === 0;
    this.note.show(location.hash.endsWith(".note") ? id : 0);
    this.connection.view(id);
    this.thread.open(id, { at }).then(() => {
      if (id && !this.note.id && matchMedia("(pointer: fine)").matches && !at && !document.querySelector("dialog")) {
        this.thread.composer.focus();
      }
    });
    this.empty.hidden = id > 0;
    this.empty.replaceChildren(h("img", { src: "/page/mark.svg", alt: "", width: 56, height: 56 }),
      h("h2", {}, text(this.#ready && !c ? "empty.title" : "empty.loading")), h("p", { class: "dim" }, text("empty.keys")));
    this.draw();
  }

  #meet(answer) {
    const is_first = !this.#ready;
    this.#ready = true;
    this.me = answer.me;
    if (answer.me.lang && answer.me.lang !== choice()) {
      const before = language();
      choose(answer.me.lang);
      if (choice() === answer.me.lang && language() !== before) {
        location.reload();
        return;
      }
    }
    keep({ token: this.connection.token, me: answer.me.id });
    this.sidebar.drawMe(answer.me, this.title, answer.op);
    this.#looked.clear();
    if (is_first || !this.thread.id) {
      this.#route();
    }
    if (is_first && this.by === "link" && answer.me.login && !answer.me.password) {
      this.settings(text("settings.first", { login: answer.me.login }));
    }
    if (is_first) {
      this.note.resume();
      readPublic().then((found) => {
        this.title = found.title;
        this.files.max_bytes = found.max_file_mib ? found.max_file_mib * 2 ** 20 : Infinity;
        this.thread.composer.attach.hidden = !found.files;
        this.sidebar.drawMe(answer.me, found.title, answer.op);
        this.draw();
      }, () => {});
    }
  }

  #top() {
    const conversation = this.thread.conversation;
    if (!conversation) {
      return;
    }
    const { store } = this;
    const is_room = conversation.kind === "room";
    if (!this.#looked.has(conversation.id) && !conversation.has_left && this.connection.state === "online") {
      this.#look(conversation.id);
    }
    const { count, here } = conversation;
    const ways = store.ways(conversation.others[0]);
    const line = conversation.has_left ? text("top.left")
      : is_room ? [count && text("top.count", { count }), here && text("top.here", { count: here }),
        !conversation.is_public && text("top.private")].filter(Boolean).join(" · ")
      : text(ways.length ? "top.online" : "top.offline");
    const title = titleOf(store, conversation);
    const signature = JSON.stringify([conversation.id, title, line, conversation.is_muted, ways, this.note.id]);
    if (this.top.dataset.signature === signature) {
      return;
    }
    this.top.dataset.signature = signature;
    const mute = conversation.is_muted ? "unmute" : "mute";
    this.top.replaceChildren(
      iconButton("back", text("top.back"), () => this.go(0), { class: "quiet back" }),
      pictureOf(store, conversation),
      h("div", { class: "grow" }, h("h2", { class: "cut" }, h("bdi", {}, title)), h("p", { class: "dim cut" }, line, !is_room && ways.map(wayTag))),
      iconButton("search", text("search"), () => this.find(), { class: "quiet find-in" }),
      iconButton(conversation.is_muted ? "mute" : "bell", text(`top.${mute}`), () => this.#mute(conversation)),
      ...(conversation.has_left ? [] : [iconButton("note", text("note.open"), () => this.#toggleNote(), { "aria-pressed": String(this.note.id > 0) })]),
      ...(is_room && !conversation.has_left ? [iconButton("people", text("top.members"), () => this.members())] : []));
  }

  #toggleNote() {
    const { id } = this.thread;
    location.hash = this.note.id ? `c${id}` : `c${id}.note`;
  }

  async #look(c) {
    this.#looked.add(c);
    try {
      const found = await this.connection.ask("room.members", { c, limit: LOOKED_AT });
      this.owned[found.role === "owner" ? "add" : "delete"](c);
      this.store.members(c, found);
    } catch {
      this.#looked.delete(c); // asked for again the next time
    }
  }

  async #mute(conversation) {
    const on = !conversation.is_muted;
    try {
      await this.connection.ask("mute", { c: conversation.id, on });
      conversation.is_muted = on;
      this.store.touch(conversation.id);
    } catch (error) {
      complain(error);
    }
  }

  #state() {
    const { connection, store } = this;
    const failed = store.pending.filter((each) => each.failed).length;
    const waiting = store.pending.length - failed;
    const is_down = connection.state === "waiting" || (connection.state === "connecting" && this.#ready);
    const parts = [
      is_down && text(`state.${connection.state}`),
      is_down && waiting > 0 && text("unsent.waiting", { count: waiting }),
      failed > 0 && text("unsent.failed", { count: failed }),
    ].filter(Boolean);
    const signature = JSON.stringify(parts);
    if (this.state.dataset.signature === signature) {
      return;
    }
    this.state.dataset.signature = signature;
    this.state.hidden = parts.length === 0;
    const show = (waiting > 0 || failed > 0) &&
      h("button", { type: "button", class: "link", onclick: () => unsent(connection).then((found) => this.#follow(found)) }, text("unsent.title"));
    const again = connection.state === "waiting" &&
      h("button", { type: "button", class: "link", onclick: () => connection.retryNow() }, text("state.try"));
    this.state.replaceChildren(...[h("span", {}, parts.join(" · ")), again, show].filter(Boolean));
  }

  #key(event) {
    const is_open = document.querySelector("dialog[open]");
    if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey) {
      event.preventDefault();
      if (!is_open) {
        this.find();
      }
    } else if (event.key === "Escape" && !is_open && this.thread.id && !event.defaultPrevented) {
      this.thread.toEnd();
      this.thread.composer.focus();
    }
  }
}

document.documentElement.lang = language();
const found = linkInAddress() ? null : device();
await new Messenger(found ?? (await signIn())).run();
