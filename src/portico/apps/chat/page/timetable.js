// Opening hours as people write them: "09:00-12:00, 13:30-18:00" and, for days that differ, a line each.

import { Refusal } from "./chat.js";

const SPAN = /^(\d{1,2}:\d{2})\s*[-–—~至]\s*(\d{1,2}:\d{2})$/;

/** Write the spans of a day; "" for none. */
export function writeSpans(spans = []) {
  return spans.map(([start, end]) => `${start}-${end}`).join(", ");
}

/** Write the days that differ, one a line. */
export function writeDays(days = {}) {
  return Object.entries(days).map(([day, spans]) => `${day} ${writeSpans(spans)}`.trim()).join("\n");
}

/** Read what a form has: zone, a field for each of the days' names, days. Throws Refusal "bad_hours". */
export function readHours(values, names) {
  const week = Object.fromEntries(names.map((name) => [name, readSpans(values[name] ?? "")]));
  const lines = (values.days ?? "").split("\n").map((line) => line.trim()).filter(Boolean);
  const days = lines.map((line) => {
    const [, day, rest] = /^(\d{4}-\d{2}-\d{2})\s*(.*)$/.exec(line) ?? fail();
    return [day, readSpans(rest)];
  });
  return { zone: values.zone.trim() || "UTC", week, days: Object.fromEntries(days) };
}

function readSpans(written) {
  return written.split(/[,，;；、]/).map((part) => part.trim()).filter(Boolean).map((part) => {
    const [, start, end] = SPAN.exec(part) ?? fail();
    return [start.padStart(5, "0"), end.padStart(5, "0")];
  });
}

function fail() {
  throw new Refusal("bad_hours");
}
