// The administration: people and their ways in, queues and hours, canned answers, blocks, settings, what was done.
//
//   entered -> Admin.route (#people, #queues, ...) -> the section asks, and draws the answer
//
// A section is a function of the Admin that returns nodes; after each change it is asked for and drawn again.

import "./texts-messenger.js";
import "./texts-desk.js";
import { state } from "./admin/state.js";
import { entered, stateLine, turnAway } from "./entered.js";
import { readHours, writeDays, writeSpans } from "./timetable.js";
import { text } from "./texts.js";
import { avatar, complain, confirmed, dialog, h, moment, reason, shortly, toast } from "./ui.js";

const KINDS = ["user", "agent", "admin"];
const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const PAGE = 200; // people and acts in one answer

class Admin {
  constructor({ connection, store, me }) {
    Object.assign(this, { connection, store, me });
    this.ask = (op, values) => connection.ask(op, values);
    this.menu = h("nav", { class: "menu", "aria-label": text("admin.title") });
    this.main = h("main", { tabindex: -1 });
    const nav = h("nav", {}, h("a", { href: "/desk" }, text("desk.title")), h("a", { href: "/" }, text("desk.messenger")));
    this.element = h("div", { class: "admin" },
      h("header", { class: "bar" }, h("h1", {}, h("img", { src: "/page/mark.svg", alt: "" }), text("admin.title")), nav),
      this.menu, h("div", { class: "thread" }, stateLine(connection), this.main));
  }

  #number = 0;

  /** Show everything. */
  async run() {
    document.title = text("admin.title");
    document.body.replaceChildren(this.element);
    addEventListener("hashchange", () => this.route());
    this.connection.addEventListener("state", ({ detail }) => detail === "online" && !this.main.childElementCount && this.route());
    await this.route();
  }

  /** Draw the section that the address names. */
  async route() {
    const name = location.hash.slice(1) in SECTIONS ? location.hash.slice(1) : "people";
    this.menu.replaceChildren(...Object.keys(SECTIONS).map((each) =>
      h("a", { href: `#${each}`, "aria-current": each === name && "page" }, text(`admin.${each}`))));
    this.menu.querySelector("[aria-current]").scrollIntoView({ block: "nearest", inline: "center" });
    const number = ++this.#number;
    try {
      const nodes = await SECTIONS[name](this);
      if (number === this.#number) {
        this.main.replaceChildren(...nodes.flat(Infinity).filter(Boolean));
      }
    } catch (error) {
      complain(error);
    }
  }

  /** Do something, and draw the section again. */
  async do(op, values) {
    try {
      const answer = await this.ask(op, values);
      await this.route();
      return answer;
    } catch (error) {
      complain(error);
      return undefined;
    }
  }

  /** Ask for values in a dialog and do something with them. build: the fields. read: the form to values. */
  form(title, op, build, read) {
    return dialog(title, (close) => {
      const wrong = h("p", { class: "wrong", role: "alert" });
      const button = h("button", { class: "main" }, text("save"));
      const onsubmit = async (event) => {
        event.preventDefault();
        button.disabled = true;
        wrong.textContent = "";
        try {
          await this.ask(op, read(new FormData(event.target)));
          close(true);
          await this.route();
        } catch (error) {
          wrong.textContent = reason(error);
        }
        button.disabled = false;
      };
      return h("form", { onsubmit }, build, wrong, h("footer", {}, h("button", { type: "button", onclick: () => close() }, text("cancel")), button));
    }, { wide: true });
  }
}

function field(key, name, value = "", attributes = {}) {
  return h("label", {}, h("span", {}, text(key)), h("input", { name, value: value ?? "", ...attributes }));
}

function area(key, name, value = "", rows = 3, attributes = {}) {
  return h("label", {}, h("span", {}, text(key)), h("textarea", { name, rows, value: value ?? "", ...attributes }));
}

function choice(key, name, options, value) {
  return h("label", {}, h("span", {}, text(key)), h("select", { name }, options.map(([each, label]) => h("option", { value: each, selected: each === value }, label))));
}

function check(key, name, is_on, value) {
  return h("label", { class: "check" }, h("input", { type: "checkbox", name, checked: Boolean(is_on), value: value ?? "on" }), h("span", {}, key));
}

function head(key, label, onclick) {
  return h("div", { class: "heading" }, h("h2", {}, text(key)), label && h("button", { type: "button", class: "main", onclick }, text(label)));
}

function act(label, onclick, kind = "") {
  return h("button", { type: "button", class: kind, onclick }, text(label));
}

function rows(items, make) {
  return items.length ? h("ul", { class: "rows wide" }, items.map(make)) : h("p", { class: "dim" }, text("admin.none"));
}

// People

let wanted = { text: "", kind: "" };

async function people(admin) {
  const found = (await admin.ask("admin.people.list", wanted)).people;
  const list = h("div", {}, rows(found, (each) => personRow(admin, each)));
  const narrow = async (values) => {
    wanted = { ...wanted, ...values };
    try {
      list.replaceChildren(rows((await admin.ask("admin.people.list", wanted)).people, (each) => personRow(admin, each)), more(list));
    } catch (error) {
      complain(error);
    }
  };
  const more = (place) => {
    const ids = [...place.querySelectorAll("[data-id]")];
    return ids.length < PAGE ? "" : act("admin.more", async (event) => {
      const button = event.currentTarget;
      const next = (await admin.ask("admin.people.list", { ...wanted, after: Number(ids.at(-1).dataset.id) })).people;
      button.replaceWith(rows(next, (each) => personRow(admin, each)));
    });
  };
  list.append(more(list));
  const kinds = [["", text("admin.kind_any")], ...[...KINDS, "visitor", "peer"].map((kind) => [kind, text(`admin.kind_${kind}`)])];
  return [
    head("admin.people", "admin.person_add", () => addPerson(admin)),
    h("div", { class: "filter" },
      h("input", { type: "search", value: wanted.text, "aria-label": text("search"), placeholder: text("search"), maxlength: 40, oninput: (event) => narrow({ text: event.target.value }) }),
      h("select", { "aria-label": text("admin.kind"), onchange: (event) => narrow({ kind: event.target.value }) },
        kinds.map(([kind, label]) => h("option", { value: kind, selected: kind === wanted.kind }, label)))),
    list,
  ];
}

function personRow(admin, each) {
  const is_account = KINDS.includes(each.kind);
  const seen = each.online ? text("admin.online") : each.seen ? text("admin.seen", { at: shortly(each.seen) }) : text("admin.never");
  const state = [each.login, `#${each.id}`, seen, each.disabled && text("admin.disabled"), is_account && !each.password && text("admin.no_password")];
  return h("li", { class: each.disabled && "off", "data-id": each.id },
    avatar(each.name, each.id, { online: each.online }),
    h("div", { class: "grow" }, h("span", {}, each.name, " ", h("span", { class: "tag" }, text(`admin.kind_${each.kind}`))), h("small", { class: "cut" }, state.filter(Boolean).join(" · "))),
    h("div", { class: "acts" },
      is_account && !each.disabled && act("admin.link", () => showLink(admin, each)),
      is_account && act("edit", () => editPerson(admin, each)),
      each.id !== admin.me.id && act(each.disabled ? "admin.open_account" : "admin.close_account", () => admin.do("admin.people.set", { person: each.id, disabled: !each.disabled })),
      each.id !== admin.me.id && act("admin.remove", () => removePerson(admin, each), "bad")));
}

const kindChoice = (kind) => choice("admin.kind", "kind", KINDS.map((each) => [each, text(`admin.kind_${each}`)]), kind);

function personFields(each) {
  return [
    field("name", "name", each.name, { required: true, maxlength: 40 }), kindChoice(each.kind),
    field("admin.login", "login", each.login, { maxlength: 40, autocapitalize: "none", spellcheck: "false", autocomplete: "off" }),
    field("admin.password", "password", "", { type: "password", maxlength: 200, autocomplete: "new-password" }),
  ];
}

function given(form) {
  return Object.fromEntries([...form].filter(([, value]) => value !== ""));
}

const addPerson = (admin) => admin.form(text("admin.person_add"), "admin.people.add", personFields({ kind: "user" }), given);
const editPerson = (admin, each) => admin.form(each.name, "admin.people.set", personFields(each), (form) => ({ person: each.id, ...given(form) }));

async function removePerson(admin, { id, name }) {
  if (await confirmed(text("admin.remove_sure", { name }), text("admin.remove"))) {
    await admin.do("admin.people.remove", { person: id });
  }
}

const HOMES = { agent: "/desk", admin: "/admin" }; // where somebody's work is; the messenger for everybody else

async function showLink(admin, { id, name, kind }) {
  try {
    const { token } = await admin.ask("admin.link", { person: id });
    const link = `${location.origin}${HOMES[kind] ?? "/"}#${token}`;
    await dialog(text("admin.link"), () => h("div", { class: "stack" }, h("p", {}, text("admin.link_made", { name })), code(link), onlyHere()));
  } catch (error) {
    complain(error);
  }
}

/** Say that an address of this machine's own is of no use to others; nothing for every other address. */
function onlyHere() {
  const is_here = /^(localhost|127(\.\d+){3}|\[::1\]|.*\.localhost)$/.test(location.hostname);
  return is_here && h("p", { class: "wrong" }, text("admin.only_here", { host: location.host }));
}

function code(written) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(written);
      toast(text("copied"));
    } catch {
      getSelection().selectAllChildren(shown); // no clipboard on this page: it can be copied by hand
    }
  };
  const shown = h("code", {}, written);
  return h("div", { class: "code" }, shown, h("button", { type: "button", onclick: copy }, text("copy")));
}

// Queues and hours

async function queues(admin) {
  const [{ queues: found }, { agents }] = await Promise.all([admin.ask("desk.queues.list"), admin.ask("desk.agents")]);
  return [
    head("admin.queues", "admin.queue_add", () => editQueue(admin, { name: "", pull: false, capacity: 4, greeting: "", offline: "", agents: [] }, agents)),
    rows(found, (each) => h("li", {},
      h("div", { class: "grow" }, h("span", {}, each.name), h("small", {}, each.agents.length ? text("admin.some_agents", { n: each.agents.length }) : text("admin.all_agents"))),
      h("div", { class: "acts" }, act("admin.hours", () => editHours(admin, each)), act("edit", () => editQueue(admin, each, agents))))),
    h("h3", {}, text("admin.embed")),
    code(`<script src="${location.origin}/widget.js"${found.length > 1 ? ` data-queue="${found.at(-1).id}"` : ""} async></script>`),
    h("p", { class: "dim" }, text("admin.embed_first"), " ", h("a", { href: "#settings" }, text("admin.settings"))),
    onlyHere(),
  ];
}

function editQueue(admin, queue, agents) {
  const fields = [
    field("name", "name", queue.name, { required: true, maxlength: 40 }),
    field("admin.capacity", "capacity", queue.capacity, { type: "number", min: 1, max: 100, required: true }),
    check(text("admin.pull"), "pull", queue.pull),
    area("admin.greeting", "greeting", queue.greeting, 2, { maxlength: 500 }),
    area("admin.offline", "offline", queue.offline, 2, { maxlength: 500 }),
    h("fieldset", {}, h("legend", {}, text("admin.agents")), h("div", { class: "checks" }, agents.map((each) => check(each.name, "agents", queue.agents.includes(each.id), each.id)))),
  ];
  return admin.form(queue.name || text("admin.queue_add"), "desk.queues.set", fields, (form) => ({
    queue: queue.id, name: form.get("name"), capacity: Number(form.get("capacity")), pull: form.has("pull"),
    greeting: form.get("greeting"), offline: form.get("offline"), agents: form.getAll("agents").map(Number),
  }));
}

async function editHours(admin, queue) {
  let hours;
  try {
    ({ hours } = await admin.ask("desk.hours.get", { queue: queue.id }));
  } catch (error) {
    complain(error);
    return;
  }
  const is_always = DAYS.every((day) => writeSpans(hours.week[day]) === "00:00-24:00") && !Object.keys(hours.days).length;
  const zone = is_always ? Intl.DateTimeFormat().resolvedOptions().timeZone : hours.zone;
  const detail = h("fieldset", { hidden: is_always },
    field("admin.zone", "zone", zone, { maxlength: 60 }),
    h("p", { class: "dim" }, text("admin.hours_hint")),
    h("div", { class: "week" }, DAYS.map((day, at) => field(`admin.${day}`, day, is_always ? (at < 5 ? "09:00-18:00" : "") : writeSpans(hours.week[day])))),
    area("admin.exceptions", "days", writeDays(hours.days), 3));
  const always = check(text("admin.always"), "always", is_always);
  always.querySelector("input").addEventListener("change", (event) => (detail.hidden = event.target.checked));
  await admin.form(`${text("admin.hours")} · ${queue.name}`, "desk.hours.set", [always, detail], (form) => ({
    queue: queue.id, hours: form.has("always") ? {} : readHours(Object.fromEntries(form), DAYS),
  }));
}

// Canned answers

async function canned(admin) {
  const found = (await admin.ask("desk.canned.list")).canned;
  const edit = (each) => admin.form(each.short ? `/${each.short}` : text("admin.canned_add"), "desk.canned.set", [
    field("admin.short", "short", each.short, { required: true, maxlength: 33 }),
    field("admin.canned_title", "title", each.title, { maxlength: 40 }),
    area("admin.canned_text", "text", each.text, 5, { required: true, maxlength: 8192 }),
  ], (form) => ({ canned: each.id, ...Object.fromEntries(form) }));
  return [
    head("admin.canned", "admin.canned_add", () => edit({})),
    rows(found, (each) => h("li", {}, h("div", { class: "grow" }, h("span", {}, h("b", {}, `/${each.short}`), " ", each.title), h("small", { class: "cut" }, each.text)),
      h("div", { class: "acts" }, act("edit", () => edit(each)), act("delete", () => admin.do("desk.canned.remove", { canned: each.id }), "bad")))),
  ];
}

// Blocks

async function blocks(admin) {
  const found = (await admin.ask("admin.blocks.list")).blocks;
  const kinds = [["address", text("admin.block_address")], ["person", text("admin.block_person")]];
  const add = () => admin.form(text("admin.block_add"), "admin.blocks.add", [
    choice("admin.block_kind", "kind", kinds, "address"),
    field("admin.block_value", "value", "", { required: true, maxlength: 60 }),
    field("admin.block_minutes", "minutes", "", { type: "number", min: 1, max: 5_270_400 }),
    field("admin.block_why", "why", "", { maxlength: 200 }),
  ], (form) => {
    const { minutes, ...values } = given(form);
    return minutes ? { ...values, minutes: Number(minutes) } : values;
  });
  return [
    head("admin.blocks", "admin.block_add", add),
    rows(found, (each) => h("li", {}, h("div", { class: "grow" }, h("span", {}, each.kind === "person" ? `#${each.value}` : each.value),
      h("small", {}, [each.until ? text("admin.until", { at: moment(each.until) }) : text("admin.for_ever"), each.why].filter(Boolean).join(" · "))),
    h("div", { class: "acts" }, act("admin.unblock", () => admin.do("admin.blocks.remove", { block: each.id }))))),
  ];
}

// Settings

const KEPT = ["keep_room_days", "keep_direct_days", "keep_desk_days", "keep_audit_days"];
const FLAGS = ["signup", "guests"];

async function settings(admin) {
  const { values } = await admin.ask("admin.settings.get");
  const numeral = (name) => field(`admin.${name}`, name, values[name], { type: "number", min: 0, required: true });
  const onsubmit = async (event) => {
    event.preventDefault();
    const form = new FormData(event.target);
    const numbers = ["max_file_mib", ...KEPT].map((name) => [name, Number(form.get(name))]);
    const flags = FLAGS.map((name) => [name, form.has(name)]);
    const found = Object.fromEntries([["title", form.get("title").trim()], ["origins", form.get("origins").trim().replace(/\s+/g, " ")], ...numbers, ...flags]);
    const changed = Object.fromEntries(Object.entries(found).filter(([name, value]) => values[name] !== value));
    if (await admin.do("admin.settings.set", { values: changed })) {
      toast(text("saved"));
    }
  };
  return [
    head("admin.settings"),
    h("form", { class: "stack", onsubmit },
      field("admin.title_of_chat", "title", values.title, { maxlength: 60 }),
      FLAGS.map((name) => check(text(`admin.${name}`), name, values[name])),
      area("admin.origins", "origins", values.origins, 2, { maxlength: 2000, spellcheck: "false" }),
      numeral("max_file_mib"),
      h("fieldset", {}, h("legend", {}, text("admin.retention")), KEPT.map(numeral)),
      h("footer", {}, h("button", { class: "main" }, text("save")))),
  ];
}

// What was done

async function audit(admin) {
  const list = h("ul", { class: "rows wide" });
  const more = act("admin.more", () => load().catch(complain));
  let before;
  const load = async () => {
    const { acts } = await admin.ask("admin.audit", before ? { before } : {});
    const unknown = [...new Set(acts.map((each) => each.by))].filter((id) => !admin.store.people.has(id));
    if (unknown.length) {
      admin.store.setPeople((await admin.ask("people.get", { ids: unknown })).people);
    }
    before = acts.at(-1)?.id;
    more.hidden = acts.length < PAGE;
    list.append(...acts.map((each) => h("li", {}, h("div", { class: "grow" },
      h("span", {}, h("code", {}, each.act), " ", each.target), h("small", {}, [moment(each.at), admin.store.name(each.by), each.detail].filter(Boolean).join(" · "))))));
  };
  await load();
  return [head("admin.audit"), list.childElementCount ? list : h("p", { class: "dim" }, text("admin.none")), more];
}

const SECTIONS = { people, queues, canned, blocks, settings, state, audit };

const found = await entered();
if (found.me.kind === "admin") {
  await new Admin(found).run();
} else {
  found.connection.stop();
  turnAway(text("admin.not_admin"));
}
