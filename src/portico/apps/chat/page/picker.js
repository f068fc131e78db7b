// The picker of canned answers: "/" at the beginning of a message opens it, what follows narrows it down.

import { text } from "./texts.js";
import { complain, h } from "./ui.js";

const MAX_SHOWN = 20;

export class Picker {
  /** thread: whose composer it fills. ask: for the answers {canned} of a conversation. */
  constructor(thread, ask) {
    this.thread = thread;
    this.ask = ask;
    this.element = h("div", { class: "picker", hidden: true });
    const { field } = thread.composer;
    field.addEventListener("input", () => this.#typed());
    field.addEventListener("blur", () => setTimeout(() => this.close(), 150)); // after the click that took the focus
    thread.composer.element.addEventListener("keydown", (event) => this.#key(event), { capture: true });
    field.title = text("desk.canned_hint");
  }

  #found = [];
  #at = 0;
  #canned = null;
  #c = 0;

  /** Hide it. */
  close() {
    this.element.hidden = true;
    this.#canned = null;
  }

  async #typed() {
    const written = this.thread.composer.field.value;
    if (!/^\/\S*$/.test(written)) {
      this.close();
      return;
    }
    if (!this.#canned || this.#c !== this.thread.id) {
      this.#c = this.thread.id;
      this.#canned = [];
      try {
        this.#canned = (await this.ask(this.#c)).canned;
      } catch (error) {
        complain(error);
        return;
      }
    }
    this.#narrow(this.thread.composer.field.value.slice(1).toLowerCase());
  }

  #narrow(word) {
    const begins = (one) => one.short.toLowerCase().startsWith(word);
    const has = (one) => begins(one) || `${one.title}\n${one.text}`.toLowerCase().includes(word);
    this.#found = this.#canned.filter(has).sort((one, other) => begins(other) - begins(one)).slice(0, MAX_SHOWN);
    this.#at = 0;
    this.#draw();
  }

  #draw() {
    this.element.hidden = false;
    this.element.replaceChildren(h("ul", { role: "listbox", "aria-label": text("desk.canned") },
      this.#found.length ? this.#found.map((one, at) => h("li", { role: "option", "aria-selected": String(at === this.#at), onmousedown: (event) => (event.preventDefault(), this.#choose(one)) },
        h("b", {}, `/${one.short}`), one.title, h("p", { class: "cut" }, one.filled ?? one.text)))
        : h("li", { class: "dim" }, text("desk.canned_none"))));
    this.element.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  }

  #choose(one) {
    this.thread.composer.fill(one.filled ?? one.text);
    this.close();
  }

  #key(event) {
    if (this.element.hidden || event.isComposing) {
      return;
    }
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (step && this.#found.length) {
      this.#at = (this.#at + step + this.#found.length) % this.#found.length;
      this.#draw();
    } else if (["Enter", "Tab"].includes(event.key) && this.#found.length) {
      this.#choose(this.#found[this.#at]);
    } else if (event.key === "Escape") {
      this.close();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }
}
