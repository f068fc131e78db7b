// The figures of the desk, as tiles: what waits now, how the last day was, who is there.

import { text } from "./texts.js";
import { avatar, h } from "./ui.js";

const STEPS = [["desk.days", 86_400], ["desk.hours", 3_600], ["desk.minutes", 60], ["desk.seconds", 1]];

/** Write how long something takes, in its largest unit; "–" for what is not known. */
export function span(seconds) {
  if (seconds === null || seconds === undefined) {
    return "–";
  }
  const whole = Math.max(0, Math.floor(seconds));
  const [key, length] = STEPS.find(([, each]) => whole >= each) ?? STEPS.at(-1);
  return text(key, { n: Math.floor(whole / length) });
}

/** Draw the answer to desk.stats into an element. */
export function drawWall(element, { queues, agents }) {
  element.replaceChildren(
    ...queues.map((queue) => h("section", {}, h("h2", {}, queue.name), h("dl", { class: "tiles" }, tiles(queue)))),
    h("section", {}, h("h2", {}, text("wall.agents")), h("ul", { class: "rows" }, agents.map((agent) => h("li", {},
      avatar(agent.name, agent.id, { online: agent.online }),
      h("span", { class: "grow cut" }, agent.name),
      h("span", { class: "tag" }, text(`desk.${agent.available}`)),
      h("span", { class: "dim" }, text("desk.load", { n: agent.load })))))));
}

function tiles({ waiting, longest_s, day }) {
  const rows = [
    ["wall.waiting", waiting, waiting > 0 && longest_s > 180], ["wall.longest", span(longest_s), longest_s > 180],
    ["wall.started", day.started], ["wall.answered", day.answered], ["wall.missed", day.missed, day.missed > 0],
    ["wall.p50", span(day.reply_p50_s)], ["wall.p90", span(day.reply_p90_s)], ["wall.handled", span(day.handled_s)],
    ["wall.rating", day.rating === null ? "–" : `${day.rating} (${day.ratings})`],
  ];
  return rows.map(([key, value, is_bad]) => h("div", { class: is_bad && "bad" }, h("dt", {}, text(key)), h("dd", {}, value)));
}
