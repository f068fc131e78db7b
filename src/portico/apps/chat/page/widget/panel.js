// The panel of the widget, loaded when a visitor opens it.
//
//   greeting, name, first message | outside the hours: a message is left
//     -> waiting, with the place -> talking -> over, with a rating
//
// What is shown follows from what the talk knows; `#draw` may be called at any time.

import { h, iconButton, moment } from "./dom.js";
import { entry, stars } from "./forms.js";
import { address } from "./line.js";
import { Log } from "./log.js";
import { CSS } from "./style.js";
import { isRefusal, Talk } from "./talk.js";
import { speak, text } from "./texts.js";

const AGAIN_MS = 20_000;
const MAX_ADDRESS = 500;
const MAX_TEXT = 8192;
const REFUSALS = { rate: "rate_limit", too_big: "too_big", blocked: "blocked", offline: "offline", origin: "foreign" };
const HOW = "The chat at {chat} does not know this site. An admin of the chat can add {site} to its sites: Administration, Settings."; // for who builds the site: it is in the console

export class Panel {
  /** root: of the Shadow DOM. bubble, badge: the button and its count. open: what it is called. */
  constructor({ root, bubble, badge, open, language, queue, is_full }) {
    speak(language);
    Object.assign(this, { bubble, badge, queue, is_full, label: open, is_opened: false });
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    root.adoptedStyleSheets = [...root.adoptedStyleSheets, sheet];
    this.#build(language);
    root.append(this.element);
    this.talk = new Talk(() => this.#draw());
    this.log = new Log(this.talk, {
      older: (before) => this.#attempt(async () => (await this.talk.older(before), this.#draw())),
      download: (id) => this.#attempt(() => this.#download(id)),
    });
    this.#draw();
  }

  #has_rated = false; // whether a score was given here, now
  #is_foreign = false; // whether the chat does not know the site that shows this
  #view = ""; // which of the views is shown

  #build(language) {
    const { is_full } = this;
    this.title = h("b");
    this.subtitle = h("small", { role: "status" });
    this.state = h("div", { class: "state", role: "status", hidden: true });
    this.main = h("main");
    this.element = h("section", { class: is_full ? "panel full" : "panel", role: is_full ? undefined : "dialog", "aria-label": this.label, lang: language, hidden: true },
      h("header", {}, h("div", {}, this.title, this.subtitle), !is_full && iconButton("close", text("close"), () => this.close())),
      this.state, this.main);
    this.element.addEventListener("keydown", (event) => event.key === "Escape" && !is_full && !event.isComposing && this.close());
    this.typing = h("div", { class: "typing" });
    this.rating = h("div", { class: "rating", hidden: true });
    this.wrong = h("p", { class: "wrong", role: "alert" });
    this.field = h("textarea", { rows: 1, "aria-label": text("write"), placeholder: text("write"), onkeydown: (event) => this.#key(event), oninput: () => this.field.value.trim() && this.talk.typing() });
    const onchange = () => this.#attempt(() => this.#upload());
    this.chooser = h("input", { type: "file", hidden: true, onchange });
    this.clip = iconButton("clip", text("attach"), () => this.chooser.click(), "tool");
    this.writing = h("div", { class: "write" }, this.chooser, this.clip, this.field, iconButton("send", text("send"), () => this.#submit(), "main"));
  }

  /** Show it. */
  open() {
    this.is_opened = true;
    this.element.hidden = false;
    this.bubble.hidden = true;
    this.#draw();
    this.#readSite();
    this.log.toEnd();
    this.#focus();
  }

  /** Hide it. */
  close() {
    this.is_opened = false;
    this.element.hidden = true;
    this.bubble.hidden = false;
    this.bubble.focus();
  }

  async #readSite() {
    await this.#attempt(() => this.talk.readSite(this.queue));
    const { site } = this.talk;
    if (site && this.is_full) {
      document.title = site.title;
    }
    this.#draw();
    if (!site && this.is_opened) {
      setTimeout(() => this.#readSite(), AGAIN_MS);
    }
  }

  async #attempt(work) {
    this.wrong.textContent = "";
    try {
      await work();
      this.#noteForeign(false);
    } catch (error) {
      if (!isRefusal(error)) {
        throw error;
      }
      this.#noteForeign(error.code === "origin");
      this.wrong.textContent = text(REFUSALS[error.code] ?? "error", { site: location.origin });
    }
  }

  /** Keep whether the chat knows this site; who builds the site reads in the console what to do. */
  #noteForeign(is_foreign) {
    if (is_foreign && !this.#is_foreign) {
      console.warn(HOW.replace("{chat}", address("")).replace("{site}", location.origin));
    }
    this.#is_foreign = is_foreign;
  }

  #draw() {
    const { talk } = this;
    if (!talk) {
      return; // it is being made
    }
    this.title.textContent = talk.site?.title ?? "";
    this.state.hidden = talk.line.is_online || !talk.is_wanted || this.#is_foreign;
    this.state.textContent = text("offline");
    this.clip.hidden = !talk.site?.files;
    if (!talk.kept.c) {
      this.#show(talk.site ? "entry" : "");
      this.subtitle.textContent = "";
      return;
    }
    const { events, stage, agent } = talk.standing();
    this.#count(events);
    if (!this.is_opened) {
      return;
    }
    this.#show("talk");
    this.subtitle.textContent = this.#standing(stage, agent);
    this.typing.textContent = talk.writer.until > Date.now() ? text("typing", { name: talk.writer.name }) : "";
    this.log.draw(events);
    this.#drawRating(stage, events);
    if (document.visibilityState === "visible") {
      talk.markRead();
    }
  }

  #count(events) {
    const { me } = this.talk;
    const { read } = this.talk.log();
    const unread = events.filter((event) => event.k === "msg" && event.f !== me && event.s > read).length;
    this.badge.hidden = !unread;
    this.badge.textContent = unread;
    this.bubble.setAttribute("aria-label", unread ? `${this.label}, ${text("unread", { n: unread })}` : this.label);
  }

  /** Return a line that says how things stand. */
  #standing(stage, agent) {
    const { desk, names } = this.talk;
    if (stage === "open") {
      const name = names.get(agent) ?? desk.name;
      return name ? text("with", { name }) : "";
    }
    if (stage === "closed" || stage === "snoozed") {
      return text(stage === "closed" ? "over" : "later");
    }
    if (desk.open === false) {
      return desk.opens ? text("opens", { at: moment(desk.opens) }) : text("away");
    }
    const place = desk.pos === 1 ? text("next") : desk.pos ? text("place", { pos: desk.pos, before: desk.pos - 1 }) : text("waiting");
    const eta = desk.eta ? (desk.eta < 60 ? text("eta_s") : text("eta", { n: Math.ceil(desk.eta / 60) })) : "";
    return `${place} ${eta}`.trim();
  }

  #drawRating(stage, events) {
    const given = events.findLast((event) => event.k === "rating");
    this.rating.hidden = stage !== "closed" || Boolean(given && !this.#has_rated && given.s < this.talk.log().last);
    const sign = JSON.stringify([given?.b, this.rating.hidden]);
    if (this.rating.hidden || this.rating.dataset.sign === sign) {
      return;
    }
    this.rating.dataset.sign = sign;
    const save = () => this.#attempt(() => this.#save());
    this.rating.replaceChildren(...stars(given?.b, (score, comment) => this.#rate(score, comment)).filter(Boolean),
      h("button", { class: "older", type: "button", onclick: save }, text("save")));
    this.log.toEnd();
  }

  #rate(score, comment) {
    this.#has_rated = true;
    this.#attempt(() => this.talk.ask("desk.rate", { c: this.talk.kept.c, score, text: comment }));
  }

  /** Give the visitor the conversation as a text file. */
  async #save() {
    const answer = await this.talk.ask("desk.transcript", { c: this.talk.kept.c });
    const href = URL.createObjectURL(new Blob(["\ufeff", answer.text], { type: "text/plain;charset=utf-8" }));
    h("a", { href, download: `${text("saved")}-${this.talk.kept.c}.txt` }).click();
    setTimeout(() => URL.revokeObjectURL(href), AGAIN_MS);
  }

  #show(view) {
    if (this.#view === view && this.main.childElementCount) {
      return;
    }
    this.#view = view;
    this.wrong.textContent = view ? "" : this.wrong.textContent;
    if (view === "talk") {
      this.main.replaceChildren(this.log.element, this.typing, this.rating, this.wrong, this.writing);
      this.log.toEnd();
    } else if (view === "entry") {
      this.main.replaceChildren(entry(this.talk.site, this.wrong, (values) => this.#begin(values)));
    } else {
      this.main.replaceChildren(h("div", { class: "log" }, this.wrong));
    }
    this.#focus();
  }

  async #begin({ text: written, ...values }) {
    const { is_full, queue, talk } = this;
    const page = (is_full ? document.referrer : location.href).slice(0, MAX_ADDRESS);
    await this.#attempt(async () => {
      if (talk.site.open === false) {
        await talk.begin("desk.form", { ...values, text: written, queue, page });
      } else {
        await talk.begin("desk.start", { ...values, queue, page });
        talk.send({ text: written });
      }
    });
    this.#draw();
  }

  #submit() {
    const written = this.field.value.trim();
    if (written) {
      this.field.value = "";
      this.talk.send({ text: written.slice(0, MAX_TEXT) });
      this.log.toEnd();
      this.field.focus();
    }
  }

  #key(event) {
    const is_touch = matchMedia("(pointer: coarse)").matches;
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229 && !is_touch) {
      event.preventDefault();
      this.#submit();
    }
  }

  async #upload() {
    const [file] = this.chooser.files;
    this.chooser.value = "";
    await this.talk.upload(file);
    this.log.toEnd();
  }

  async #download(id) {
    h("a", { href: address(await this.talk.addressOf(id)), target: "_blank", rel: "noopener" }).click();
  }

  #focus() {
    if (this.is_opened && !this.is_full) {
      (this.main.querySelector("input:not([hidden]), textarea") ?? this.log.element).focus({ preventScroll: true });
    }
  }
}
