// What the panel is built of. Everything that anybody wrote goes into text nodes, never into markup.

import { language } from "./texts.js";

const ICONS = {
  close: "m6 9 6 6 6-6",
  send: "M12 19V5m-6 6 6-6 6 6",
  clip: "m20 11.500-8 8a5 5 0 0 1-7-7l8.500-8.500a3.300 3.300 0 0 1 4.700 4.700l-8.300 8.300a1.700 1.700 0 0 1-2.400-2.400l7.500-7.500",
  star: "m12 3.500 2.600 5.500 6 .8-4.400 4.200 1.100 6L12 17l-5.300 3 1.100-6L3.400 9.800l6-.8z",
};

/** Make an element; "on..." is a listener, true an empty attribute, false and undefined none. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), value);
    } else if (value !== false && value !== undefined && value !== null) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.flat().filter((child) => child || child === 0));
  return element;
}

/** Make an icon. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Make a button with an icon, which a screen reader reads as its label. */
export function iconButton(name, label, onclick, kind = "") {
  return h("button", { type: "button", class: kind, title: label, "aria-label": label, onclick }, icon(name));
}

const LINK = /(https?:\/\/[^\s<>"'`\u3000-\u303f\uff00-\uff0f]+[^\s<>"'`.,;:!?)\]}\u3000-\u303f\uff00-\uff0f])/;

/** Return a text as nodes, with its http and https addresses as links. */
export function linked(written) {
  return written.split(LINK).map((part, at) => (at % 2 && URL.canParse(part)
    ? h("a", { href: part, target: "_blank", rel: "noopener noreferrer nofollow" }, part) : part));
}

/** Write the time of day. */
export function clock(ms) {
  return new Intl.DateTimeFormat(language(), { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(ms);
}

/** Write when something will be: the day of the week and the time, with the date where it is not soon. */
export function moment(ms) {
  const options = { weekday: "long", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  const is_soon = ms - Date.now() < 6 * 86_400_000;
  return new Intl.DateTimeFormat(language(), is_soon ? options : { ...options, month: "long", day: "numeric" }).format(ms);
}
