// The shared note of one conversation, without a picture of it: the server's text, and what is on the way there.
//
//   write -> rest -> sent -> note.edit -> the server's log          one edit under way at a time, under one id
//   note.get, "st" frames -> take -> text, and rest over it         edits of others, each the next of its version
//
// `text` is what a person sees: base (the server's, at `version`), with `sent` and `rest` applied. Whatever is missing
// is asked for, so that a frame that was lost, a connection that was cut or a server that was restarted costs nothing.
// What is unsent is kept in the browser's storage; a page that comes later sends it.
//
// Events: "edit" (detail: an edit of somebody else, made on the text that was seen), "state".

import { Refusal, makeId } from "./chat.js";
import { apply, compose, cut, difference, transform } from "./edits.js";

const KEPT = "portico.chat.note."; // + person.conversation.page
const PAGE = "portico.chat.page";
const MAX_INSERTED = 8_000; // of one edit, in characters
const MAX_PARTS = 900;
const GATHER_MS = 150;
const PAUSE_MS = 250;
const AGAIN_MS = 1_500;
const LOOK_MS = 30_000;
const KEEP_MS = 300;
const ORPHAN_MS = 120_000; // a page that has not been heard of for so long will not send what it kept
const WRITING_MS = 4_000;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// Which page this is, another one after each load; and which one was on this tab before, null for none.
const page = makeId();
const last_page = (() => {
  try {
    const found = sessionStorage.getItem(PAGE);
    sessionStorage.setItem(PAGE, page);
    return found;
  } catch {
    return null;
  }
})();

/** Return the conversations in which somebody has left something unsent. */
export function unsentNotes(me) {
  const found = drafts(`${KEPT}${me}.`).map((key) => Number(key.split(".").at(-2)));
  return [...new Set(found)];
}

/** Drop what somebody who signs out has left unsent. */
export function forgetNotes(me) {
  drafts(`${KEPT}${me}.`).forEach((key) => localStorage.removeItem(key));
}

function drafts(prefix) {
  try {
    return Object.keys(localStorage).filter((key) => key.startsWith(prefix));
  } catch {
    return [];
  }
}

export class SharedNote extends EventTarget {
  /** connection: see chat.js. c: the conversation. */
  constructor(connection, c) {
    super();
    this.connection = connection;
    this.c = c;
    this.text = "";
    this.version = -1; // -1: nothing is known
    this.by = 0; // who changed it last
    this.at = 0;
    this.here = [];
    this.failed = null; // the Refusal that keeps it from being saved
    this.#key = `${KEPT}${connection.store.me}.${c}.${page}`;
    connection.addEventListener("frame", this.#heard);
    connection.addEventListener("state", this.#changed);
    addEventListener("pagehide", this.#keepForOthers);
    this.#pulse = setInterval(() => this.#beat(), LOOK_MS);
    this.#adopt();
    this.#look();
  }

  #key;
  #base = "";
  #epoch = "";
  #sent = null; // {cid, edit}
  #rest = [];
  #wants = false; // whether to ask for what is new
  #is_open = false;
  #is_working = false;
  #is_kept = false;
  #keeping = 0;
  #pulse = 0;
  #writers = new Map(); // person to when it was last heard, in ms

  /** Whether the server has everything. */
  get is_saved() {
    return this.#sent === null && this.#rest.length === 0;
  }

  /** Whether it can be written to. */
  get is_known() {
    return this.version >= 0 && this.failed?.code !== "forbidden";
  }

  /** Return who has changed it in the last seconds. */
  writers() {
    const since = Date.now() - WRITING_MS;
    return [...this.#writers].filter(([person, at]) => at > since && person !== this.#me).map(([person]) => person);
  }

  /** Somebody looks at it: hear of every edit at once. */
  open() {
    this.#is_open = true;
    this.failed = null;
    this.#look();
  }

  /** Nobody does any more. What is unsent is still sent. */
  close() {
    this.#is_open = false;
    this.connection.ask("note.close", { c: this.c }).catch(() => {}); // it forgets by itself
  }

  /** Let go of it for good. */
  end() {
    this.connection.removeEventListener("frame", this.#heard);
    this.connection.removeEventListener("state", this.#changed);
    removeEventListener("pagehide", this.#keepForOthers);
    clearInterval(this.#pulse);
    clearTimeout(this.#keeping);
  }

  /** Change the text. edit: made on the text as it is. */
  write(edit) {
    if (edit.length) {
      this.text = apply(this.text, edit);
      this.#rest = compose(this.#rest, edit);
      this.failed = null;
      this.#keepSoon();
      this.#tell();
      this.#work(GATHER_MS);
    }
  }

  get #me() {
    return this.connection.store.me;
  }

  #heard = ({ detail: frame }) => {
    if (frame.t !== "st" || frame.c !== this.c || !frame.note) {
      return;
    }
    if (frame.note.here) {
      this.here = frame.note.here;
      this.#tell();
    } else {
      this.#take(frame.note);
    }
  };

  #changed = () => {
    this.failed = null;
    this.#tell();
    if (this.#is_open || !this.is_saved) {
      this.#look();
    }
  };

  #beat() {
    if (!this.is_saved) {
      this.#keep(); // so that another page knows that this one is still there
    }
    if (this.#is_open) {
      this.#look();
    }
  }

  #tell() {
    this.dispatchEvent(new Event("state"));
  }

  #look() {
    this.#wants = true;
    this.#work();
  }

  /** Send what is unsent and ask for what is new, one at a time, until there is neither. */
  async #work(wait_ms = 0) {
    if (this.#is_working) {
      return;
    }
    this.#is_working = true;
    await pause(wait_ms);
    while (this.connection.state === "online" && this.failed === null && (!this.is_saved || this.#wants)) {
      if (this.#is_taken()) {
        continue;
      }
      try {
        await (this.version < 0 || this.is_saved ? this.#get() : this.#send());
      } catch (error) {
        if (!(error instanceof Refusal)) {
          throw error;
        }
        await this.#refused(error);
      }
      this.#tell();
      await pause(this.is_saved ? 0 : PAUSE_MS);
    }
    this.#is_working = false;
  }

  async #get() {
    this.#wants = false;
    const { epoch } = this.connection.store;
    const have = this.version >= 0 ? { have: this.version, epoch: this.#epoch } : {};
    const answer = await this.connection.ask("note.get", { c: this.c, open: this.#is_open, ...have });
    this.here = answer.here;
    this.#takeAnswer(answer, epoch);
    if (this.is_saved) {
      this.#adopt();
    }
  }

  async #send() {
    if (this.#sent === null) {
      const [first, more] = cut(this.#rest, MAX_INSERTED, MAX_PARTS);
      this.#sent = { cid: makeId(), edit: first };
      this.#rest = more;
      this.#keep();
    }
    const { epoch } = this.connection.store;
    const { cid, edit } = this.#sent;
    const answer = await this.connection.ask("note.edit", { c: this.c, v: this.version, edit, cid, epoch: this.#epoch });
    this.#takeAnswer(answer, epoch);
    this.#keepSoon();
  }

  async #refused(error) {
    if (error.code === "offline") {
      return; // "state" tells when it is worth another try
    }
    if (error.code === "timeout" || error.retry !== undefined) {
      await pause(Math.max((error.retry ?? 0) * 1_000, AGAIN_MS));
      return;
    }
    if (error.code === "bad_ref") { // this is not the text that the server has
      this.#epoch = "-";
      this.#wants = true;
    } else {
      this.failed = error;
    }
    if (this.#sent) {
      this.#rest = compose(this.#sent.edit, this.#rest); // not done, and will not be under this id
      this.#sent = null;
    }
    if (error.code === "forbidden") {
      this.#rest = [];
      this.#keep();
    }
  }

  #takeAnswer(answer, epoch) {
    [this.by, this.at] = [answer.by, answer.at];
    if (answer.edits) {
      answer.edits.forEach((each) => this.#take(each, epoch));
    } else {
      this.#takeText(answer, epoch);
    }
  }

  /** Take the next edit of the server. */
  #take({ v, f, edit, cid, at }, epoch = this.connection.store.epoch) {
    if (v <= this.version && epoch === this.#epoch) {
      return;
    }
    if (v !== this.version + 1 || epoch !== this.#epoch) {
      this.#look();
      return;
    }
    this.version = v;
    this.#base = apply(this.#base, edit);
    [this.by, this.at] = [f, at];
    if (f === this.#me && cid === this.#sent?.cid) {
      this.#sent = null;
    } else {
      this.#writers.set(f, Date.now());
      setTimeout(() => this.#tell(), WRITING_MS + 50);
      this.#put(edit, this.#me < f);
    }
    this.#keepSoon();
    this.#tell();
  }

  /** Put an edit of somebody else, made on the server's text, under what is unsent. */
  #put(edit, is_first) {
    let over = edit;
    if (this.#sent) {
      const own = this.#sent.edit;
      this.#sent = { ...this.#sent, edit: transform(own, over, is_first) };
      over = transform(over, own, !is_first);
    }
    const own = this.#rest;
    this.#rest = transform(own, over, is_first);
    over = transform(over, own, !is_first);
    this.text = apply(this.text, over);
    this.dispatchEvent(new CustomEvent("edit", { detail: { edit: over, is_first } }));
  }

  /** Take the whole text, where what lies between is not kept any more. done: whether `sent` is in it. */
  #takeText({ v, text, done }, epoch) {
    if (this.#sent && done === undefined) {
      return; // whether it is in the text, the answer to it says
    }
    if (this.#sent && done) {
      this.#base = apply(this.#base, this.#sent.edit);
    } else if (this.#sent) {
      this.#rest = compose(this.#sent.edit, this.#rest);
    }
    this.#sent = null;
    const edit = difference(this.#base, text);
    [this.#base, this.#epoch, this.version] = [text, epoch, v];
    this.#put(edit, false);
    this.#keepSoon();
    this.#tell();
  }

  // what outlives the page

  #keepSoon() {
    clearTimeout(this.#keeping);
    this.#keeping = setTimeout(() => this.#keep(), KEEP_MS);
  }

  #keepForOthers = () => this.#keep(0);

  #keep(at = Date.now()) {
    clearTimeout(this.#keeping);
    try {
      if (this.is_saved) {
        localStorage.removeItem(this.#key);
      } else {
        const kept = { epoch: this.#epoch, version: this.version, base: this.#base, sent: this.#sent, rest: this.#rest };
        localStorage.setItem(this.#key, JSON.stringify({ ...kept, at }));
      }
      this.#is_kept = !this.is_saved;
    } catch {
      this.#is_kept = false; // no storage, or no room in it: it lasts as long as the page
    }
  }

  /** Tell whether another page has sent what this one kept, having held it for closed; forget it then. */
  #is_taken() {
    if (this.is_saved || !this.#is_kept || localStorage.getItem(this.#key) !== null) {
      return false;
    }
    [this.#sent, this.#rest, this.#is_kept] = [null, [], false];
    const edit = difference(this.text, this.#base);
    this.text = this.#base;
    this.dispatchEvent(new CustomEvent("edit", { detail: { edit, is_first: false } }));
    this.#wants = true;
    return true;
  }

  /** Take up what a page that is no more has left unsent, if there is something. */
  #adopt() {
    for (const key of drafts(`${KEPT}${this.#me}.${this.c}.`)) {
      let kept = null;
      try {
        kept = JSON.parse(localStorage.getItem(key));
      } catch {
        localStorage.removeItem(key);
      }
      const is_mine = key.endsWith(`.${last_page}`);
      if (!kept || key === this.#key || (!is_mine && kept.at > Date.now() - ORPHAN_MS)) {
        continue;
      }
      localStorage.removeItem(key);
      const shown = this.text;
      this.#sent = kept.sent;
      [this.#epoch, this.version, this.#base, this.#rest] = [kept.epoch, kept.version, kept.base, kept.rest];
      this.text = apply(apply(this.#base, this.#sent?.edit ?? []), this.#rest);
      this.#keep();
      this.dispatchEvent(new CustomEvent("edit", { detail: { edit: difference(shown, this.text), is_first: false } }));
      this.#wants = true;
      return;
    }
  }
}
