// The messenger's dialogs: something new, search, members, settings, what is unsent. Each resolves with what to do next.

import { choice, choose, text } from "./texts.js";
import { listed, pictureOf, titleOf } from "./sidebar.js";
import { avatar, clock, complain, confirmed, dialog, h, iconButton, reason, shortly, toast, wayTag } from "./ui.js";
import { Refusal } from "./chat.js";

const WAIT_MS = 220;
const MAX_ROWS = 500; // of members

/** Return a function that does something, and shows a person why not where it fails. */
function tried(act) {
  return async (...values) => {
    try {
      return await act(...values);
    } catch (error) {
      if (!(error instanceof Refusal)) {
        throw error;
      }
      complain(error);
      return undefined;
    }
  };
}

/** Make a field that asks while one writes; show: given the words, draws what is found. */
function searchField(label, show, attributes = {}) {
  let timer = 0;
  const soon = (event) => {
    clearTimeout(timer);
    timer = setTimeout(() => show(event.target.value.trim()), WAIT_MS);
  };
  return h("input", { type: "search", "aria-label": label, placeholder: label, autocomplete: "off", spellcheck: "false", oninput: soon, ...attributes });
}

function personRow({ id, name, login, online, via }, ...actions) {
  return h("li", {}, avatar(name, id, { online: Boolean(online) }),
    h("span", { class: "grow cut" }, h("span", { dir: "auto" }, name), " ", login && h("span", { class: "dim" }, login), " ", via?.map(wayTag)), actions);
}

/** Find people; each row has a button. */
function peopleFinder(connection, label, act, except = []) {
  const rows = h("ul", { class: "rows" });
  const show = tried(async (words) => {
    const { people } = await connection.ask("people.find", { text: words });
    const found = people.filter((each) => each.id !== connection.store.me && !except.includes(each.id));
    const row = (each) => personRow(each, h("button", { type: "button", onclick: () => act(each) }, label));
    rows.replaceChildren(...(found.length ? found.map(row) : [h("li", { class: "dim" }, text("new.nobody"))]));
  });
  show("");
  return [searchField(text("new.find"), show), rows];
}

/** Offer to make a room, to join one, to write to somebody. Resolves with the conversation's id, or undefined. */
export function somethingNew(connection) {
  const { store } = connection;
  return dialog(text("new.title"), (close) => {
    const write = tried(async (person) => close((await connection.ask("direct", { person: person.id })).c));
    const make = tried(async (event) => {
      event.preventDefault();
      const values = new FormData(event.target);
      close((await connection.ask("room.make", { title: values.get("title"), public: values.has("public") })).c);
    });
    const rooms = h("ul", { class: "rows" });
    const join = tried(async (c) => {
      await connection.ask("room.join", { c });
      close(c);
    });
    tried(async () => {
      const found = (await connection.ask("room.list")).rooms;
      const is_in = (c) => store.conversations.has(c) && !store.conversations.get(c).has_left;
      const button = (c) => h("button", { type: "button", onclick: () => (is_in(c) ? close(c) : join(c)) }, text(is_in(c) ? "new.open" : "new.join"));
      rooms.replaceChildren(...found.map(({ c, title, members }) =>
        h("li", {}, avatar(title, c, { is_room: true }),
          h("span", { class: "grow" }, title, h("span", { class: "dim" }, ` · ${text("top.count", { count: members })}`)), button(c))));
      if (!found.length) {
        rooms.replaceChildren(h("li", { class: "dim" }, text("new.no_rooms")));
      }
    })();
    return h("div", { class: "stack" },
      h("h3", {}, text("new.people")), peopleFinder(connection, text("members.write"), write),
      h("h3", {}, text("new.rooms")), rooms,
      h("h3", {}, text("new.room")),
      h("form", { onsubmit: make },
        h("label", {}, h("span", {}, text("new.room_title")), h("input", { name: "title", required: true, maxlength: 60, autocomplete: "off" })),
        h("label", { class: "check" }, h("input", { type: "checkbox", name: "public" }), h("span", {}, text("new.public"))),
        h("footer", {}, h("button", { class: "main" }, text("new.make")))));
  });
}

/** Search conversations, people and messages. Resolves with {c, s?}, or undefined. */
export function search(connection, current) {
  const { store } = connection;
  return dialog(text("search.title"), (close) => {
    const results = h("div", { class: "results" });
    let last = "";
    const button = (picture, name, line, at, go) => h("li", {},
      h("button", { type: "button", class: "item", onclick: go }, picture,
        h("span", { class: "name cut", dir: "auto" }, name), h("time", {}, at), h("span", { class: "line", dir: "auto" }, line)));
    const group = (key, rows) => rows.length > 0 && h("section", {}, h("h3", {}, text(key)), h("ul", {}, rows));
    const goRows = (words) => {
      const is_meant = (name) => name.toLocaleLowerCase().includes(words.toLocaleLowerCase());
      const found = listed(store).filter((each) => is_meant(titleOf(store, each))).slice(0, words ? 6 : 12);
      return found.map((each) => button(pictureOf(store, each), titleOf(store, each), "", "", () => close({ c: each.id })));
    };
    const draw = (words, people, messages) => {
      const nothing = words && messages && !goRows(words).length && !people.length && !messages.length;
      results.replaceChildren(...[
        group("search.go", goRows(words)), group("list.people", people), group("search.messages", messages ?? []),
        nothing && h("p", { class: "dim" }, text("search.none", { words })),
      ].filter(Boolean));
    };
    const show = tried(async (words) => {
      last = words;
      draw(words, [], null);
      if (!words) {
        return;
      }
      const [{ people }, { found }] = await Promise.all([
        connection.ask("people.find", { text: words }).catch(() => ({ people: [] })), // guests may not
        connection.ask("search", { text: words }),
      ]);
      if (words !== last) {
        return;
      }
      const write = (person) => tried(async () => close({ c: (await connection.ask("direct", { person })).c }));
      const direct = new Set(listed(store).flatMap((each) => each.others));
      const persons = people.filter((each) => each.id !== store.me && !direct.has(each.id)).slice(0, 6)
        .map((each) => button(avatar(each.name, each.id, { online: each.online }), each.name, each.login, "", write(each.id)));
      const is_known = ({ c }) => store.conversations.has(c);
      const here = (one, other) => (other.c === current) - (one.c === current);
      const messages = found.filter(is_known).sort(here).map(({ c, s, at, f, text: said }) => {
        const conversation = store.conversations.get(c);
        const name = `${store.name(f)} · ${titleOf(store, conversation)}`;
        return button(pictureOf(store, conversation), name, marked(said, words), shortly(at), () => close({ c, s }));
      });
      draw(words, persons, messages);
    });
    const onkeydown = (event) => {
      const items = [...results.querySelectorAll(".item")];
      if (event.key === "Enter" && !event.isComposing) {
        items[0]?.click();
      } else if (event.key === "ArrowDown") {
        event.preventDefault();
        items[0]?.focus();
      }
    };
    results.addEventListener("keydown", (event) => {
      const items = [...results.querySelectorAll(".item")];
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (step) {
        event.preventDefault();
        items[items.indexOf(document.activeElement) + step]?.focus();
      }
    });
    show("");
    return h("div", { class: "stack" }, searchField(text("search.label"), show, { autofocus: true, onkeydown }), results);
  }, { wide: true });
}

/** Return a part of a text around the first of some words, with the words marked. */
function marked(said, words) {
  const parts = words.split(/\s+/).filter(Boolean).sort((one, other) => other.length - one.length);
  const lower = said.toLowerCase();
  const first = Math.max(0, Math.min(...parts.map((part) => lower.indexOf(part.toLowerCase())).filter((at) => at >= 0), Infinity));
  const begin = Number.isFinite(first) && first > 60 ? first - 40 : 0;
  const shown = (begin ? "…" : "") + said.slice(begin, begin + 240).replaceAll("\n", " ");
  const pattern = new RegExp(`(${parts.map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "i");
  return shown.split(pattern).map((part, at) => (at % 2 ? h("mark", {}, part) : part));
}

/** Show who is in a conversation. Resolves with {c} to go to, or undefined. */
export function members(connection, conversation) {
  const { store } = connection;
  const c = conversation.id;
  return dialog(titleOf(store, conversation), (close) => {
    const body = h("div", { class: "stack" });
    const again = (act) => tried(async (...values) => {
      await act(...values);
      await draw();
    });
    const remove = (person) => again(async () => {
      if (await confirmed(text("members.remove_sure", { name: person.name }), text("members.remove"))) {
        await connection.ask("room.remove", { c, person: person.id });
      }
    });
    const leave = tried(async () => {
      if (await confirmed(text("members.leave_sure", { title: conversation.title }), text("members.leave"))) {
        await connection.ask("room.leave", { c });
        close();
      }
    });
    const rename = tried(async (event) => {
      event.preventDefault();
      await connection.ask("room.title", { c, title: new FormData(event.target).get("title") });
      toast(text("saved"));
    });
    const write = (person) => tried(async () => close({ c: (await connection.ask("direct", { person: person.id })).c }));
    const draw = async () => {
      const answer = await connection.ask("room.members", { c, limit: MAX_ROWS });
      const { members: found } = answer;
      store.members(c, answer);
      const is_owner = answer.role === "owner";
      const rest = answer.count - found.length;
      const is_room = conversation.kind === "room";
      const rows = found.map((each) => personRow(each,
        each.role === "owner" && h("span", { class: "tag" }, text("members.owner")),
        each.id === store.me ? h("span", { class: "tag" }, text("you")) : iconButton("edit", `${text("members.write")} ${each.name}`, write(each)),
        is_room && is_owner && each.id !== store.me && iconButton("close", `${text("members.remove")} ${each.name}`, remove(each))));
      const invite = again((person) => connection.ask("room.invite", { c, person: person.id }));
      body.replaceChildren(h("ul", { class: "rows" }, rows,
        rest > 0 && h("li", { class: "dim" }, text("members.more", { count: rest }))), ...(!is_room ? [] : [
        h("h3", {}, text("members.invite")), h("div", {}, peopleFinder(connection, text("add"), invite, found.map((each) => each.id))),
        h("form", { onsubmit: rename },
          h("label", {}, h("span", {}, text("members.rename")), h("input", { name: "title", required: true, maxlength: 60, value: conversation.title })),
          h("footer", {}, h("button", { type: "button", class: "bad", onclick: leave }, text("members.leave")),
            h("button", {}, text("save"))))]));
    };
    tried(draw)();
    return body;
  });
}

/** Show the settings. hint: a line above. Resolves with "signout", "reload", or undefined. */
export function settings(connection, me, { hint = "", notices } = {}) {
  return dialog(text("settings.title"), (close) => {
    const profile = tried(async (event) => {
      event.preventDefault();
      const { name, lang } = Object.fromEntries(new FormData(event.target));
      const is_new_language = lang !== choice();
      await connection.ask("me.set", { name, lang });
      choose(lang);
      await connection.refresh();
      toast(text("saved"));
      if (is_new_language) {
        close("reload");
      }
    });
    const language = (value, label) => h("option", { value, selected: choice() === value }, label);
    return h("div", { class: "stack" },
      hint && h("div", {}, h("p", {}, hint), passwordForm(connection, me)),
      h("h3", {}, text("settings.profile")),
      h("form", { onsubmit: profile },
        h("label", {}, h("span", {}, text("name")), h("input", { name: "name", value: me.name, required: true, maxlength: 40, autocomplete: "name" })),
        h("label", {}, h("span", {}, text("language")), h("select", { name: "lang" },
          language("", text("settings.browser")), language("en", "English"), language("zh", "中文"))),
        h("footer", {}, h("button", {}, text("save")))),
      notices && notices.button(),
      !hint && me.login && h("h3", {}, text("settings.password")),
      !hint && me.login && passwordForm(connection, me),
      h("h3", {}, text("settings.devices")), devices(connection),
      h("footer", {}, h("button", { type: "button", class: "bad", onclick: () => close("signout") }, text("settings.signout"))));
  });
}

function passwordForm(connection, me) {
  const wrong = h("p", { class: "wrong", role: "alert" });
  const submit = async (event) => {
    event.preventDefault();
    const { old, password } = Object.fromEntries(new FormData(event.target));
    try {
      await connection.ask("me.set", { password, old });
      me.password = true;
      event.target.reset();
      before.hidden = false;
      wrong.textContent = "";
      toast(text("saved"));
    } catch (error) {
      before.hidden = before.hidden && error.code !== "auth"; // a link is good instead of it for an hour only
      wrong.textContent = error.code === "auth" ? text("settings.old_wrong") : reason(error);
    }
  };
  const before = h("label", { hidden: !me.password }, h("span", {}, text("settings.old")),
    h("input", { name: "old", type: "password", autocomplete: "current-password", maxlength: 200 }));
  return h("form", { onsubmit: submit },
    h("input", { name: "login", value: me.login, autocomplete: "username", hidden: true, readonly: true }), // for the browser's own book
    before,
    h("label", {}, h("span", {}, text("settings.new")), h("input", { name: "password", type: "password", autocomplete: "new-password", required: true, maxlength: 200 })),
    wrong, h("footer", {}, h("button", {}, text("settings.change"))));
}

function devices(connection) {
  const rows = h("ul", { class: "rows" });
  const draw = tried(async () => {
    const { devices: found } = await connection.ask("devices.list");
    const revoke = (device) => tried(async () => {
      await connection.ask("devices.revoke", { device });
      await draw();
    });
    rows.replaceChildren(...found.map(({ device, label, seen, this: is_this }) => h("li", {},
      h("span", { class: "grow" }, h("span", { class: "device" }, label || "—"),
        h("span", { class: "dim" }, text("settings.seen", { when: shortly(seen) === clock(seen) ? clock(seen) : `${shortly(seen)} ${clock(seen)}` }))),
      is_this ? h("span", { class: "tag" }, text("settings.this")) : h("button", { type: "button", onclick: revoke(device) }, text("settings.revoke")))));
  });
  draw();
  return rows;
}

/** Show what has not been sent. Resolves with {c} to go to, or undefined. */
export function unsent(connection) {
  const { store, outbox } = connection;
  return dialog(text("unsent.title"), (close) => {
    const rows = h("ul", { class: "rows" });
    const draw = () => {
      if (!outbox.entries.length) {
        close();
        return;
      }
      rows.replaceChildren(...outbox.entries.map((entry) => {
        const conversation = store.conversation(entry.c);
        const why = entry.failed && reason({ code: entry.failed.code, message: entry.failed.why });
        const again = why && h("button", { type: "button", onclick: () => (connection.retry(entry.cid), draw()) }, text("retry"));
        return h("li", {}, h("button", { type: "button", class: "link grow", onclick: () => close({ c: entry.c }) },
          `${titleOf(store, conversation)}: ${entry.b.text || entry.b.mark || "…"}`),
        h("span", { class: why ? "wrong" : "dim" }, why || shortly(entry.at)), again,
        iconButton("trash", text("thread.discard"), () => (outbox.discard(entry.cid), draw())));
      }));
    };
    draw();
    return rows;
  });
}
