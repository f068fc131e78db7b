// How long things take, in words.

import { text } from "../texts.js";

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
