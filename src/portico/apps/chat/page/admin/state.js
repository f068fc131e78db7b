// How things go: this page's own connection, who else is connected, and a bundle for whoever is asked for help.

import { text } from "../texts.js";
import { avatar, complain, h } from "../ui.js";

const PINGS = 5;

/** Return the nodes of the section. admin: see admin.js. */
export async function state(admin) {
  const [found, own] = await Promise.all([admin.ask("admin.connections"), measure(admin.connection, admin.store)]);
  const tile = (key, value, is_bad) => h("div", { class: is_bad && "bad" }, h("dt", {}, text(key)), h("dd", {}, value));
  return [
    h("div", { class: "heading" }, h("h2", {}, text("admin.state")),
      h("button", { type: "button", onclick: () => admin.route() }, text("admin.again")),
      h("button", { type: "button", class: "main", onclick: () => saveBundle(admin, own) }, text("admin.bundle"))),
    h("h3", {}, text("admin.own_connection")),
    h("dl", { class: "tiles" },
      tile("admin.round_trip", text("admin.ms", { n: own.round_trip_ms }), own.round_trip_ms > 500),
      tile("admin.own_behind", own.behind, own.behind > 0),
      tile("admin.own_unsent", own.unsent, own.unsent > 0),
      tile("admin.skew", text("admin.ms", { n: own.skew_ms }), Math.abs(own.skew_ms) > 5_000)),
    h("h3", {}, text("admin.connections")),
    h("dl", { class: "tiles" }, tile("admin.connected", found.count), tile("admin.behind", found.behind, found.behind > 0),
      tile("admin.slow", found.slow, found.slow > 0)),
    h("ul", { class: "rows wide" }, found.connections.map((each) => h("li", {},
      avatar(each.name, each.person),
      h("div", { class: "grow" }, h("span", { dir: "auto" }, each.name),
        h("small", {}, [`#${each.person}`, text(`admin.kind_${each.kind}`), each.via.join(" ")].filter(Boolean).join(" · "))),
      each.behind > 0 && h("span", { class: "tag" }, text("admin.behind_by", { n: each.behind })),
      each.slow && h("span", { class: "tag" }, text("admin.slow_one"))))),
  ];
}

/** Measure this page's connection: the median round trip, and how far what is here lies behind the server's. */
async function measure(connection, store) {
  const took = [];
  for (let number = 0; number < PINGS; number += 1) {
    const began = performance.now();
    await connection.ask("ping").catch(() => {}); // whatever the answer is, it is one
    took.push(performance.now() - began);
  }
  const known = [...store.conversations.values()].filter((each) => each.last >= 0);
  return {
    round_trip_ms: Math.round(took.sort((one, other) => one - other)[PINGS >> 1]),
    behind: known.reduce((sum, each) => sum + Math.max(0, each.head - each.last), 0),
    conversations: known.length,
    unsent: store.pending.length,
    skew_ms: Math.round(connection.skew_ms),
  };
}

async function saveBundle(admin, page) {
  try {
    const { bundle } = await admin.ask("admin.bundle");
    const whole = { ...bundle, page: { ...page, browser: navigator.userAgent } };
    const href = URL.createObjectURL(new Blob([JSON.stringify(whole, null, 2)], { type: "application/json" }));
    h("a", { href, download: `portico-${new Date(bundle.now).toISOString().slice(0, 10)}.json` }).click();
    URL.revokeObjectURL(href);
  } catch (error) {
    complain(error);
  }
}
