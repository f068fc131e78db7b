// The lists of visitors beside the conversation, and the offer above it.

import { text } from "../texts.js";
import { avatar, h, icon, moment, shortly } from "../ui.js";
import { Drawn } from "./drawn.js";
import { span } from "./time.js";

export const TABS = ["mine", "queue", "all", "closed"];
const LATE_MS = 3 * 60_000;

export class Lists {
  /** desk: see desk.js. */
  constructor(desk) {
    this.desk = desk;
    this.tabs = h("div", { class: "tabs", role: "tablist", "aria-label": text("desk.tabs") });
    this.list = h("div", { class: "list" });
    this.element = h("nav", { class: "side", "aria-label": text("desk.tabs") }, this.tabs, this.list);
    this.offer = h("div", { class: "offer", role: "alert", hidden: true });
  }

  #drawn = new Drawn();

  /** Draw the tabs, the list, and what this agent is offered. */
  draw() {
    const { desk } = this;
    const counts = { mine: desk.lists.mine.filter((item) => item.state !== "snoozed").length, queue: desk.lists.queue.length };
    this.#drawn.renew(this.tabs, [desk.tab, counts], () => TABS.map((tab) =>
      h("button", { type: "button", role: "tab", "data-act": tab, "aria-selected": String(tab === desk.tab), onclick: () => desk.open(tab) },
        text(`desk.${tab}`), counts[tab] > 0 && h("span", { class: ["badge", tab === "mine" && "muted"] }, counts[tab]))));
    const from = desk.shown.map((item) => [item, desk.unread(item), this.#line(item), item.c === desk.current]);
    this.#drawn.renew(this.list, [desk.tab, from], () => (desk.shown.length
      ? h("ul", {}, desk.shown.map((item) => h("li", {}, this.#item(item))))
      : h("div", { class: "nothing dim" }, icon("people"), h("p", {}, text(`desk.none_${desk.tab}`)))));
    this.#drawOffer();
  }

  /** Focus the line of a case, of the one that is open by default. */
  focus(c = this.desk.current) {
    this.list.querySelector(`[data-c="${c}"]`)?.focus();
  }

  #line(item) {
    const newest = this.desk.store.conversations.get(item.c)?.newest();
    return newest && newest.at > (item.last?.at ?? 0) ? newest.text : (item.last?.text ?? "");
  }

  /** Return when, or for how long: the wait of who waits, until when somebody is put off, or the last message. */
  #when(item) {
    if (["queued", "offered"].includes(item.state)) {
      return h("time", { class: "wait", "data-since": item.since });
    }
    if (item.state === "snoozed") {
      return h("time", { title: moment(item.due) }, icon("wait"), shortly(item.due));
    }
    return h("time", {}, shortly(item.last?.at ?? item.since));
  }

  #item(item) {
    const { desk } = this;
    const unread = desk.unread(item);
    const named = (person) => person?.id !== desk.me.id && person?.name;
    const others = { open: named(item.agent), offered: named(item.offered), snoozed: text("desk.snoozed") };
    const whose = others[item.state];
    return h("button", {
      type: "button", class: ["item", unread && "unread", item.state === "snoozed" && "later"], "data-act": `c${item.c}`, "data-c": item.c,
      "aria-current": item.c === desk.current && "true", onclick: () => desk.go(item.c),
    },
    avatar(item.visitor.name, item.visitor.id),
    h("span", { class: "name" }, item.priority !== 0 && priorityMark(item.priority), h("span", { class: "cut", dir: "auto" }, item.visitor.name),
      whose && h("span", { class: "tag cut" }, whose)), this.#when(item),
    h("span", { class: "line cut", dir: "auto" }, this.#line(item) || item.page || " "),
    unread > 0 && h("span", { class: "badge", "aria-label": text("desk.unread", { count: unread }) }, unread));
  }

  #drawOffer() {
    const { desk } = this;
    const [item] = desk.lists.mine.filter((each) => each.offered?.id === desk.me.id).sort((one, other) => one.due - other.due);
    this.offer.hidden = !item;
    this.#drawn.renew(this.offer, item ? [item.c, item.due, item.last] : 0, () => item && [
      avatar(item.visitor.name, item.visitor.id),
      h("div", { class: "grow" }, h("b", { class: "cut" }, text("desk.offer", { name: item.visitor.name })), h("span", { class: "cut" }, item.last?.text ?? item.page)),
      h("span", { class: "left", "data-due": item.due }),
      h("button", { type: "button", class: "main", "data-act": "accept", onclick: () => desk.accept(item) }, text("desk.accept")),
      h("button", { type: "button", "data-act": "decline", onclick: () => desk.do("desk.decline", { c: item.c }) }, text("desk.decline")),
    ]);
  }
}

/** Make the mark of a priority that is not the usual one. */
export function priorityMark(priority) {
  const label = text(`desk.priority_${priority}`);
  return h("span", { class: `priority p${priority}`, role: "img", title: label, "aria-label": label }, priority > 0 ? "!".repeat(priority) : "↓");
}

/** Write anew what depends on the time, in an element and below it. now: the server's, in ms. */
export function tick(element, now) {
  for (const each of element.querySelectorAll("[data-since]")) {
    const waited_ms = now - Number(each.dataset.since);
    each.textContent = each.matches(".wait") ? span(waited_ms / 1000) : text("desk.waiting", { time: span(waited_ms / 1000) });
    each.classList.toggle("late", waited_ms > LATE_MS);
  }
  for (const each of element.querySelectorAll("[data-due]")) {
    each.textContent = text("desk.seconds", { n: Math.max(0, Math.ceil((Number(each.dataset.due) - now) / 1000)) });
  }
}
