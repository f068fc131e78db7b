// Files in messages: what they are, where they are to be had, and how they are shown.
//
//   known(id)    what is known of a file; asks for it where nothing is, and says "change" when something has come
//   upload       a file to the server; its id goes into a message
//   view         a file as it is shown in a thread

import { call, post } from "./api.js";
import { Refusal } from "./chat.js";
import { text } from "./texts.js";
import { complain, h, icon, size } from "./ui.js";

const GATHER_MS = 20;
const LINK_MS = 8 * 60_000; // an address is good for ten minutes
const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

export class Files extends EventTarget {
  /** connection: see chat.js. */
  constructor(connection) {
    super();
    this.connection = connection;
    this.max_bytes = Infinity; // of one file
    connection.addEventListener("state", ({ detail }) => detail === "online" && this.#ask());
  }

  #known = new Map();
  #wanted = new Set();
  #timer = 0;

  /** Return {name, type, size, link, at}, "gone" for what is not there, or null while it is not known. */
  known(id) {
    const found = this.#known.get(id);
    if (found === undefined && !this.#wanted.has(id)) {
      this.#wanted.add(id);
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#ask(), GATHER_MS);
    }
    return found ?? null;
  }

  /** Send a file to the server; return its id. Throws Refusal. */
  async upload(file, name) {
    if (file.size > this.max_bytes) {
      throw new Refusal("too_big"); // said here, since a server that stops reading is not heard
    }
    const headers = { "Content-Type": "application/octet-stream" };
    const path = `/api/files?name=${encodeURIComponent(name)}`;
    const found = await call(path, { method: "POST", body: file, headers }, this.connection.token);
    this.#wanted.add(found.id);
    this.#ask();
    return found.id;
  }

  /** Make the element of a file. known: as `known` returns it. */
  view(id, known) {
    if (known === null || known === "gone") {
      return h("span", { class: "file dim" }, icon("file"), text(known ? "file.gone" : "file.loading"));
    }
    const { name, type, link } = known;
    const open = (event) => this.#open(event, id);
    if (PICTURES.includes(type)) {
      return h("a", { class: "picture", href: link, target: "_blank", rel: "noopener", title: name, onclick: open },
        h("img", { src: link, alt: name, loading: "lazy" }));
    }
    return h("a", { class: "file", href: link, download: name, onclick: open },
      icon("file"), h("span", { class: "grow" }, h("span", {}, name), h("small", {}, size(known.size))));
  }

  /** Follow a link that may be too old by now. */
  async #open(event, id) {
    const known = this.#known.get(id);
    if (Date.now() - known.at < LINK_MS) {
      return;
    }
    event.preventDefault();
    try {
      const { links } = await post("/api/downloads", { files: [id] }, this.connection.token);
      Object.assign(known, { link: links[id], at: Date.now() });
      open(known.link, "_blank", "noopener");
    } catch (error) {
      complain(error);
    }
  }

  async #ask() {
    const ids = [...this.#wanted].slice(0, 100);
    if (!ids.length || this.connection.state !== "online") {
      return;
    }
    ids.forEach((id) => this.#wanted.delete(id));
    try {
      const { token } = this.connection;
      const [{ files }, { links }] = await Promise.all([
        this.connection.ask("files.get", { ids }),
        post("/api/downloads", { files: ids }, token),
      ]);
      for (const id of ids) {
        this.#known.set(id, files[id] ? { ...files[id], link: links[id], at: Date.now() } : "gone");
      }
    } catch (error) {
      if (!(error instanceof Refusal)) {
        throw error;
      }
      ids.forEach((id) => this.#wanted.add(id)); // asked for again with the next one, or the next connection
    }
    this.dispatchEvent(new Event("change"));
  }
}
