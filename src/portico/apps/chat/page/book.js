// The contact book: names that one has given, to people here and to addresses elsewhere.
//
// Somebody here is written to at once; an address is for `portico talk`, whose command line can be copied.

import { text } from "./texts.js";
import { avatar, complain, confirmed, dialog, h, icon, iconButton, toast, wayTag } from "./ui.js";

const SCHEME = /^[a-z]+:\/\//;

/** Show the book. Resolves with {c} to go to, or undefined. */
export function book(connection) {
  const { store } = connection;
  return dialog(text("book.title"), (close) => {
    const rows = h("ul", { class: "rows" });
    const wrong = h("p", { class: "wrong", role: "alert" });
    const tried = (act) => async (...values) => {
      try {
        await act(...values);
      } catch (error) {
        complain(error);
      }
    };
    const write = (person) => tried(async () => close({ c: (await connection.ask("direct", { person })).c }));
    const remove = (name) => tried(async () => {
      if (await confirmed(text("book.remove_sure", { name }), text("delete"))) {
        await connection.ask("contacts.remove", { name });
        await draw();
      }
    });
    const person = (name, id) => [avatar(name, id, { online: store.ways(id).length > 0 }),
      h("span", { class: "grow cut" }, h("span", { dir: "auto" }, name), " ", store.ways(id).map(wayTag),
        store.name(id) !== name && h("small", { class: "dim", dir: "auto" }, store.name(id))),
      iconButton("edit", text("book.write", { name }), write(id))];
    const address = (name, place) => [h("span", { class: "avatar room", "aria-hidden": "true" }, icon("link")),
      h("span", { class: "grow cut" }, h("span", { dir: "auto" }, name), h("small", { class: "dim" }, place)),
      iconButton("copy", text("book.copy", { name }), () => copied(`portico talk ${quoted(name)}`))];
    const draw = async () => {
      const { contacts } = await connection.ask("contacts.list");
      const ids = contacts.map((each) => each.person).filter(Boolean);
      if (ids.length) {
        store.setPeople((await connection.ask("people.get", { ids })).people);
      }
      rows.replaceChildren(...(contacts.length ? contacts.map((each) => h("li", {},
        each.person ? person(each.name, each.person) : address(each.name, each.address),
        iconButton("trash", text("book.remove", { name: each.name }), remove(each.name))))
        : [h("li", { class: "dim" }, text("book.empty"))]));
    };
    const add = async (event) => {
      event.preventDefault();
      const { name, who } = Object.fromEntries(new FormData(event.target));
      wrong.textContent = "";
      try {
        const is_address = SCHEME.test(who.trim());
        const person = is_address ? undefined : await found(connection, who.trim());
        if (!is_address && person === undefined) {
          wrong.textContent = text("book.nobody", { who: who.trim() });
          return;
        }
        await connection.ask("contacts.add", { name, ...(is_address ? { address: who.trim() } : { person }) });
        event.target.reset();
        await draw();
      } catch (error) {
        complain(error);
      }
    };
    tried(draw)();
    return h("div", { class: "stack" }, h("p", { class: "dim" }, text("book.about")), rows,
      h("h3", {}, text("book.add")),
      h("form", { onsubmit: add },
        h("div", { class: "pair" },
          h("label", {}, h("span", {}, text("book.name")), h("input", { name: "name", required: true, maxlength: 40, autocomplete: "off" })),
          h("label", {}, h("span", {}, text("book.who")), h("input", { name: "who", required: true, maxlength: 200, autocomplete: "off", spellcheck: "false" }))),
        wrong,
        h("footer", {}, h("button", { class: "main" }, text("add")))));
  });
}

/** Return whom a login or a name means; undefined for nobody, and for a name of several. */
async function found(connection, who) {
  const { people } = await connection.ask("people.find", { text: who });
  const is_it = (value) => value.toLocaleLowerCase() === who.toLocaleLowerCase();
  const meant = people.filter((each) => is_it(each.login));
  const same = meant.length ? meant : people.filter((each) => is_it(each.name));
  return same.length === 1 ? same[0].id : undefined;
}

function quoted(name) {
  return /^[\p{L}\p{N}_.-]+$/u.test(name) ? name : `'${name.replaceAll("'", "'\\''")}'`;
}

async function copied(words) {
  try {
    await navigator.clipboard.writeText(words);
    toast(text("copied"));
  } catch {
    toast(words); // a page without a secure context: to be copied by hand
  }
}
