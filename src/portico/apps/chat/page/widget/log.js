// What was said, as a list that is changed where it has changed, so that a screen reader reads what is new and a
// selection stays.

import { clock, h, icon, linked } from "./dom.js";
import { text } from "./texts.js";

const TOGETHER_MS = 300_000; // messages of one person within this have one heading
const NEAR_PX = 60;

export class Log {
  /** acts: {older(before), download(id)}. */
  constructor(talk, acts) {
    this.talk = talk;
    this.acts = acts;
    this.element = h("div", { class: "log", role: "log", "aria-live": "polite", tabindex: 0, "aria-label": text("log") });
  }

  #rows = new Map();

  /** Draw the events; whoever looked at the end still does. */
  draw(events) {
    const { scrollHeight, scrollTop, clientHeight } = this.element;
    const is_at_end = scrollHeight - scrollTop - clientHeight < NEAR_PX;
    this.#place(this.#describe(events));
    if (is_at_end) {
      this.toEnd();
    }
  }

  /** Show the newest. */
  toEnd() {
    this.element.scrollTop = this.element.scrollHeight;
  }

  #describe(events) {
    const { talk } = this;
    const found = [];
    const of = (kind) => events.filter((event) => event.k === kind);
    const edits = new Map(of("edit").map((event) => [event.ref, event.b.text]));
    const gone = new Set(of("del").map((event) => event.ref));
    let last = null;
    if (events.length && events[0].s > talk.log().first) {
      const onclick = () => this.acts.older(events[0].s);
      found.push({ key: "older", sign: events[0].s, make: () => h("button", { class: "sys older", type: "button", onclick }, text("older")) });
    }
    const greeting = talk.desk.open === false ? talk.desk.offline : talk.desk.greeting;
    if (greeting) {
      found.push({ key: "greeting", sign: greeting, make: () => h("div", { class: "sys" }, linked(greeting)) });
    }
    for (const event of events) {
      if (event.k === "msg") {
        const is_head = last?.f !== event.f || event.at - last.at > TOGETHER_MS;
        found.push(this.#message(event, { is_head, is_gone: gone.has(event.s), edit: edits.get(event.s) }));
        last = event;
        continue;
      }
      const said = this.#happened(event);
      if (said) {
        found.push({ key: event.s, sign: said, make: () => h("div", { class: "sys" }, said) });
        last = null;
      }
    }
    const unsent = talk.kept.out.filter((each) => each.c === talk.kept.c && !each.is_seen);
    return [...found, ...unsent.map((entry) => ({ key: entry.cid, sign: String(entry.failed), make: () => this.#unsent(entry) }))];
  }

  /** Return what else happened, in words; undefined for what a visitor need not know. */
  #happened({ k, b, f }) {
    const key = { assign: "joined", transfer: "moved" }[k] ?? { closed: "over", snoozed: "later" }[k === "state" && b.state];
    return key && text(key, { name: this.talk.names.get(b.agent ?? f) ?? text("agent") });
  }

  #message(event, { is_head, is_gone, edit }) {
    const { talk } = this;
    const files = (event.b.files ?? []).map((id) => [id, talk.files.get(id)?.name ?? `${text("file")} ${id}`]);
    const written = edit ?? event.b.text ?? "";
    const is_empty = is_gone || (!written && !files.length);
    const is_mine = event.f === talk.me;
    const name = is_mine ? text("you") : talk.names.get(event.f) ?? text("agent");
    const note = [name, clock(event.at), edit !== undefined && text("edited")].filter(Boolean).join(" · ");
    const make = () => h("div", { class: `msg ${is_mine ? "mine" : ""} ${is_head ? "head" : ""} ${is_empty ? "gone" : ""}` },
      is_head && h("small", {}, note),
      is_empty ? h("p", {}, text("deleted")) : written && h("p", { dir: "auto" }, linked(written)),
      !is_empty && files.map(([id, label]) => h("button", { class: "file", type: "button", onclick: () => this.acts.download(id) }, icon("clip"), h("span", {}, label))));
    return { key: event.s, sign: JSON.stringify([is_head, written, is_empty, note, files]), make };
  }

  #unsent(entry) {
    return h("div", { class: "msg mine wait head" }, h("p", {}, entry.text || text("file")),
      entry.failed
        ? h("button", { class: "fail", type: "button", onclick: () => this.talk.again(entry) }, text("failed"))
        : h("small", {}, text("unsent")));
  }

  #place(found) {
    const keys = new Set(found.map(({ key }) => key));
    this.#rows.forEach((row, key) => keys.has(key) || (row.element.remove(), this.#rows.delete(key)));
    let next = this.element.firstChild;
    for (const { key, sign, make } of found) {
      let row = this.#rows.get(key);
      if (row?.sign !== sign) {
        const element = make();
        if (row) {
          next = row.element === next ? element : next;
          row.element.replaceWith(element);
        }
        row = { element, sign };
        this.#rows.set(key, row);
      }
      if (row.element === next) {
        next = next.nextSibling;
      } else {
        this.element.insertBefore(row.element, next);
      }
    }
  }
}
