// Who the visitor of a case is: what the list says, and what is asked for when a case is opened.

import { text } from "../texts.js";
import { avatar, complain, dialog, h, iconButton, moment, shortly, size } from "../ui.js";
import { Drawn } from "./drawn.js";

const PRIORITIES = [2, 1, 0, -1];
const LANGUAGES = { zh: "中文", en: "English" };

export class Visitor {
  /** desk: see desk.js. */
  constructor(desk) {
    this.desk = desk;
    this.element = h("aside", { class: "visitor", "aria-label": text("desk.details") });
  }

  #drawn = new Drawn();
  #details = { key: "" }; // of the case that is open
  #queues = null; // asked for with the first case

  /** Draw who the visitor of a case is; nothing for no case. */
  draw(item) {
    this.element.hidden = !item;
    if (!item) {
      return;
    }
    this.#ask(item);
    const { visitor } = item;
    const queue = this.#queues?.find((each) => each.id === item.queue)?.name;
    const files = this.desk.isMine(item) && this.#details.files?.map((file) => this.desk.files.known(file.id));
    const from = [files, item.c, visitor, item.page, item.contact, item.agent, item.score, item.comment, item.priority, item.state, queue, this.#details];
    this.#drawn.renew(this.element, from, () => [
      h("div", { class: "who" }, avatar(visitor.name, visitor.id), h("b", { class: "grow", dir: "auto" }, visitor.name),
        h("span", { class: "only-narrow" }, iconButton("close", text("close"), () => this.desk.element.classList.remove("detailed")))),
      this.#priority(item),
      h("dl", {}, this.#facts(item, queue).filter(([, value]) => value).map(([key, value]) => h("div", {}, h("dt", {}, text(key)), h("dd", {}, value)))),
    ]);
  }

  /** Return how many files the log of a case has, as far as it is known: with another one, they are asked for anew. */
  #files(known) {
    return known.seqs().reduce((count, seq) => count + (known.events.get(seq).b.files?.length ?? 0), 0);
  }

  async #ask(item) {
    const known = this.desk.store.conversations.get(item.c);
    const key = `${item.c} ${this.desk.isMine(item) && known ? this.#files(known) : item.head}`;
    if (this.#details.key === key) {
      return;
    }
    const before = this.#details.c === item.c ? this.#details : {};
    this.#details = { ...before, key, c: item.c };
    const { connection } = this.desk;
    try {
      this.#queues ??= (await connection.ask("desk.queues.list")).queues;
      const found = await connection.ask("desk.details", { c: item.c });
      if (this.#details.key === key) {
        this.#details = { key, c: item.c, via: found.via, files: found.files, earlier: found.earlier };
        this.desk.draw();
      }
    } catch (error) {
      this.#details = { ...this.#details, key: "" };
      this.desk.complainOf(error);
    }
  }

  #priority(item) {
    const onchange = (event) => this.desk.do("desk.priority", { c: item.c, priority: Number(event.target.value) });
    return item.state !== "closed" && h("label", { class: "matter" }, h("span", {}, text("desk.priority")),
      h("select", { onchange, "data-act": "priority" }, PRIORITIES.map((each) => h("option", { value: each, selected: each === item.priority }, text(`desk.priority_${each}`)))));
  }

  #facts(item, queue) {
    const { via, files = [], earlier = [] } = this.#details;
    const language = LANGUAGES[item.visitor.lang] ?? item.visitor.lang;
    const page = /^https?:\/\//.test(item.page) && h("a", { href: item.page, target: "_blank", rel: "noopener noreferrer nofollow" }, item.page);
    const rating = item.score && h("span", {}, h("span", { class: "stars", role: "img", "aria-label": text("desk.stars", { n: item.score }) },
      `${"★".repeat(item.score)}${"☆".repeat(5 - item.score)}`), " ", item.comment);
    const read = (c, ...label) => h("button", { type: "button", class: "link", "data-act": `read${c}`, onclick: () => this.transcript(c) }, label);
    return [
      ["desk.language", language], ["desk.page", page], ["desk.contact", item.contact], ["desk.since", moment(item.since)],
      ["desk.via", via && text(`desk.via_${via}`)], ["desk.in_queue", queue], ["desk.agent", item.agent?.name], ["desk.rating", rating],
      ["desk.files", files.length > 0 && h("ul", {}, files.map((file) => h("li", {}, this.#file(item, file))))],
      ["desk.earlier", earlier.length ? h("ul", {}, earlier.map((each) => h("li", {}, read(each.c, shortly(each.at)),
        h("small", { class: "dim" }, [each.agent, each.score && "★".repeat(each.score)].filter(Boolean).join(" ")))))
        : text("desk.earlier_none")],
      ["desk.transcript", read(item.c, text("desk.transcript_open"))],
    ];
  }

  /** A file is to be had by who may read the log that it is in. */
  #file(item, file) {
    if (this.desk.isMine(item)) {
      return this.desk.files.view(file.id, this.desk.files.known(file.id));
    }
    return [h("span", { dir: "auto" }, file.name), h("small", { class: "dim" }, ` ${size(file.size)}`)];
  }

  /** Show a conversation as text, to be read, copied, or kept. */
  async transcript(c) {
    try {
      const answer = await this.desk.connection.ask("desk.transcript", { c });
      const href = URL.createObjectURL(new Blob(["\ufeff", answer.text], { type: "text/plain;charset=utf-8" }));
      await dialog(text("desk.transcript"), () => h("div", { class: "stack" },
        h("pre", { class: "text", tabindex: 0, dir: "auto" }, answer.text || text("desk.empty")),
        h("footer", {}, h("a", { class: "button", href, download: `${c}.txt` }, text("desk.download")))), { wide: true });
      URL.revokeObjectURL(href);
    } catch (error) {
      complain(error);
    }
  }
}
