// The figures of the desk, as tiles: what waits now, how the last day was, who is there and how busy.

import { span } from "./desk/time.js";
import { text } from "./texts.js";
import { avatar, h } from "./ui.js";

const LATE_S = 180;

/** Draw the answer to desk.stats into an element. */
export function drawWall(element, { queues, agents }) {
  const most = Math.max(1, ...agents.map((agent) => agent.load));
  element.replaceChildren(
    ...queues.map((queue) => h("section", {}, h("h2", { dir: "auto" }, queue.name), h("dl", { class: "tiles now" }, tiles(now(queue))),
      h("h3", {}, text("wall.day")), h("dl", { class: "tiles" }, tiles(day(queue))))),
    h("section", {}, h("h2", {}, text("wall.agents")), agents.length
      ? h("ul", { class: "agents" }, agents.map((agent) => agentRow(agent, most)))
      : h("p", { class: "dim" }, text("wall.no_agents"))));
}

function agentRow({ name, id, online, available, load }, most) {
  return h("li", { class: !online && "off" },
    avatar(name, id, { online }),
    h("span", { class: "grow cut", dir: "auto" }, name),
    h("span", { class: "dim" }, h("i", { class: `state ${online ? available : "away"}` }), text(online ? `desk.${available}` : "desk.not_here")),
    h("meter", { min: 0, max: most, value: load, "aria-label": text("wall.load") }),
    h("span", { class: "load" }, text("desk.load", { n: load })));
}

function now({ waiting, longest_s }) {
  const is_late = longest_s > LATE_S;
  return [["wall.waiting", waiting, waiting > 0 && is_late], ["wall.longest", span(longest_s), is_late]];
}

function day({ day: figures }) {
  return [
    ["wall.started", figures.started], ["wall.answered", figures.answered], ["wall.missed", figures.missed, figures.missed > 0],
    ["wall.p50", span(figures.reply_p50_s)], ["wall.p90", span(figures.reply_p90_s)], ["wall.handled", span(figures.handled_s)],
    ["wall.rating", figures.rating === undefined || figures.rating === null ? "–" : `${figures.rating} ★`, false, figures.ratings > 0 && text("wall.ratings", { n: figures.ratings })],
  ];
}

function tiles(rows) {
  return rows.map(([key, value, is_bad, note]) => h("div", { class: is_bad && "bad" }, h("dt", {}, text(key)), h("dd", {}, value, note && h("small", {}, note))));
}
