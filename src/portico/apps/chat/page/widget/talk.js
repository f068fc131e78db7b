// One visitor's conversation with the desk, without anything that is to be seen.
//
//   begin           come in with a token, and have a conversation: the form of the pre-chat, or of outside the hours
//   send            into the outbox; one message is under way at a time, under an id that stays the same
//   take            frames: events into logs, the place in the queue into `desk`
//   onchange        called after everything that may look different
//
// The token, the number of the conversation and what is unsent are in the localStorage of the page that shows the
// widget, so that a reload goes on where it was. Nothing is kept before `begin`.

import { call, Line, post, Refusal } from "./line.js";
import { language, text } from "./texts.js";

const KEPT = `portico.visitor ${new URL(import.meta.url).origin}`;
const TYPING_MS = 6_000;
const TYPED_EVERY_MS = 3_000;

export class Talk {
  constructor(onchange) {
    this.changed = onchange;
    this.me = 0;
    this.desk = {}; // what the desk last said of the place in the queue
    this.site = null; // the answer of /api/public
    this.names = new Map();
    this.files = new Map(); // id to {name, type, size}
    this.writer = { name: "", until: 0 };
    this.kept = { token: "", c: 0, out: [] };
    try {
      Object.assign(this.kept, JSON.parse(localStorage.getItem(KEPT) ?? "{}"));
    } catch {
      // no storage, or another's: a visit lasts as long as the page
    }
    this.line = new Line(this);
    if (this.is_wanted) {
      this.line.connect().catch(() => {}); // who opened it once is told of answers
    }
  }

  #epoch = "";
  #logs = new Map(); // conversation to {events, last, first, read}
  #typed_ms = 0;
  #under_way = ""; // the cid of the message that waits for its acknowledgement

  /** Whether there is somebody to be connected as. */
  get is_wanted() {
    return Boolean(this.kept.token);
  }

  /** Return the log of a conversation, by default of the one that is kept. */
  log(c = this.kept.c) {
    if (!this.#logs.has(c)) {
      this.#logs.set(c, { events: new Map(), last: -1, first: 1, read: 0 });
    }
    return this.#logs.get(c);
  }

  /** Return the events in order, how the conversation stands, and who answers. */
  standing() {
    const events = [...this.log().events.values()].sort((one, other) => one.s - other.s);
    const last = events.findLast((event) => ["state", "assign"].includes(event.k));
    const is_open = last?.k === "assign";
    const stage = last ? (is_open ? "open" : last.b.state) : (this.desk.state ?? "queued");
    return { events, stage, agent: is_open ? last.f : this.desk.agent };
  }

  #keep() {
    try {
      localStorage.setItem(KEPT, JSON.stringify(this.kept));
    } catch {
      // no storage
    }
  }

  /** Ask the server to do something; return its answer. Throws Refusal. */
  ask(op, values = {}) {
    return this.line.request({ ...values, t: "ask", op });
  }

  /** Find out what a page may know before anybody has come in. queue: undefined for the first. Throws Refusal. */
  async readSite(queue) {
    this.site ??= await call(`/api/public${queue ? `?queue=${queue}` : ""}`);
  }

  /** Come in, if not in yet, and have a conversation with the desk. op: desk.start or desk.form. Throws Refusal. */
  async begin(op, values) {
    if (!this.kept.token) {
      const { token } = await post("/api/visitor", { name: values.name });
      this.kept.token = token;
      this.#keep();
    }
    if (!this.line.is_online) {
      await this.line.connect();
    }
    await this.ask("me.set", { lang: language() }).catch(() => {});
    const answer = await this.ask(op, { ...values, name: values.name || undefined });
    this.kept.c = answer.c;
    this.desk = answer.desk ?? {};
    this.#keep();
    this.refresh();
  }

  /** Ask how things stand: the place in the queue is told to those who are there, not to those who come back. */
  async refresh() {
    if (this.kept.c) {
      try {
        const answer = await this.ask("desk.status", { c: this.kept.c });
        this.desk = { ...answer.desk, greeting: answer.greeting, offline: answer.offline };
        this.changed();
      } catch {
        // it is told again at the next turn of the desk
      }
    }
  }

  // out

  /** Send a message, now or as soon as there is a way. body: {text, files?}. */
  send(body) {
    this.kept.out.push({ cid: newId(), c: this.kept.c, ...body });
    this.#keep();
    this.#flow();
    this.changed();
  }

  /** Try again to send what the server has refused. */
  again(entry) {
    delete entry.failed;
    entry.cid = newId();
    this.#keep();
    this.#flow();
    this.changed();
  }

  #flow() {
    const entry = this.kept.out.find((each) => !each.failed);
    if (entry && this.line.is_online && !this.#under_way) {
      const b = entry.files ? { text: entry.text, files: entry.files } : { text: entry.text };
      this.#under_way = this.line.put({ t: "send", cid: entry.cid, c: entry.c, k: "msg", b }) ? entry.cid : "";
    }
  }

  /** Send a file in a message of its own. Throws Refusal. */
  async upload(file) {
    const headers = { Authorization: `Bearer ${this.kept.token}`, "Content-Type": "application/octet-stream" };
    const path = `/api/files?name=${encodeURIComponent(file.name)}`;
    const { id, name } = await call(path, { method: "POST", headers, body: file });
    this.files.set(id, { name, size: file.size });
    this.send({ text: "", files: [id] });
  }

  /** Return the address of a file, which is good for some minutes. Throws Refusal. */
  async addressOf(id) {
    return (await post("/api/downloads", { files: [id] }, this.kept.token)).links[id];
  }

  /** Say that something is being written; seldom enough. */
  typing() {
    if (Date.now() - this.#typed_ms > TYPED_EVERY_MS) {
      this.#typed_ms = Date.now();
      this.line.put({ t: "typ", c: this.kept.c });
    }
  }

  /** Say that all of it has been seen. */
  markRead() {
    const found = this.log();
    if (this.kept.c && found.last > found.read && this.line.put({ t: "mark", c: this.kept.c, read: found.last })) {
      found.read = found.last;
    }
  }

  /** Read what is in front of an event. Throws Refusal. */
  older(before) {
    return this.line.request({ t: "get", c: this.kept.c, before, limit: 50 });
  }

  // in

  /** Return what to say hello with. */
  hello() {
    const known = [...this.#logs].filter(([, each]) => each.last >= 0).map(([c, each]) => [c, each.last]);
    return { tok: this.kept.token, epoch: this.#epoch, have: Object.fromEntries(known) };
  }

  /** Take a frame. */
  take(frame) {
    this.#takers[frame.t]?.(frame);
  }

  /** The connection is gone. */
  lost() {
    this.#under_way = "";
  }

  #takers = {
    welcome: (frame) => {
      this.me = frame.me;
      this.#epoch = frame.epoch;
      this.#flow();
      this.refresh();
    },
    reset: () => this.#logs.clear(),
    page: (frame) => this.#takeAll(frame),
    err: (frame) => frame.id === undefined && frame.code === "auth" && this.#forget(),
    ev: (frame) => {
      const found = this.log(frame.c);
      if (found.last >= 0 && frame.s > found.last + 1) {
        this.line.request({ t: "get", c: frame.c, after: found.last }).catch(() => {});
      } else if (frame.s > found.last) {
        this.#add(frame);
        found.last = frame.s;
      }
    },
    sync: (frame) => {
      this.#takeAll(frame);
      const found = this.log(frame.c);
      found.last = frame.ev.length ? frame.ev.at(-1).s : Math.max(found.last, frame.head);
    },
    st: (frame) => this.#takeState(frame),
    ack: (frame) => {
      this.kept.out = this.kept.out.filter((entry) => entry.cid !== frame.cid);
      this.#keep();
      this.#under_way = "";
      this.#flow();
    },
    nack: (frame) => {
      this.#under_way = "";
      if (frame.retry !== undefined) {
        setTimeout(() => this.#flow(), Math.max(0.3, frame.retry) * 1000);
        return;
      }
      const entry = this.kept.out.find((each) => each.cid === frame.cid);
      if (entry) {
        entry.failed = frame.code;
      }
      this.#keep();
      this.#flow();
    },
  };

  #takeState(frame) {
    for (const [id, person] of Object.entries(frame.people ?? {})) {
      this.names.set(Number(id), person.name);
    }
    const found = this.log(frame.c);
    found.read = Math.max(found.read, frame.read?.[this.me] ?? 0);
    if (frame.c !== this.kept.c) {
      return;
    }
    if (frame.desk) {
      this.desk = { ...this.desk, ...frame.desk };
      this.names.set(this.desk.agent, this.desk.name);
    }
    if (frame.typ && frame.typ !== this.me) {
      this.writer = { name: this.names.get(frame.typ) ?? text("agent"), until: Date.now() + TYPING_MS };
      setTimeout(this.changed, TYPING_MS + 50);
    }
  }

  #takeAll(frame) {
    const found = this.log(frame.c);
    frame.ev.forEach((event) => this.#add(event));
    found.first = frame.first;
    while (found.events.has(found.last + 1)) {
      found.last += 1;
    }
  }

  #add(event) {
    const { events } = this.log(event.c);
    if (events.has(event.s)) {
      return;
    }
    events.set(event.s, event);
    if (event.f !== this.me) {
      this.#learnName(event.f);
      this.writer.until = event.k === "msg" ? 0 : this.writer.until;
    } else if (event.k === "msg" && this.kept.out[0]?.cid === this.#under_way && this.kept.out[0]?.text === event.b.text) {
      this.kept.out[0].is_seen = true;
    }
    this.#learnFiles((event.b.files ?? []).filter((id) => !this.files.has(id)));
  }

  #learnName(id) {
    if (!this.names.has(id)) {
      this.names.set(id, undefined);
      this.ask("people.get", { ids: [id] }).then(({ people }) => {
        this.names.set(id, people[id]?.name);
        this.changed();
      }, () => this.names.delete(id));
    }
  }

  #learnFiles(ids) {
    if (ids.length) {
      this.ask("files.get", { ids }).then(({ files }) => {
        Object.entries(files).forEach(([id, file]) => this.files.set(Number(id), file));
        this.changed();
      }, () => {}); // they have their numbers until then
    }
  }

  /** The token is nobody's any more: begin again. */
  #forget() {
    this.kept = { token: "", c: 0, out: [] };
    this.#keep();
    this.#logs.clear();
    this.desk = {};
    this.line.drop();
  }
}

/** Return whether an error is the server's, or the network's, no. */
export function isRefusal(error) {
  return error instanceof Refusal;
}

function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
