// The list of conversations: rooms and people, the liveliest first, with what is unread.

import { text } from "./texts.js";
import { avatar, h, icon, iconButton, shortly, wayTag } from "./ui.js";

const KINDS = ["room", "direct"]; // the desk's conversations are on the desk's own page

/** Return what a conversation is called. */
export function titleOf(store, conversation) {
  return conversation.kind === "direct" ? store.name(conversation.others[0]) || "…" : conversation.title || `#${conversation.id}`;
}

/** Make the round picture of a conversation. */
export function pictureOf(store, conversation) {
  if (conversation.kind === "direct") {
    const other = conversation.others[0];
    return avatar(store.name(other), other ?? 0, { online: Boolean(store.people.get(other)?.online) });
  }
  return avatar(titleOf(store, conversation), conversation.id, { is_room: true });
}

/** Return the conversations of the messenger, the liveliest first. */
export function listed(store) {
  const found = [...store.conversations.values()].filter((each) => each.is_listed && KINDS.includes(each.kind));
  return found.sort((one, other) => other.at - one.at || other.id - one.id);
}

export class Sidebar {
  /** store: see store.js. act: {open(id), find(), start(), book(), settings()}. */
  constructor(store, act) {
    this.store = store;
    this.act = act;
    this.current = 0;
    this.is_ready = false; // the list has come
    this.title = h("h1", { class: "grow cut" });
    this.list = h("nav", { class: "list", "aria-label": text("list.conversations") });
    this.links = h("span", { class: "links" });
    this.me = h("button", { type: "button", class: "me quiet", onclick: act.settings });
    const brand = h("header", {}, h("img", { src: "/page/mark.svg", alt: "", width: 26, height: 26 }), this.title,
      iconButton("book", text("top.book"), act.book), iconButton("plus", text("list.new"), act.start));
    const find = h("button", { type: "button", class: "find", "aria-keyshortcuts": "Control+K", onclick: act.find },
      icon("search"), h("span", { class: "grow" }, text("list.find")), h("kbd", {}, "Ctrl K"));
    this.element = h("aside", { class: "side" }, brand, find, this.list, h("footer", {}, this.me, this.links));
    this.list.addEventListener("keydown", (event) => this.#key(event));
  }

  #signature = "";

  /** Draw the list where it has changed. */
  draw() {
    const { store } = this;
    const all = listed(store);
    const groups = [
      ["list.rooms", all.filter((each) => each.kind === "room" && !each.has_left)],
      ["list.people", all.filter((each) => each.kind === "direct")],
      ["list.left", all.filter((each) => each.kind === "room" && each.has_left)],
    ].filter(([, found]) => found.length);
    const described = groups.map(([key, found]) => [key, found.map((each) => this.#describe(each))]);
    const signature = JSON.stringify([described, this.current, this.is_ready]);
    if (signature === this.#signature) {
      return;
    }
    this.#signature = signature;
    const focused = document.activeElement?.dataset?.id;
    const start = h("div", { class: "nothing", hidden: !this.is_ready }, h("p", { class: "dim" }, text("list.none")),
      h("button", { type: "button", class: "main", onclick: this.act.start }, text("list.start")));
    this.list.replaceChildren(...(described.length ? described.map(([key, found]) => this.#group(key, found)) : [start]));
    if (focused) {
      this.list.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
    }
  }

  /** Show who this is, and where else this person may go. operations: names of what may be asked. */
  drawMe(me, title, operations) {
    this.is_ready = true;
    this.title.textContent = title;
    this.me.replaceChildren(avatar(me.name, me.id), h("span", { class: "cut" }, me.name), icon("gear"));
    this.me.setAttribute("aria-label", `${text("settings.title")}: ${me.name}`);
    const link = (href, key) => h("a", { href }, text(key));
    this.links.replaceChildren(
      ...(["agent", "admin"].includes(me.kind) && operations.includes("desk.list") ? [link("/desk", "list.desk")] : []),
      ...(me.kind === "admin" && operations.includes("admin.people.list") ? [link("/admin", "list.admin")] : []),
    );
  }

  #describe(conversation) {
    const { store } = this;
    const newest = conversation.newest();
    const unread = conversation.unread(store.me);
    const said = newest ? newest.text || text("list.file") : text("list.quiet");
    const by = !newest || conversation.kind === "direct" ? "" : newest.f === store.me ? text("you") : store.name(newest.f);
    const other = conversation.others[0];
    return {
      id: conversation.id, title: titleOf(store, conversation), at: shortly(conversation.at), unread,
      line: by ? `${by}: ${said}` : said, is_muted: conversation.is_muted, is_private: conversation.kind === "room" && !conversation.is_public,
      ways: conversation.kind === "direct" ? store.ways(other) : null,
      is_writing: conversation.writers(store.me).length > 0, has_unsent: store.unsent(conversation.id).length > 0,
    };
  }

  #group(key, found) {
    return h("section", { class: key === "list.left" && "left" }, h("h2", {}, text(key)),
      h("ul", {}, found.map((each) => h("li", {}, this.#item(each)))));
  }

  #item(found) {
    const conversation = this.store.conversations.get(found.id);
    const count = found.unread > 99 ? "99+" : found.unread;
    const badge = found.unread > 0 && h("span", { class: ["badge", found.is_muted && "muted"], "aria-label": text("list.unread", { count }) }, count);
    const line = found.is_writing ? text("thread.typing", { names: "" }).trim() : found.line;
    return h("button", {
      type: "button", class: ["item", found.unread > 0 && !found.is_muted && "unread"], "data-id": found.id,
      "aria-current": found.id === this.current ? "true" : undefined, onclick: () => this.act.open(found.id),
    },
    pictureOf(this.store, conversation),
    h("span", { class: "name" }, h("bdi", { class: "cut" }, found.title),
      found.ways?.map(wayTag), found.is_private && icon("lock"), found.is_muted && icon("mute")),
    h("time", {}, found.has_unsent ? icon("wait") : found.at),
    h("span", { class: "line cut" }, h("bdi", {}, line)), badge);
  }

  #key(event) {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const items = [...this.list.querySelectorAll(".item")];
    const at = items.indexOf(document.activeElement);
    if (step && at >= 0) {
      event.preventDefault();
      items[at + step]?.focus();
    }
  }
}
