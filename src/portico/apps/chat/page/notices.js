// Telling of messages that are not in front of somebody's eyes: a line in the page, or the system's notification.

import { titleOf } from "./sidebar.js";
import { text } from "./texts.js";
import { h, toast } from "./ui.js";

const LINE = 120;

export class Notices {
  /** store: see store.js. go: goes to a conversation. */
  constructor(store, go) {
    this.store = store;
    this.go = go;
  }

  #shown = new Map(); // conversation to what takes its line away

  /** A conversation is being read: what was told of it is old. */
  seen(id) {
    this.#shown.get(id)?.();
    this.#shown.delete(id);
  }

  /** An event has come. shown: the conversation that is being read. */
  hear({ conversation, event }, shown) {
    const is_telling = event.k === "msg" && event.f !== this.store.me && !conversation.is_muted;
    if (!is_telling || conversation.id === shown || conversation.read >= event.s) {
      return;
    }
    const name = this.store.name(event.f);
    const title = conversation.kind === "direct" ? name : `${name} · ${titleOf(this.store, conversation)}`;
    const said = (event.b.text || text("list.file")).slice(0, LINE);
    if (document.visibilityState === "visible" && document.hasFocus()) {
      this.seen(conversation.id);
      this.#shown.set(conversation.id, toast(`${title}: ${said}`, { onclick: () => this.go(conversation.id) }));
    } else if ("Notification" in window && Notification.permission === "granted") {
      const notice = new Notification(title, { body: said, tag: `c${conversation.id}`, icon: "/page/mark.svg" });
      notice.onclick = () => {
        window.focus();
        this.go(conversation.id);
        notice.close();
      };
    }
  }

  /** Make the button that asks the browser for its leave; null where it has no notifications, or none for this page. */
  button() {
    if (!("Notification" in window) || !window.isSecureContext) {
      return null;
    }
    const line = h("p", { class: "dim" });
    const ask = async () => {
      const answer = await Notification.requestPermission();
      line.textContent = text(answer === "granted" ? "settings.notify_on" : "settings.notify_blocked");
      button.hidden = answer === "granted";
    };
    const button = h("button", { type: "button", onclick: ask, hidden: Notification.permission === "granted" }, text("settings.notify"));
    line.textContent = Notification.permission === "granted" ? text("settings.notify_on") : "";
    return h("div", {}, button, line);
  }
}
