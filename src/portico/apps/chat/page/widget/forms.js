// The forms of the widget: before the conversation, outside the hours, and the rating behind it.

import { h, icon, moment } from "./dom.js";
import { text } from "./texts.js";

const MAX_TEXT = 8192;

/**
 * Make the form in front of a conversation. site: what the desk says of itself. wrong: where a refusal is shown.
 * begin: given {text, name, contact?}; resolves when it is done.
 */
export function entry(site, wrong, begin) {
  const is_away = site.open === false;
  const name = h("input", { name: "name", maxlength: 40, autocomplete: "name" });
  const contact = h("input", { name: "contact", maxlength: 200, autocomplete: "email" });
  const question = h("textarea", { name: "text", rows: 4, maxlength: MAX_TEXT, required: true });
  const button = h("button", { class: "main" }, text(is_away ? "leave" : "start"));
  const onsubmit = async (event) => {
    event.preventDefault();
    const written = question.value.trim();
    if (!written) {
      question.focus();
      return;
    }
    button.disabled = true;
    await begin({ text: written, name: name.value.trim(), ...(is_away && { contact: contact.value.trim() }) });
    button.disabled = false;
  };
  return h("form", { class: "body", onsubmit },
    h("h2", {}, (is_away ? site.offline : site.greeting) || text(is_away ? "away" : "hello")),
    is_away && site.opens && h("p", {}, text("opens", { at: moment(site.opens) })),
    h("label", {}, h("span", {}, text("name")), name),
    h("label", {}, h("span", {}, text("first")), question),
    is_away && h("label", {}, h("span", {}, text("contact")), contact),
    wrong, button);
}

/** Make the stars. given: {score, text} or undefined. rate: given a score and a comment. */
export function stars(given, rate) {
  const score = given?.score ?? 0;
  const buttons = [1, 2, 3, 4, 5].map((n) => h("button", {
    type: "button", class: n <= score && "on", "aria-label": text("score", { n }), "aria-pressed": String(n === score),
    onclick: () => rate(n, given?.text ?? ""),
  }, icon("star")));
  const comment = h("input", { "aria-label": text("comment"), placeholder: text("comment"), maxlength: 1000 });
  const onsubmit = (event) => (event.preventDefault(), rate(score, comment.value));
  return [
    h("p", {}, text(score ? "thanks" : "rate")),
    h("div", { class: "stars", role: "group", "aria-label": text("rate") }, buttons),
    score && !given.text
      ? h("form", { onsubmit }, comment, h("button", { class: "main" }, text("send")))
      : h("small", {}, text("again")),
  ];
}
