// The line to the server: its JSON, and its WebSocket portico.chat.v1, which is kept up.
//
//   post, call           over HTTP
//   Line.connect         resolves when the server has said welcome; lost connections come back by themselves
//   Line.request         a frame that is answered
//
// What the frames say is the talk's business (talk.js): `line.take(frame)` gets each one.

const ORIGIN = new URL(import.meta.url).origin;
const FIRST_WAIT_MS = 500;
const MAX_WAIT_MS = 30_000;
const ANSWER_MS = 20_000;
const QUIET_MS = 40_000; // nothing heard for so long: is the server still there?
const PROBE_MS = 6_000;

/** What the server, or the lack of one, said no with. */
export class Refusal extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/** Ask for a path as `fetch` does, and read its JSON. Throws Refusal. */
export async function call(path, options = {}) {
  let answer;
  let found;
  try {
    answer = await fetch(ORIGIN + path, { ...options, credentials: "omit", cache: "no-store" });
    found = await answer.json();
  } catch {
    throw new Refusal(answer ? "error" : await whyNot());
  }
  if (!answer.ok) {
    throw new Refusal(found.code);
  }
  return found;
}

/**
 * Find out why a request got no answer that may be read: "origin" where the server is there. What it answers to pages
 * of a site that it does not know, browsers keep from them; the widget's own files are for every site.
 */
async function whyNot() {
  try {
    await fetch(import.meta.url, { method: "HEAD", credentials: "omit", cache: "no-store" });
    return ORIGIN === location.origin ? "offline" : "origin";
  } catch {
    return "offline";
  }
}

/** Send JSON. token: "" before there is one. Throws Refusal. */
export function post(path, body, token) {
  const headers = { "Content-Type": "application/json", ...(token && { Authorization: `Bearer ${token}` }) };
  return call(path, { method: "POST", headers, body: JSON.stringify(body) });
}

/** Return the whole address of something at the server. */
export function address(path) {
  return ORIGIN + path;
}

export class Line {
  /** talk: {hello() -> members of the frame, take(frame), lost(), is_wanted}. */
  constructor(talk) {
    this.talk = talk;
    this.is_online = false;
    document.addEventListener("visibilitychange", () => this.wake());
    addEventListener("online", () => this.wake());
    setInterval(() => this.#probe(), QUIET_MS / 2);
  }

  #socket = null;
  #entered = null; // of who waits for the welcome
  #heard_ms = 0;
  #number = 0;
  #timer = 0;
  #tries = 0;
  #waiting = new Map();

  /** Connect, where that has not been done; resolves when the server has said welcome. */
  connect() {
    this.#entered ??= deferred();
    if (!this.#socket) {
      clearTimeout(this.#timer);
      this.#open();
    }
    return this.#entered.promise;
  }

  #open() {
    const socket = new WebSocket(`${ORIGIN.replace(/^http/, "ws")}/ws`, "portico.chat.v1");
    this.#socket = socket;
    socket.onopen = () => this.put({ ...this.talk.hello(), t: "hello", v: 1 });
    socket.onmessage = ({ data }) => {
      this.#heard_ms = Date.now();
      for (const line of data.split("\n")) {
        if (line && socket === this.#socket) {
          this.#take(JSON.parse(line));
        }
      }
      this.talk.changed();
    };
    socket.onclose = () => socket === this.#socket && this.drop();
  }

  #take(frame) {
    if (frame.t === "welcome") {
      this.is_online = true;
      this.#tries = 0;
      this.talk.take(frame);
      this.#entered?.resolve();
      this.#entered = null;
      return;
    }
    this.talk.take(frame);
    if (frame.t === "ping") {
      this.put({ t: "pong" });
    } else if (frame.t === "bye") {
      this.drop();
    } else if (frame.id !== undefined) {
      const waiter = this.#waiting.get(frame.id);
      this.#waiting.delete(frame.id);
      if (frame.t === "err") {
        waiter?.reject(new Refusal(frame.code));
      } else {
        waiter?.resolve(frame);
      }
    }
  }

  /** Send a frame; return whether there was a way. */
  put(frame) {
    const can = this.#socket?.readyState === WebSocket.OPEN;
    if (can) {
      this.#socket.send(JSON.stringify(frame));
    }
    return can;
  }

  /** Send a frame and return its answer. Throws Refusal. */
  async request(frame) {
    const id = ++this.#number;
    if (!this.is_online || !this.put({ ...frame, id })) {
      throw new Refusal("offline");
    }
    const waiter = deferred();
    this.#waiting.set(id, waiter);
    setTimeout(() => this.#waiting.delete(id) && waiter.reject(new Refusal("offline")), ANSWER_MS);
    return waiter.promise;
  }

  /** The connection is no more; it comes back after a while, as long as it is wanted. */
  drop() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.is_online = false;
    this.#waiting.forEach((waiter) => waiter.reject(new Refusal("offline")));
    this.#waiting.clear();
    this.talk.lost();
    clearTimeout(this.#timer);
    if (this.talk.is_wanted) {
      const wait_ms = FIRST_WAIT_MS + Math.random() * Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** this.#tries++);
      this.#timer = setTimeout(() => this.connect().catch(() => {}), wait_ms);
    } else {
      this.#entered?.reject(new Refusal("error"));
      this.#entered = null;
    }
    this.talk.changed();
  }

  /** Somebody looks at the page again, or the network is back. */
  wake() {
    if (document.visibilityState === "visible" && this.talk.is_wanted) {
      if (!this.#socket) {
        this.connect().catch(() => {});
      }
      this.#probe(PROBE_MS);
      this.talk.changed();
    }
  }

  #probe(quiet_ms = QUIET_MS) {
    const asked_ms = Date.now();
    const socket = this.#socket;
    if (this.is_online && asked_ms - this.#heard_ms >= quiet_ms) {
      this.put({ t: "ask", id: ++this.#number, op: "ping" }); // whatever the answer is, it is one
      setTimeout(() => socket === this.#socket && this.#heard_ms < asked_ms && this.drop(), PROBE_MS);
    }
  }
}

function deferred() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  made.promise.catch(() => {}); // who waits for nothing is told nothing
  return made;
}
