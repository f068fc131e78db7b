// What an agent is asked: to whom a case goes, until when it is put off, which keys there are.

import { language, text } from "../texts.js";
import { dialog, h } from "../ui.js";

const HOUR_MS = 3_600_000;
const MORNING = 9;

/** Ask to whom a case goes. Resolves with {to} or {queue}, undefined for nobody. */
export function askReceiver({ agents, queues, me, current }) {
  const others = agents.filter((each) => each.online && each.id !== me.id);
  const choose = (close, value, ...parts) => h("li", {}, h("button", { type: "button", class: "grow", onclick: () => close(value) }, parts));
  return dialog(text("desk.transfer"), (close) => h("div", { class: "stack" },
    h("h3", {}, text("desk.transfer_agents")),
    others.length ? h("ul", { class: "rows" }, others.map((each) => choose(close, { to: each.id },
      h("i", { class: `state ${each.available}` }), h("span", { class: "grow cut" }, each.name),
      h("span", { class: "dim" }, text(`desk.${each.available}`)), h("span", { class: "dim" }, text("desk.load", { n: each.load })))))
      : h("p", { class: "dim" }, text("desk.transfer_none")),
    h("h3", {}, text("desk.transfer_queues")),
    h("ul", { class: "rows" }, queues.map((each) => choose(close, { queue: each.id }, h("span", { class: "grow cut" }, each.name),
      each.id === current && h("span", { class: "dim" }, text("desk.transfer_same")))))));
}

/** Ask until when a case is put off. now: of the server, in ms. Resolves with a time in ms, undefined for not at all. */
export function askUntil(now) {
  const choices = [
    ["desk.snooze_hour", now + HOUR_MS], ["desk.snooze_hours", now + 3 * HOUR_MS],
    ["desk.snooze_tomorrow", morning(now, 1)], ["desk.snooze_week", morning(now, ((8 - new Date(now).getDay()) % 7) || 7)],
  ];
  return dialog(text("desk.snooze"), (close) => {
    const other = h("input", { type: "datetime-local", required: true, "aria-label": text("desk.snooze_other"), min: local(now), value: local(now + 24 * HOUR_MS) });
    const onsubmit = (event) => (event.preventDefault(), close(new Date(other.value).getTime()));
    return h("div", { class: "stack" },
      h("p", { class: "dim" }, text("desk.snooze_hint")),
      h("ul", { class: "rows" }, choices.map(([key, until]) => h("li", {}, h("button", { type: "button", class: "grow", onclick: () => close(until) },
        h("span", { class: "grow" }, text(key)), h("span", { class: "dim" }, soon(until)))))),
      h("form", { class: "inline", onsubmit }, other, h("button", { class: "main" }, text("desk.snooze_other"))));
  });
}

/** Return 9 in the morning, some days on, on the clock here. */
function morning(now, days) {
  const date = new Date(now);
  date.setDate(date.getDate() + days);
  return date.setHours(MORNING, 0, 0, 0);
}

/** Write the day of the week and the time. */
function soon(ms) {
  return new Intl.DateTimeFormat(language(), { weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(ms);
}

function local(ms) {
  const date = new Date(ms);
  return new Date(ms - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

const KEYS = [
  [["J", "K"], "list"], [["R"], "reply"], [["/"], "canned"], [["N"], "notes"], [["T"], "transfer"], [["S"], "snooze"], [["E"], "close"],
  [["A"], "accept"], [["1", "2", "3", "4"], "tabs"], [["W"], "wall"], [["Esc"], "leave"], [["?"], "help"],
];

/** Show which keys there are. */
export function showKeys() {
  return dialog(text("desk.shortcuts"), () => h("div", { class: "keys" }, KEYS.map(([keys, name]) =>
    [h("span", {}, keys.map((key) => [h("kbd", {}, key), " "])), h("span", {}, text(`desk.key_${name}`))])));
}
