// What has been written and not yet acknowledged. It outlives the page in IndexedDB, and is sent again, in order and
// with the same ids, until the server has it; the server takes each id once.
//
// In each conversation one entry is under way at a time, so that a refusal to be quick ("slow down") changes no order.
// An entry that the server will never take is kept as failed until it is tried again or thrown away.

const DATABASE = "portico-chat";
const TABLE = "outbox";

export class Outbox {
  /** put: sends an entry; returns whether it could. changed: told of each entry that comes, changes or goes. */
  constructor(put, changed) {
    this.entries = []; // in the order in which they were written
    this.#put = put;
    this.#changed = changed;
  }

  #put;
  #changed;
  #owner = 0;
  #database = null;
  #last_n = 0;
  #is_flowing = false;
  #under_way = new Set(); // cids
  #held = new Map(); // conversation to the timer after which it may go on

  /** Take up what a person has left unsent. Entries of others on this device stay where they are. */
  async open(owner) {
    if (this.#owner === owner) {
      return;
    }
    this.#owner = owner;
    this.#database ??= await openDatabase();
    const stored = await listed(this.#database, owner);
    const known = new Set(this.entries.map((entry) => entry.cid));
    this.entries.unshift(...stored.filter((entry) => !known.has(entry.cid)));
    this.entries.forEach((entry) => this.#changed(entry));
  }

  /** Add an entry {cid, c, k, b, ref?, at} and send it when it is its turn. */
  async add(entry) {
    entry.owner = this.#owner;
    entry.n = this.#last_n = Math.max(Date.now(), this.#last_n + 1); // the order, also of what is written in one moment
    this.entries.push(entry);
    this.#changed(entry);
    await this.#store(entry);
    this.#flow();
  }

  /** The server can be reached: send. */
  resume() {
    this.#is_flowing = true;
    this.#flow();
  }

  /** It cannot: what was under way goes again later. */
  pause() {
    this.#is_flowing = false;
    this.#under_way.clear();
    this.#held.forEach(clearTimeout);
    this.#held.clear();
  }

  /** The server has it. */
  acknowledged({ cid, s, at }) {
    const entry = this.#find(cid);
    if (entry) {
      this.#remove(entry);
      this.#changed({ ...entry, s, at, is_done: true });
    }
    this.#flow();
  }

  /** The server does not take it: not now (retry, in seconds), or never. */
  refused({ cid, code, why, retry }) {
    const entry = this.#find(cid);
    this.#under_way.delete(cid);
    if (entry && retry !== undefined) {
      this.#hold(entry.c, retry);
    } else if (entry) {
      entry.failed = { code, why };
      this.#store(entry);
      this.#changed(entry);
      this.#flow();
    }
  }

  /** Try one again that has failed. */
  retry(cid, newId) {
    const entry = this.#find(cid);
    if (!entry?.failed) {
      return;
    }
    if (entry.failed.code === "cid_reuse") {
      this.discard(cid);
      this.add({ ...entry, cid: newId, failed: undefined });
      return;
    }
    delete entry.failed;
    this.#store(entry);
    this.#changed(entry);
    this.#flow();
  }

  /** Throw one away. */
  discard(cid) {
    const entry = this.#find(cid);
    if (entry) {
      this.#remove(entry);
      this.#changed({ ...entry, is_done: true });
      this.#flow();
    }
  }

  /** Throw everything away, when a person signs out. */
  clear() {
    [...this.entries].forEach((entry) => this.discard(entry.cid));
  }

  #flow() {
    const busy = new Set(this.#held.keys());
    for (const entry of this.entries) {
      if (!this.#is_flowing) {
        return;
      }
      if (entry.failed || busy.has(entry.c)) {
        continue;
      }
      busy.add(entry.c);
      if (!this.#under_way.has(entry.cid) && this.#put(entry)) {
        this.#under_way.add(entry.cid);
      }
    }
  }

  #hold(c, retry_s) {
    const timer = setTimeout(() => {
      this.#held.delete(c);
      this.#flow();
    }, Math.max(retry_s, 0.2) * 1000);
    this.#held.set(c, timer);
  }

  #find(cid) {
    return this.entries.find((entry) => entry.cid === cid);
  }

  #remove(entry) {
    this.entries.splice(this.entries.indexOf(entry), 1);
    this.#under_way.delete(entry.cid);
    this.#act((table) => table.delete(entry.cid));
  }

  #store(entry) {
    return this.#act((table) => table.put(entry));
  }

  #act(work) {
    if (!this.#database) {
      return Promise.resolve(); // a private window without a database: it lasts as long as the page
    }
    const transaction = this.#database.transaction(TABLE, "readwrite");
    work(transaction.objectStore(TABLE));
    return new Promise((done) => {
      transaction.oncomplete = transaction.onabort = transaction.onerror = () => done();
    });
  }
}

function openDatabase() {
  return new Promise((done) => {
    let request;
    try {
      request = indexedDB.open(DATABASE, 1);
    } catch {
      done(null);
      return;
    }
    request.onupgradeneeded = () => request.result.createObjectStore(TABLE, { keyPath: "cid" });
    request.onsuccess = () => done(request.result);
    request.onerror = request.onblocked = () => done(null);
  });
}

function listed(database, owner) {
  if (!database) {
    return Promise.resolve([]);
  }
  return new Promise((done) => {
    const request = database.transaction(TABLE).objectStore(TABLE).getAll();
    request.onsuccess = () => {
      done(request.result.filter((entry) => entry.owner === owner).sort((one, other) => one.n - other.n));
    };
    request.onerror = () => done([]);
  });
}
