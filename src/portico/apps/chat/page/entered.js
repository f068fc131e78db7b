// What the pages of the staff begin with: somebody who has signed in, a connection, and who that is.

import { device, keep } from "./api.js";
import { Connection } from "./chat.js";
import { linkInAddress, signIn } from "./signin.js";
import { Store } from "./store.js";
import { choice, choose, language, text } from "./texts.js";
import { h } from "./ui.js";

/** Sign in where nobody has, and connect. Resolves with {connection, store, me, op} once the server has said who this is. */
export async function entered() {
  document.documentElement.lang = language();
  const path = location.pathname;
  const found = (linkInAddress() ? null : device()) ?? (await signIn());
  history.replaceState(null, "", path + location.hash);
  const store = new Store();
  const connection = new Connection({ token: found.token, store, owner: found.me });
  connection.addEventListener("auth", () => {
    keep(null);
    location.reload();
  });
  const answer = await new Promise((done) => {
    connection.addEventListener("me", ({ detail }) => done(detail), { once: true });
    connection.start();
  });
  keep({ token: connection.token, me: answer.me.id });
  if (answer.me.lang && answer.me.lang !== choice()) {
    const before = language();
    choose(answer.me.lang);
    if (language() !== before) {
      location.reload();
    }
  }
  return { connection, store, me: answer.me, op: answer.op };
}

/** Make the line that says that there is no connection; it keeps itself right. */
export function stateLine(connection) {
  const again = h("button", { type: "button", class: "link", onclick: () => connection.retryNow() }, text("state.try"));
  const said = h("span");
  const line = h("div", { class: "link-state", role: "status", hidden: true }, said, again);
  connection.addEventListener("state", ({ detail }) => {
    line.hidden = detail === "online";
    said.textContent = text(`state.${detail}`);
  });
  return line;
}

/** Say in place of a page that it is for others. */
export function turnAway(why) {
  document.body.replaceChildren(h("main", { class: "door" }, h("div", { class: "card" },
    h("img", { src: "/page/mark.svg", alt: "", width: 40, height: 40 }), h("p", {}, why), h("a", { href: "/" }, text("desk.messenger")))));
}
