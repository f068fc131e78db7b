// Where a message is written: text, files, a reply to something, or a change to what has been sent.
//
// Enter sends, Shift+Enter makes a line; on a touch screen Enter makes a line. What is being written stays with its
// conversation, also over a reload.

import { complain, h, icon, iconButton, size } from "./ui.js";
import { text } from "./texts.js";

const KEPT = "portico.chat.draft.";
const MAX_FILES = 10;

export class Composer {
  /** thread: see thread.js. */
  constructor(thread) {
    this.thread = thread;
    this.field = h("textarea", {
      rows: 1, "aria-label": text("compose.label"), placeholder: text("compose.label"), autocomplete: "off", enterkeyhint: "enter",
      oninput: () => this.#typed(), onkeydown: (event) => this.#key(event), onpaste: (event) => this.#paste(event),
    });
    this.context = h("div", { class: "context", hidden: true });
    this.drafts = h("ul", { class: "drafts", hidden: true });
    this.chooser = h("input", { type: "file", multiple: true, hidden: true, "aria-label": text("compose.attach"), onchange: () => this.#chosen() });
    this.attach = iconButton("clip", text("compose.attach"), () => this.chooser.click(), { hidden: !thread.files });
    this.button = h("button", { class: "main", type: "submit", title: text("send"), "aria-label": text("send") }, icon("send"));
    this.closed = h("p", { class: "sys", hidden: true });
    this.form = h("form", { class: "field", onsubmit: (event) => (event.preventDefault(), this.submit()) },
      this.attach, this.chooser, this.field, this.button);
    this.element = h("div", { class: "composer" }, this.context, this.drafts, this.form, this.closed);
    for (const target of [thread.scroll, this.element]) {
      target.addEventListener("dragover", (event) => this.#over(event));
      target.addEventListener("dragleave", () => this.#dropping(false));
      target.addEventListener("drop", (event) => this.#drop(event));
    }
  }

  #replying = null;
  #editing = null;
  #before_edit = "";
  #uploads = []; // {name, size, id, is_failed}

  /** Take up what was being written in a conversation. */
  enter(id) {
    this.field.value = id ? (read(id) ?? "") : "";
    this.#grow();
    this.draw();
  }

  /** Leave a conversation; what is being written stays with it, but not a change to a message. */
  leave() {
    this.#stopEdit();
    this.#replying = null;
    this.#uploads = [];
    this.#drawContext();
  }

  /** Write here. */
  focus() {
    this.field.focus();
  }

  /** Draw what depends on the conversation. */
  draw() {
    const conversation = this.thread.conversation;
    const has_left = Boolean(conversation?.has_left);
    this.form.hidden = has_left;
    this.closed.hidden = !has_left;
    this.closed.textContent = has_left ? text("compose.left") : "";
  }

  /** Write a reply to a message. */
  reply(message) {
    this.#stopEdit();
    this.#replying = message;
    this.#drawContext();
    this.focus();
  }

  /** Change a message. */
  edit(message) {
    this.#before_edit = this.#editing ? this.#before_edit : this.field.value;
    this.#replying = null;
    this.#editing = message;
    this.field.value = message.text;
    this.#drawContext();
    this.#grow();
    this.focus();
  }

  /** Put a text in place of what is being written. */
  fill(written) {
    this.field.value = written;
    this.#typed();
    this.focus();
  }

  /** Send. */
  submit() {
    const written = this.field.value.trim();
    const { connection, id } = this.thread;
    const editing = this.#editing;
    if (editing) {
      this.#stopEdit();
      if (written && written !== editing.text) {
        connection.send(id, { text: written }, { kind: "edit", ref: editing.s });
      } else if (!written) {
        this.thread.delete(editing.s);
      }
      return;
    }
    const uploads = this.#uploads.filter((each) => !each.is_failed);
    if (!id || (!written && !uploads.length) || uploads.some((each) => !each.id)) {
      return;
    }
    if ([...written].length > connection.max_text) {
      complain({ code: "too_big" });
      return;
    }
    const files = uploads.map((each) => each.id);
    connection.send(id, { text: written, ...(files.length ? { files } : {}) }, { ref: this.#replying?.s });
    this.field.value = "";
    keep(id, "");
    this.#replying = null;
    this.#uploads = [];
    this.#drawContext();
    this.#grow();
    this.thread.toEnd();
  }

  #typed() {
    const { connection, id } = this.thread;
    this.#grow();
    if (!this.#editing) {
      keep(id, this.field.value);
    }
    if (this.field.value.trim()) {
      connection.typing(id);
    }
  }

  #grow() {
    if (!CSS.supports("field-sizing", "content")) {
      this.field.style.height = "auto";
      this.field.style.height = `${this.field.scrollHeight}px`;
    }
    this.button.disabled = this.#uploads.some((each) => !each.id && !each.is_failed);
  }

  #key(event) {
    if (event.isComposing || event.keyCode === 229) {
      return; // an input method is at work: its Enter chooses a word
    }
    const is_touch = matchMedia("(pointer: coarse)").matches;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey && (!is_touch || event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "ArrowUp" && !this.field.value && !this.#editing && this.thread.can.edit) {
      const message = this.thread.lastOwn();
      if (message) {
        event.preventDefault();
        this.edit(message);
      }
    } else if (event.key === "Escape" && (this.#editing || this.#replying)) {
      event.stopPropagation();
      this.#stopEdit();
      this.#replying = null;
      this.#drawContext();
    }
  }

  #stopEdit() {
    if (this.#editing) {
      this.#editing = null;
      this.field.value = this.#before_edit;
      this.#drawContext();
      this.#grow();
    }
  }

  #drawContext() {
    const message = this.#editing ?? this.#replying;
    this.context.hidden = !message;
    this.drafts.hidden = this.#uploads.length === 0;
    this.drafts.replaceChildren(...this.#uploads.map((upload) => this.#draft(upload)));
    if (!message) {
      return;
    }
    const name = this.thread.store.name(message.f);
    const cancel = () => {
      this.#stopEdit();
      this.#replying = null;
      this.#drawContext();
      this.focus();
    };
    const title = this.#editing ? text("compose.editing") : text("thread.reply_to", { name });
    this.context.replaceChildren(icon(this.#editing ? "pencil" : "reply"),
      h("div", { class: "cut" }, h("b", {}, title), " ", h("span", { class: "dim" }, message.text)),
      iconButton("close", text("cancel"), cancel));
  }

  // Files

  #draft(upload) {
    const remove = () => {
      this.#uploads = this.#uploads.filter((each) => each !== upload);
      this.#drawContext();
      this.#grow();
    };
    const state = upload.is_failed ? text("compose.failed") : upload.id ? size(upload.size) : text("compose.uploading");
    return h("li", {}, h("span", { class: "cut" }, upload.name), h("span", { class: ["dim", upload.is_failed && "wrong"] }, state),
      iconButton("close", text("compose.remove", { name: upload.name }), remove));
  }

  async #upload(files) {
    const room = MAX_FILES - this.#uploads.length;
    for (const file of [...files].slice(0, room)) {
      const upload = { name: file.name || text("compose.picture"), size: file.size, id: 0, is_failed: false };
      this.#uploads.push(upload);
      this.#drawContext();
      this.#grow();
      try {
        upload.id = await this.thread.files.upload(file, upload.name, this.thread.id);
      } catch (error) {
        upload.is_failed = true;
        complain(error);
      }
      this.#drawContext();
      this.#grow();
    }
    this.focus();
  }

  #chosen() {
    this.#upload([...this.chooser.files]);
    this.chooser.value = "";
  }

  #paste(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length && this.thread.files) {
      event.preventDefault();
      this.#upload(files);
    }
  }

  #over(event) {
    if (this.thread.files && !this.form.hidden && event.dataTransfer?.types.includes("Files")) {
      event.preventDefault();
      this.#dropping(true);
    }
  }

  #drop(event) {
    this.#dropping(false);
    if (this.thread.files && event.dataTransfer?.files.length) {
      event.preventDefault();
      this.#upload(event.dataTransfer.files);
    }
  }

  #dropping(is_on) {
    this.thread.element.classList.toggle("dropping", is_on);
    this.thread.element.dataset.drop = text("compose.drop");
  }
}

function read(id) {
  try {
    return sessionStorage.getItem(KEPT + id);
  } catch {
    return null; // no storage in this frame
  }
}

function keep(id, written) {
  try {
    if (written) {
      sessionStorage.setItem(KEPT + id, written);
    } else {
      sessionStorage.removeItem(KEPT + id);
    }
  } catch {
    // no storage: it lasts as long as the page
  }
}
