// What a page knows of the chat: people, conversations and their events, folded into what is to be seen.
//
// In: frames of the server (take), the answer to "me" (list), the outbox's entries (pendingChanged). Out: "change"
// events, at most one a frame of the screen, with {conversations: Set of ids, list: whether the list has changed}.
//
// The log of a conversation is a map from seq to event. `last` is how far it is known without what may still be pushed;
// older parts come in any order, so edits, deletions and reactions are kept by the seq they are about and looked up when
// a message is shown. Nothing here touches the document.

const EPHEMERAL_MS = 6_000; // how long "is writing" lasts
const SHOWN_KINDS = new Set(["msg", "join", "leave", "title", "state", "assign", "transfer", "rating", "note"]);

export class Conversation {
  constructor(id) {
    this.id = id;
    this.kind = "room";
    this.title = "";
    this.is_public = false;
    this.is_muted = false;
    this.has_left = false;
    this.is_listed = false; // whether the server's list had it
    this.others = [];
    this.head = 0;
    this.first = 1;
    this.last = -1; // -1: nothing has come yet
    this.read = 0; // by this person
    this.reads = new Map(); // by others: person to seq
    this.gots = new Map(); // what has arrived at others: person to seq
    this.count = undefined; // how many are in it, where the server has been asked
    this.here = undefined; // how many of them are here now
    this.writing = new Map(); // person to when it was last heard, in ms
    this.events = new Map();
    this.desk = null; // {state, pos, eta, agent} of a conversation with the desk
  }

  #sorted = null;
  #edits = new Map();
  #deletions = new Map();
  #reactions = new Map();

  /** Take an event; return whether it was new. */
  add(event) {
    if (this.events.has(event.s)) {
      return false;
    }
    this.events.set(event.s, event);
    if (event.s > (this.#sorted?.at(-1) ?? Infinity)) {
      this.#sorted.push(event.s);
    } else {
      this.#sorted = null;
    }
    if (event.k === "edit" && (this.#edits.get(event.ref)?.s ?? 0) < event.s) {
      this.#edits.set(event.ref, event);
    } else if (event.k === "del") {
      this.#deletions.set(event.ref, event);
    } else if (event.k === "react") {
      const reactions = this.#reactions.get(event.ref) ?? new Map();
      const key = `${event.f} ${event.b.mark}`;
      if ((reactions.get(key)?.s ?? 0) < event.s) {
        reactions.set(key, event);
      }
      this.#reactions.set(event.ref, reactions);
    } else if (event.k === "title") {
      this.title = this.#latest("title")?.b.title ?? this.title;
    }
    this.writing.delete(event.f);
    return true;
  }

  /** Return the seqs that are known, in order. */
  seqs() {
    this.#sorted ??= [...this.events.keys()].sort((one, other) => one - other);
    return this.#sorted;
  }

  /** Return a message as it stands now, or undefined: {s, f, at, text, files, ref, via, edited, deleted, marks}. */
  message(seq) {
    const event = this.events.get(seq);
    if (event?.k !== "msg") {
      return undefined;
    }
    const edit = this.#edits.get(seq);
    const files = event.b.files ?? [];
    const is_deleted = this.#deletions.has(seq) || (!event.b.text && files.length === 0);
    const text = is_deleted ? "" : (edit?.b.text ?? event.b.text ?? "");
    return {
      ...{ s: seq, f: event.f, at: event.at, ref: event.ref, via: event.via, text },
      files: is_deleted ? [] : files,
      edited: edit && !is_deleted ? edit.s : 0,
      deleted: is_deleted,
      marks: is_deleted ? [] : this.marks(seq),
    };
  }

  /** Return the reactions to a message: [{mark, people}], in the order in which they came. */
  marks(seq) {
    const found = new Map();
    const reactions = [...(this.#reactions.get(seq)?.values() ?? [])].sort((one, other) => one.s - other.s);
    for (const event of reactions.filter((each) => each.b.on)) {
      found.set(event.b.mark, [...(found.get(event.b.mark) ?? []), event.f]);
    }
    return [...found].map(([mark, people]) => ({ mark, people }));
  }

  /**
   * Return what is to be shown, oldest first: {gap: {after, before}} for parts that are not known, {event} otherwise;
   * at most the last `limit` of them.
   */
  items(limit = Infinity) {
    const items = [];
    const seqs = this.seqs();
    let before = 0; // the seq behind the one at hand
    for (let at = seqs.length - 1; at >= 0 && items.length < limit; at -= 1) {
      const event = this.events.get(seqs[at]);
      if (before && before !== event.s + 1) {
        items.push({ gap: { after: event.s, before } });
      }
      if (SHOWN_KINDS.has(event.k)) {
        items.push({ event });
      }
      before = event.s;
    }
    if (before > this.first && items.length < limit) {
      items.push({ gap: { after: this.first - 1, before } });
    }
    return items.reverse();
  }

  /** Return how many messages of others are unread, as far as is known. */
  unread(me) {
    let count = 0;
    const seqs = this.seqs();
    for (let at = seqs.length - 1; at >= 0 && seqs[at] > this.read; at -= 1) {
      const event = this.events.get(seqs[at]);
      count += event.k === "msg" && event.f !== me && !this.message(event.s).deleted ? 1 : 0;
    }
    return count;
  }

  /** Return the newest message that is not deleted, or undefined. */
  newest() {
    const seqs = this.seqs();
    for (let at = seqs.length - 1; at >= 0; at -= 1) {
      const message = this.message(seqs[at]);
      if (message && !message.deleted) {
        return message;
      }
    }
    return undefined;
  }

  /** Return when something last happened, in ms since 1970. */
  get at() {
    return this.events.get(this.seqs().at(-1))?.at ?? 0;
  }

  /** Return who is writing now. */
  writers(me) {
    const since = Date.now() - EPHEMERAL_MS;
    return [...this.writing].filter(([person, at]) => at > since && person !== me).map(([person]) => person);
  }

  /** Return which others have read up to a message. */
  readers(seq, me) {
    return reached(this.reads, seq, me);
  }

  /** Return at which others a message has arrived, whether they have read it or not. */
  receivers(seq, me) {
    return reached(this.gots, seq, me);
  }

  #latest(kind) {
    const seq = this.seqs().findLast((each) => this.events.get(each).k === kind);
    return this.events.get(seq);
  }
}

function reached(marks, seq, me) {
  return [...marks].filter(([person, far]) => far >= seq && person !== me).map(([person]) => person);
}

function raise(marks, person, seq) {
  marks.set(person, Math.max(marks.get(person) ?? 0, seq));
}

export class Store extends EventTarget {
  constructor() {
    super();
    this.me = 0;
    this.epoch = "";
    this.people = new Map(); // id to {name, kind, login, online, via}
    this.conversations = new Map();
    this.pending = []; // the outbox's entries
    this.unknown = new Set(); // people whose names are still to be asked for
  }

  #changed = { conversations: new Set(), list: false };
  #is_telling = false;

  /** Return how far each conversation is known, for hello. */
  have() {
    const known = [...this.conversations.values()].filter((each) => each.last >= 0);
    return Object.fromEntries(known.map((each) => [each.id, each.last]));
  }

  /** Take a frame. Returns false for an event that is not the next one: what is before it is missing. */
  take(frame) {
    const take = this.#takers[frame.t];
    return take ? take(frame) : true;
  }

  /** Take the answer to "me". */
  list(answer) {
    const { me, conversations, people } = answer;
    this.me = me.id;
    this.setPeople(people);
    this.setPeople({ [me.id]: me });
    for (const found of conversations) {
      const each = this.conversation(found.c);
      Object.assign(each, { kind: found.kind, title: found.title, others: found.others ?? [], is_listed: true });
      each.is_public = Boolean(found.public);
      each.is_muted = Boolean(found.muted);
      each.has_left = Boolean(found.left);
      each.read = Math.max(each.read, found.read ?? 0);
      each.head = Math.max(each.head, found.head ?? 0);
    }
    this.#tell(0, true);
  }

  /** Note what is known of some people: id to {name, kind, online}. */
  setPeople(people) {
    if (!people) {
      return;
    }
    for (const [id, person] of Object.entries(people)) {
      this.people.set(Number(id), { ...this.people.get(Number(id)), ...person });
      this.unknown.delete(Number(id));
    }
    this.conversations.forEach((each) => this.#changed.conversations.add(each.id));
    this.#tell(0, true);
  }

  /** Take the answer to "room.members", which may be of a part of them. */
  members(id, { members, count, here }) {
    const conversation = this.conversation(id);
    Object.assign(conversation, { count, here });
    for (const { id: person, read, got } of members) {
      raise(conversation.reads, person, read);
      raise(conversation.gots, person, Math.max(read, got));
    }
    this.setPeople(Object.fromEntries(members.map(({ id: person, name, kind, online, via }) => [person, { name, kind, online, via }])));
  }

  /** Return how a person is here: "ws", "tcp", "udp"; none for somebody who is not. */
  ways(person) {
    const found = this.people.get(person);
    return found?.online ? (found.via ?? []) : [];
  }

  /** Return the name of a person; "" while it is not known. */
  name(person) {
    const found = this.people.get(person)?.name;
    if (found === undefined && person > 0) {
      this.unknown.add(person);
    }
    return found ?? "";
  }

  /** Return a conversation, which is made where it is not known yet. */
  conversation(id) {
    if (!this.conversations.has(id)) {
      this.conversations.set(id, new Conversation(id));
    }
    return this.conversations.get(id);
  }

  /** Drop the log of a conversation, which is not the server's any more. */
  forget(id) {
    const known = this.conversations.get(id);
    if (known) {
      const { kind, title, is_public, is_muted, has_left, is_listed, others } = known;
      const made = Object.assign(new Conversation(id), { kind, title, is_public, is_muted, has_left, is_listed, others });
      this.conversations.set(id, made);
      this.#tell(id, true);
    }
  }

  /** An entry of the outbox has come, changed or gone. */
  pendingChanged(entry) {
    const at = this.pending.findIndex((each) => each.cid === entry.cid);
    if (entry.is_done && at >= 0) {
      this.pending.splice(at, 1);
    } else if (!entry.is_done && at < 0) {
      this.pending.push(entry);
    }
    this.#tell(entry.c, true);
  }

  /** Return the unsent messages of a conversation, without those whose event is here already. */
  unsent(id) {
    return this.pending.filter((entry) => entry.c === id && entry.k === "msg" && !entry.is_seen);
  }

  /** Redraw: time has passed. */
  touch(id = 0) {
    this.#tell(id, true);
  }

  #takers = {
    welcome: (frame) => {
      this.me = frame.me;
      this.epoch = frame.epoch;
      this.pending.forEach((entry) => delete entry.is_seen);
      return true;
    },
    reset: () => {
      [...this.conversations.keys()].forEach((id) => this.forget(id));
      return true;
    },
    ev: (frame) => this.#event(frame),
    sync: (frame) => this.#sync(frame),
    page: (frame) => this.#page(frame),
    st: (frame) => this.#state(frame),
  };

  #event(frame) {
    const conversation = this.conversation(frame.c);
    if (frame.s <= conversation.last) {
      return true; // known
    }
    if (conversation.last >= 0 && frame.s !== conversation.last + 1) {
      return false;
    }
    this.#add(conversation, frame, true);
    conversation.last = frame.s;
    conversation.head = Math.max(conversation.head, frame.s);
    this.#tell(frame.c, true);
    return true;
  }

  #sync(frame) {
    const conversation = this.conversation(frame.c);
    frame.ev.forEach((event) => this.#add(conversation, event, false));
    conversation.first = frame.first;
    conversation.head = frame.head;
    conversation.last = frame.ev.length ? frame.ev.at(-1).s : Math.max(conversation.last, frame.head, frame.first - 1);
    this.#tell(frame.c, true);
    return true;
  }

  #page(frame) {
    const conversation = this.conversation(frame.c);
    frame.ev.forEach((event) => this.#add(conversation, event, false));
    conversation.first = frame.first;
    conversation.head = Math.max(conversation.head, frame.head);
    if (conversation.last < 0 && frame.ev[0]?.s === frame.first) {
      conversation.last = frame.first - 1;
    }
    const known = conversation.events;
    while (known.has(conversation.last + 1)) {
      conversation.last += 1;
    }
    this.#tell(frame.c, true);
    return true;
  }

  #add(conversation, event, is_live) {
    if (!conversation.add(event)) {
      return;
    }
    if (event.f === this.me) {
      this.#match(event);
    }
    if (event.k === "join" || event.k === "leave") {
      this.#moved(conversation, event);
    }
    if (is_live) {
      this.dispatchEvent(new CustomEvent("event", { detail: { conversation, event } }));
    }
  }

  /** Hide the unsent message that an event of ours is, until its acknowledgement says so. */
  #match(event) {
    const entry = this.pending.find((each) => each.c === event.c && !each.is_seen && !each.failed);
    if (entry?.k === event.k && entry.b.text === event.b.text && entry.ref === event.ref) {
      entry.is_seen = true;
    }
  }

  #moved(conversation, event) {
    if (event.b.person === this.me && event.s > conversation.last) {
      conversation.has_left = event.k === "leave";
    }
    if (event.s > conversation.last && conversation.count !== undefined) {
      conversation.count += event.k === "leave" ? -1 : 1;
    }
    this.dispatchEvent(new CustomEvent("moved", { detail: { conversation, event } }));
  }

  #state(frame) {
    for (const [id, online] of Object.entries(frame.online ?? {})) {
      const known = this.people.get(Number(id));
      if (known) {
        this.people.set(Number(id), { ...known, online, via: frame.via?.[id] ?? [] });
      }
    }
    if (frame.online) {
      this.conversations.forEach((each) => this.#changed.conversations.add(each.id));
    }
    this.setPeople(frame.people);
    if (frame.c === undefined) {
      this.#tell(0, true);
      return true;
    }
    const conversation = this.conversation(frame.c);
    for (const [id, read] of Object.entries(frame.read ?? {})) {
      if (Number(id) === this.me) {
        conversation.read = Math.max(conversation.read, read);
      } else {
        raise(conversation.reads, Number(id), read);
        raise(conversation.gots, Number(id), read);
      }
    }
    Object.entries(frame.got ?? {}).forEach(([id, got]) => raise(conversation.gots, Number(id), got));
    conversation.here = frame.here ?? conversation.here;
    if (frame.typ !== undefined) {
      conversation.writing.set(frame.typ, Date.now());
      setTimeout(() => this.#tell(frame.c, false), EPHEMERAL_MS + 100);
    }
    if (frame.desk !== undefined) {
      conversation.desk = frame.desk;
    }
    this.#tell(frame.c, true);
    return true;
  }

  #tell(id, list) {
    if (id) {
      this.#changed.conversations.add(id);
    }
    this.#changed.list ||= list;
    if (!this.#is_telling) {
      this.#is_telling = true;
      setTimeout(() => {
        const detail = this.#changed;
        this.#changed = { conversations: new Set(), list: false };
        this.#is_telling = false;
        this.dispatchEvent(new CustomEvent("change", { detail }));
      }, 16); // a timer and not a frame of the screen: a hidden page counts what is unread, too
    }
  }
}
