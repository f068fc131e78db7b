// Small things that all pages build with. Everything that a person wrote goes into text nodes, never into markup.

import { language, text } from "./texts.js";

/**
 * Make an element. attributes: "on..." is a listener, "class" a string or an array whose falsy members do not count,
 * true an empty attribute, false and undefined none. children: elements, texts, arrays of them; null is nothing.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), value);
    } else if (name === "class") {
      element.className = [value].flat().filter(Boolean).join(" ");
    } else if (name === "value") {
      element.value = value;
    } else if (value !== false && value !== undefined && value !== null) {
      element.setAttribute(name, value === true ? "" : String(value));
    }
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const LINK = /https?:\/\/[^\s<>"'`\u3000-\u303f\uff00-\uff0f]+/g;
const TRAILING = /[.,;:!?)\]}]+$/;

/** Return a text as nodes, with its http and https addresses as links that tell nobody where they came from. */
export function linked(written) {
  const nodes = [];
  let done = 0;
  for (const match of written.matchAll(LINK)) {
    let address = match[0];
    const tail = TRAILING.exec(address)?.[0] ?? "";
    const is_balanced = tail === ")" && address.includes("(");
    address = tail && !is_balanced ? address.slice(0, -tail.length) : address;
    if (!URL.canParse(address)) {
      continue;
    }
    nodes.push(written.slice(done, match.index));
    nodes.push(h("a", { href: address, target: "_blank", rel: "noopener noreferrer nofollow" }, address));
    done = match.index + address.length;
  }
  nodes.push(written.slice(done));
  return nodes.filter((node) => node !== "");
}

const SVG = "http://www.w3.org/2000/svg";

/** Put the icons into the document, so that one that is first shown without a connection is there as well. */
async function loadIcons() {
  try {
    const answer = await fetch(new URL("icons.svg", import.meta.url));
    const { documentElement: sheet } = new DOMParser().parseFromString(await answer.text(), "image/svg+xml");
    sheet.querySelectorAll("symbol").forEach((symbol) => (symbol.id = `icon-${symbol.id}`));
    sheet.setAttribute("hidden", "");
    document.documentElement.append(document.adoptNode(sheet));
  } catch {
    // buttons have names without them
  }
}

loadIcons();

/** Make an icon of icons.svg. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

/** Make a button with an icon, which a screen reader reads as its label. */
export function iconButton(name, label, onclick, attributes = {}) {
  return h("button", { type: "button", class: "quiet", title: label, "aria-label": label, onclick, ...attributes }, icon(name));
}

/** Make the round picture of a person or a room: the first letter, in a colour that stays. */
export function avatar(name, id, { is_room = false, online } = {}) {
  const letter = [...(name || "·").trim()][0]?.toUpperCase() ?? "·";
  const dot = online === undefined ? null : h("i", { class: ["dot", online && "on"] });
  return h("span", { class: ["avatar", `tone${id % 6}`, is_room && "room"], "aria-hidden": "true" }, letter, dot);
}

/** Make the mark of a way other than the web by which somebody is here, or something came; null for none. */
export function wayTag(way) {
  const known = text(`via.${way}`);
  return !way || way === "ws" || known.startsWith("via.") ? null : h("span", { class: "tag", title: text(`via.about.${way}`) }, known);
}

/** Write a size in bytes as people do. */
export function size(bytes) {
  const units = ["B", "KB", "MB", "GB"];
  let at = 0;
  let value = bytes;
  for (; value >= 1000 && at < units.length - 1; at += 1) {
    value /= 1000;
  }
  return `${at === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[at]}`;
}

/** Write the time of day. */
export function clock(ms) {
  return new Intl.DateTimeFormat(language(), { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(ms);
}

/** Write a whole date and time. */
export function moment(ms) {
  return new Intl.DateTimeFormat(language(), { dateStyle: "full", timeStyle: "short" }).format(ms);
}

/** Return a number for each day, the same for all times of the day here. */
export function dayOf(ms) {
  const date = new Date(ms);
  return Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / 86_400_000;
}

/** Write a day: today, yesterday, or its date. */
export function day(ms) {
  const ago = dayOf(Date.now()) - dayOf(ms);
  if (ago === 0 || ago === 1) {
    return text(ago ? "yesterday" : "today");
  }
  const is_this_year = new Date(ms).getFullYear() === new Date().getFullYear();
  const options = { weekday: ago < 7 ? "long" : undefined, month: "long", day: "numeric" };
  return new Intl.DateTimeFormat(language(), is_this_year ? options : { ...options, year: "numeric" }).format(ms);
}

/** Write when something was, shortly: the time today, the day before that. */
export function shortly(ms) {
  const ago = dayOf(Date.now()) - dayOf(ms);
  if (!ms || ago === 0) {
    return ms ? clock(ms) : "";
  }
  const options = ago > 0 && ago < 7 ? { weekday: "short" } : { month: "numeric", day: "numeric" };
  return new Intl.DateTimeFormat(language(), options).format(ms);
}

/**
 * Show a dialog. build: given a function that closes it with a value; returns its content. Resolves with that value, or
 * undefined where it was closed with Escape or beside it.
 */
export function dialog(title, build, { wide = false } = {}) {
  return new Promise((done) => {
    const close = (value) => {
      done(value);
      box.close();
    };
    const heading = h("header", {}, h("h2", {}, title), iconButton("close", text("close"), () => close()));
    const box = h("dialog", { class: wide && "wide", "aria-label": title }, heading, build(close));
    box.addEventListener("close", () => {
      box.remove();
      done(undefined);
    });
    box.addEventListener("mousedown", (event) => event.target === box && close());
    document.body.append(box);
    box.showModal();
  });
}

/** Ask yes or no. */
export function confirmed(question, yes) {
  return dialog(text("sure"), (close) =>
    h("form", { method: "dialog", onsubmit: (event) => (event.preventDefault(), close(true)) },
      h("p", {}, question),
      h("footer", {},
        h("button", { type: "button", onclick: () => close(false) }, text("cancel")),
        h("button", { class: "main" }, yes))));
}

/** Show a line above everything for a while; a screen reader reads it. Returns a function that takes it away. */
export function toast(message, { kind = "", onclick = null } = {}) {
  let shelf = document.querySelector(".toasts");
  if (!shelf) {
    shelf = h("div", { class: "toasts", role: "status", "aria-live": "polite", popover: "manual" });
    document.body.append(shelf);
  }
  shelf.togglePopover?.(false);
  shelf.togglePopover?.(true); // above a dialog, too
  const line = h("button", { type: "button", class: ["toast", kind] }, message);
  line.addEventListener("click", () => {
    line.remove();
    onclick?.();
  });
  shelf.append(line);
  setTimeout(() => line.remove(), 6_000);
  return () => line.remove();
}

/** Say what went wrong, in the person's language where the table has the code. */
export function complain(error) {
  toast(reason(error), { kind: "bad" });
}

/** Return what to tell a person about a Refusal. */
export function reason(error) {
  const known = text(`error.${error.code}`);
  return known.startsWith("error.") ? error.message || text("error.unknown") : known;
}
