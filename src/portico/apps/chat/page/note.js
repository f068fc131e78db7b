// The shared note beside a thread: a field that several write in at once.
//
//   show(id)      the note of a conversation; 0 for none
//   input -> difference -> SharedNote.write          what a person types
//   SharedNote "edit" -> the field, around the caret  what the others type
//
// While somebody composes a character, as one does in Chinese, the field is not touched: what the others write waits.

import "./texts-note.js";
import { apply, compose, difference, moved, transform } from "./edits.js";
import { SharedNote, forgetNotes, unsentNotes } from "./shared.js";
import { text } from "./texts.js";
import { Undo } from "./undo.js";
import { avatar, h, iconButton, reason, shortly } from "./ui.js";

const MAX_LENGTH = 65_536;

export class NotePanel {
  /** connection: see chat.js. close: called when a person closes the note. */
  constructor(connection, close) {
    this.connection = connection;
    this.store = connection.store;
    this.id = 0;
    this.field = h("textarea", { "aria-label": text("note.label"), placeholder: text("note.empty"), maxlength: MAX_LENGTH, spellcheck: true, dir: "auto" });
    this.here = h("div", { class: "here" });
    this.state = h("p", { class: "state", role: "status" });
    this.last = h("p", { class: "dim cut" });
    this.element = h("aside", { class: "note", "aria-label": text("note.title"), hidden: true },
      h("header", {}, h("h2", { class: "grow" }, text("note.title")), this.here, iconButton("close", text("note.close"), close)),
      this.field, h("footer", {}, this.state, this.last));
    this.element.addEventListener("keydown", (event) => this.#key(event, close));
    this.field.addEventListener("beforeinput", (event) => this.#turn(event));
    this.field.addEventListener("input", () => this.#input());
    this.field.addEventListener("compositionstart", () => (this.#is_composing = true));
    this.field.addEventListener("compositionend", () => {
      this.#is_composing = false;
      this.#input();
    });
    this.store.addEventListener("change", () => {
      if (this.id && this.store.conversations.get(this.id).has_left) {
        close();
        this.show(0);
      } else if (this.id) {
        this.#draw();
      }
    });
  }

  #notes = new Map(); // conversation to {note, undo}
  #shown = ""; // what the field had last
  #held = []; // what the others have written since
  #is_composing = false;

  /** Send what pages that are closed now have left unsent. */
  resume() {
    unsentNotes(this.store.me).forEach((c) => this.#note(c));
  }

  /** Drop all of it: the person signs out. */
  forget() {
    this.#notes.forEach(({ note }) => note.end());
    this.#notes.clear();
    forgetNotes(this.store.me);
  }

  /** Show the note of a conversation that one is in; 0 for none. */
  show(wanted) {
    const id = this.store.conversations.get(wanted)?.has_left ? 0 : wanted;
    if (this.id === id) {
      return;
    }
    if (this.id) {
      this.#input();
      this.#note(this.id).note.close();
    }
    this.id = id;
    this.element.hidden = id === 0;
    this.field.value = this.#shown = "";
    if (id) {
      const { note } = this.#note(id);
      note.open();
      [this.#held, this.#is_composing] = [[], false];
      this.field.value = this.#shown = note.text;
      this.field.setSelectionRange(0, 0);
      this.field.scrollTop = 0;
      this.#draw();
      if (matchMedia("(pointer: fine)").matches) {
        this.field.focus();
      }
    }
  }

  #note(c) {
    if (!this.#notes.has(c)) {
      const [note, undo] = [new SharedNote(this.connection, c), new Undo()];
      note.addEventListener("edit", ({ detail: { edit, is_first } }) => {
        undo.pass(edit);
        if (c === this.id) {
          this.#others(edit, is_first);
        }
      });
      note.addEventListener("state", () => c === this.id && this.#draw());
      this.#notes.set(c, { note, undo });
    }
    return this.#notes.get(c);
  }

  /** A person has changed the field. */
  #input() {
    if (this.#is_composing) {
      return;
    }
    const typed = this.field.value;
    const { note, undo } = this.#note(this.id);
    const edit = difference(this.#shown, typed, this.field.selectionEnd);
    const own = transform(edit, this.#held, true);
    const others = transform(this.#held, edit, false);
    if (own.length) {
      undo.record(own, note.text);
      note.write(own);
    }
    [this.#shown, this.#held] = [typed, []];
    this.#put(others, true);
  }

  /** The others have changed the note. */
  #others(edit, is_first) {
    if (this.#is_composing) {
      this.#held = compose(this.#held, edit);
    } else {
      this.#put(edit, is_first);
    }
  }

  /** Change what is in the field; the caret, and what is in view, stay where they are in the text. */
  #put(edit, is_first) {
    if (!edit.length) {
      return;
    }
    const { selectionStart, selectionEnd, selectionDirection, scrollTop } = this.field;
    const places = [selectionStart, selectionEnd].map((at) => moved(this.#shown, edit, at, is_first));
    this.field.value = this.#shown = apply(this.#shown, edit);
    this.field.setSelectionRange(...places, selectionDirection);
    this.field.scrollTop = scrollTop;
  }

  /** Take back, or do again, what this person has written; the browser's own way knows nothing of the others. */
  #turn(event) {
    const is_undo = event.inputType === "historyUndo";
    if (!is_undo && event.inputType !== "historyRedo") {
      return;
    }
    event.preventDefault();
    const { note, undo } = this.#note(this.id);
    const edit = is_undo ? undo.undo(note.text) : undo.redo(note.text);
    if (edit) {
      note.write(edit);
      this.#put(edit, false);
    }
  }

  #key(event, close) {
    const is_control = (event.ctrlKey || event.metaKey) && !event.altKey && event.target === this.field;
    const key = event.key.toLowerCase();
    if (event.key === "Escape" && !event.isComposing) {
      event.preventDefault();
      close();
    } else if (is_control && (key === "z" || key === "y") && !event.isComposing) {
      const inputType = key === "z" && !event.shiftKey ? "historyUndo" : "historyRedo";
      this.#turn({ inputType, preventDefault: () => event.preventDefault() });
    }
  }

  #draw() {
    const { note } = this.#note(this.id);
    const { store } = this;
    const others = note.here.filter((person) => person !== store.me && this.connection.state === "online");
    const names = (people) => people.map((person) => store.name(person) || text("somebody")).join(", ");
    this.field.readOnly = !note.is_known;
    this.here.title = others.length ? text("note.here", { names: names(others) }) : "";
    this.here.replaceChildren(...others.slice(0, 4).map((person) => avatar(store.name(person), person)));
    const writers = note.writers();
    const state = this.#stateOf(note);
    this.state.classList.toggle("wrong", note.failed !== null);
    if (this.state.textContent !== state) {
      this.state.textContent = state;
    }
    this.last.textContent = writers.length ? text(writers.length > 1 ? "note.writing_many" : "note.writing", { names: names(writers) })
      : note.by ? text("note.changed", { name: note.by === store.me ? text("you") : names([note.by]), when: shortly(note.at) }) : "";
  }

  #stateOf(note) {
    const { state } = this.connection;
    if (note.failed) {
      return { forbidden: text("note.left"), too_big: text("note.too_big") }[note.failed.code] ?? text("note.refused", { why: reason(note.failed) });
    }
    if (state !== "online") {
      return text(note.version < 0 || note.is_saved ? "note.offline_saved" : "note.offline");
    }
    return text(note.version < 0 ? "note.loading" : note.is_saved ? "note.saved" : "note.saving");
  }
}
