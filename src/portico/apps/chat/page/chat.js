// The connection of a page to the chat: one WebSocket of portico.chat.v1, which comes back by itself.
//
//   start -> connect -> hello(have, epoch) -> welcome -> the store is told, the outbox flows
//                   -> ask "me": the store is told what there is
//   ask, get            an answer, or a Refusal; "offline" where nobody can be asked now
//   send                into the outbox; it goes when it can, in order, once
//
// Events of a Connection: "state" (detail: "connecting", "online", "waiting", "ended"), "frame" (each frame that the
// store has no use for, and "st"), "me" (the answer to "me", at each connection and whenever the list has changed), "auth"
// (the token is nobody's any more).

import { Outbox } from "./outbox.js";

const FIRST_WAIT_MS = 400;
const MAX_WAIT_MS = 30_000;
const ANSWER_MS = 20_000;
const QUIET_MS = 30_000; // nothing heard for so long: is the server still there?
const PROBE_MS = 6_000;
const TYPING_EVERY_MS = 3_000;
const GOT_MS = 1_000; // after what has arrived, so that one mark is for all of it
const RECENT = 80; // messages of each conversation that a page begins with
const MAX_NAMES = 200;
const PATIENCE_MS = 5_000;

/** What the server, or the lack of one, said no with. code: a word. retry: seconds, or undefined for never. */
export class Refusal extends Error {
  constructor(code, why = "", retry = undefined) {
    super(why || code);
    this.code = code;
    this.retry = retry;
  }
}

/** Return an id of 24 letters and digits that nobody else has; needs no secure context. */
export function makeId() {
  const bytes = crypto.getRandomValues(new Uint8Array(18));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}

/** Return the WebSocket's address for a server's address, by default the page's own. */
export function socketAddress(base = location.href) {
  const url = new URL("/ws", base);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return url.href;
}

export class Connection extends EventTarget {
  /**
   * token: of this device. store: see store.js; told of everything. address: of the WebSocket.
   * owner: whose unsent messages to take up, before the server has said who this is.
   */
  constructor({ token, store, address = socketAddress(), owner = 0 }) {
    super();
    this.token = token;
    this.store = store;
    this.address = address;
    this.state = "ended";
    this.outbox = new Outbox((entry) => this.#put(sendFrame(entry)), (entry) => this.store.pendingChanged(entry));
    this.skew_ms = 0; // the server's clock ahead of ours
    this.max_text = 8192;
    this.next_try_ms = 0;
    this.#owner = owner;
    store.addEventListener("change", () => this.#askNames());
    store.addEventListener("change", ({ detail }) => this.#gotSoon(detail.conversations));
    store.addEventListener("moved", ({ detail: { conversation, event } }) => {
      if (event.b.person === store.me || !conversation.is_listed) {
        this.#refreshSoon();
      }
    });
  }

  #owner;
  #socket = null;
  #tries = 0;
  #timer = 0;
  #watch = 0;
  #number = 0;
  #waiting = new Map();
  #filling = new Set();
  #heard_ms = 0;
  #typed = new Map();
  #last_read = new Map();
  #last_got = new Map();
  #viewing = 0;
  #got = new Set(); // conversations of which it is still to be said
  #got_timer = 0;
  #refresh = 0;
  #is_naming = false;

  /** Connect, and stay connected until stop. */
  async start() {
    addEventListener("online", this.#wake);
    document.addEventListener("visibilitychange", this.#wake);
    this.#watch = setInterval(() => this.#probeIfQuiet(), QUIET_MS / 2);
    if (this.#owner) {
      await this.outbox.open(this.#owner, this.store);
    }
    this.#connect();
  }

  /** Disconnect for good. What is unsent stays in the outbox. */
  stop() {
    removeEventListener("online", this.#wake);
    document.removeEventListener("visibilitychange", this.#wake);
    clearInterval(this.#watch);
    clearTimeout(this.#timer);
    this.#setState("ended");
    this.#drop();
  }

  /** Try again at once instead of waiting. */
  retryNow() {
    if (this.state === "waiting") {
      clearTimeout(this.#timer);
      this.#connect();
    }
  }

  /** Ask the server to do something, as soon as there is a connection; return its answer. Throws Refusal. */
  async ask(op, values = {}) {
    if (this.state === "connecting") {
      await this.#settled();
    }
    return this.#request({ ...values, t: "ask", op });
  }

  /** Wait until connecting has come to an end, for a while. */
  #settled() {
    return new Promise((done) => {
      this.addEventListener("state", done, { once: true });
      setTimeout(done, PATIENCE_MS);
    });
  }

  /** Read a part of a conversation into the store: {after} or {before}, and perhaps {limit}. Throws Refusal. */
  async get(c, range) {
    const page = await this.#request({ ...range, t: "get", c });
    this.store.take(page);
    return page;
  }

  /** Send something into a conversation, now or as soon as there is a way. Return its id. */
  async send(c, body, { kind = "msg", ref } = {}) {
    const entry = { cid: makeId(), c, k: kind, b: body, at: Date.now() + this.skew_ms };
    if (ref !== undefined) {
      entry.ref = ref;
    }
    await this.outbox.add(entry);
    return entry.cid;
  }

  /** Try again to send what the server has refused. */
  retry(cid) {
    this.outbox.retry(cid, makeId());
  }

  /** Say how far a conversation has been read; only further than before, and only once. */
  mark(c, read) {
    const known = Math.max(this.#last_read.get(c) ?? 0, this.store.conversations.get(c)?.read ?? 0);
    if (read > known && this.#put({ t: "mark", c, read })) {
      this.#last_read.set(c, read);
      this.store.take({ t: "st", c, read: { [this.store.me]: read } });
    }
  }

  /** Say which conversation is open, 0 for none: how many are in it now is told from then on. */
  view(c) {
    this.#viewing = c;
    this.#put({ t: "view", c });
  }

  /** Say, a little later, what has arrived and is not read yet, so that who wrote it knows. */
  #gotSoon(conversations) {
    conversations.forEach((c) => this.#got.add(c));
    this.#got_timer ||= setTimeout(() => {
      this.#got_timer = 0;
      const found = [...this.#got].map((c) => this.store.conversations.get(c)).filter(Boolean);
      this.#got.clear();
      for (const { id, last, read } of found) {
        if (last > Math.max(read, this.#last_got.get(id) ?? 0) && this.#put({ t: "mark", c: id, got: last })) {
          this.#last_got.set(id, last);
        }
      }
    }, GOT_MS);
  }

  /** Say that something is being written; seldom enough. */
  typing(c) {
    const now = Date.now();
    if (now - (this.#typed.get(c) ?? 0) > TYPING_EVERY_MS) {
      this.#typed.set(c, now);
      this.#put({ t: "typ", c });
    }
  }

  #wake = () => {
    if (document.visibilityState === "visible" && navigator.onLine !== false) {
      this.retryNow();
      this.#probeIfQuiet(PROBE_MS);
    }
  };

  #setState(state) {
    if (this.state !== state) {
      this.state = state;
      this.dispatchEvent(new CustomEvent("state", { detail: state }));
    }
  }

  #connect() {
    this.#setState("connecting");
    const socket = new WebSocket(this.address, "portico.chat.v1");
    this.#socket = socket;
    socket.onopen = () => {
      this.#put({ t: "hello", v: 1, tok: this.token, epoch: this.store.epoch, have: this.store.have(), recent: RECENT });
    };
    socket.onmessage = (message) => {
      this.#heard_ms = Date.now();
      for (const line of String(message.data).split("\n")) {
        if (line && socket === this.#socket) {
          this.#take(JSON.parse(line));
        }
      }
    };
    socket.onclose = () => {
      if (socket === this.#socket) {
        this.#lost();
      }
    };
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.outbox.pause();
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { fail } of waiting) {
      fail(new Refusal("offline"));
    }
  }

  #lost() {
    this.#drop();
    if (this.state === "ended") {
      return;
    }
    const wait_ms = FIRST_WAIT_MS + Math.random() * Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#tries);
    this.#tries += 1;
    this.next_try_ms = Date.now() + wait_ms;
    this.#timer = setTimeout(() => this.#connect(), wait_ms);
    this.#setState("waiting");
  }

  #probeIfQuiet(quiet_ms = QUIET_MS) {
    if (this.state !== "online" || Date.now() - this.#heard_ms < quiet_ms) {
      return;
    }
    const socket = this.#socket;
    const asked_ms = Date.now();
    this.#put({ t: "ask", id: ++this.#number, op: "ping" }); // whatever the answer is, it is one
    setTimeout(() => {
      if (socket === this.#socket && this.#heard_ms < asked_ms) {
        this.#lost();
      }
    }, PROBE_MS);
  }

  #put(frame) {
    if (this.#socket?.readyState !== WebSocket.OPEN || (frame.t !== "hello" && this.state !== "online")) {
      return false;
    }
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  #request(frame) {
    const id = ++this.#number;
    return new Promise((done, fail) => {
      if (!this.#put({ ...frame, id })) {
        fail(new Refusal("offline"));
        return;
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        fail(new Refusal("timeout"));
      }, ANSWER_MS);
      const settle = (end) => (value) => {
        clearTimeout(timer);
        end(value);
      };
      this.#waiting.set(id, { done: settle(done), fail: settle(fail) });
    });
  }

  #take(frame) {
    const handler = this.#handlers[frame.t];
    if (handler) {
      handler(frame);
    } else {
      this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
    }
  }

  #handlers = {
    welcome: (frame) => this.#welcome(frame),
    ok: (frame) => this.#answer(frame.id, (waiter) => waiter.done(frame)),
    page: (frame) => this.#answer(frame.id, (waiter) => waiter.done(frame)),
    err: (frame) => this.#refused(frame),
    ack: (frame) => this.outbox.acknowledged(frame),
    nack: (frame) => {
      if (frame.code === "auth") {
        this.#lost(); // it is kept; hello tells whether the token is still good
      } else {
        this.outbox.refused(frame);
      }
    },
    ev: (frame) => this.#event(frame),
    sync: (frame) => {
      this.store.take(frame);
      if (frame.head < this.store.conversations.get(frame.c).last) {
        this.store.forget(frame.c); // the server's log ends before ours: ours is not its
        this.#lost();
      }
    },
    reset: (frame) => this.store.take(frame),
    ping: () => this.#put({ t: "pong" }),
    st: (frame) => {
      this.store.take(frame);
      this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
    },
    bye: (frame) => {
      this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
      if (this.state !== "ended") {
        this.#lost(); // to say hello again, which tells whether the token is still good
      }
    },
  };

  async #welcome(frame) {
    this.#tries = 0;
    this.skew_ms = frame.now - Date.now();
    this.max_text = frame.max_text;
    this.store.take(frame);
    await this.outbox.open(frame.me, this.store);
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#setState("online");
      if (this.#viewing) {
        this.view(this.#viewing);
      }
      this.outbox.resume();
      await this.refresh();
    }
  }

  /** Ask for the list of conversations again. */
  async refresh() {
    try {
      const answer = await this.ask("me");
      this.store.list(answer);
      this.dispatchEvent(new CustomEvent("me", { detail: answer }));
    } catch (error) {
      this.#passOver(error);
    }
  }

  #refreshSoon() {
    clearTimeout(this.#refresh);
    this.#refresh = setTimeout(() => this.state === "online" && this.refresh(), 150);
  }

  /** Ask for the names that were missing when something was drawn. */
  async #askNames() {
    const ids = [...this.store.unknown].slice(0, MAX_NAMES);
    if (!ids.length || this.#is_naming || this.state !== "online") {
      return;
    }
    this.#is_naming = true;
    try {
      const { people } = await this.ask("people.get", { ids });
      this.store.setPeople({ ...Object.fromEntries(ids.map((id) => [id, { name: `#${id}` }])), ...people });
    } catch (error) {
      this.#passOver(error);
    } finally {
      this.#is_naming = false;
    }
  }

  #passOver(error) {
    if (!(error instanceof Refusal)) {
      throw error;
    }
  }

  #answer(id, settle) {
    const waiter = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (waiter) {
      settle(waiter);
    }
  }

  #refused(frame) {
    if (frame.id !== undefined) {
      this.#answer(frame.id, (waiter) => waiter.fail(new Refusal(frame.code, frame.why, frame.retry)));
    } else if (frame.code === "auth") {
      this.#unknown(frame);
    } else {
      this.dispatchEvent(new CustomEvent("frame", { detail: frame }));
    }
  }

  #unknown(frame) {
    this.stop();
    this.dispatchEvent(new CustomEvent("auth", { detail: frame.why ?? "" }));
  }

  #event(frame) {
    if (!this.store.take(frame)) {
      this.#fill(frame.c, frame.s);
    }
  }

  /** Get what is missing between what is known and an event that came too early. */
  async #fill(c, seen) {
    const last = () => this.store.conversation(c).last;
    if (this.#filling.has(c)) {
      return;
    }
    this.#filling.add(c);
    try {
      for (let head = seen; last() < head; ) {
        const before = Math.max(0, last());
        head = (await this.get(c, { after: before })).head;
        if (last() === before) {
          break;
        }
      }
    } catch (error) {
      this.#passOver(error);
    } finally {
      this.#filling.delete(c);
    }
  }
}

function sendFrame({ cid, c, k, b, ref }) {
  return { t: "send", cid, c, k, b, ref };
}
