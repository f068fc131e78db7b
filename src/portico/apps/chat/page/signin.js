// Coming in: login and password, a one-time link, or a new account where the server allows it.

import { keep, post, readPublic } from "./api.js";
import { Refusal } from "./chat.js";
import { choose, language, text } from "./texts.js";
import { h, reason } from "./ui.js";

/** Return the one-time link's token in the page's address, "" for none: #link=TOKEN. */
export function linkInAddress() {
  return /^#(?:link=)?([A-Za-z0-9_-]{20,200})$/.exec(location.hash)?.[1] ?? "";
}

/**
 * Show the way in; resolves with {token, me, by} once somebody is in, by: "password", "link" or "signup".
 * why: a line to begin with.
 */
export async function signIn({ why = "" } = {}) {
  const found = await patiently(readPublic);
  document.title = found.title;
  return new Promise((done) => {
    const enter = ({ token, me }, by) => {
      keep({ token, me: me.id });
      if (me.lang) {
        choose(me.lang);
      }
      page.remove();
      done({ token, me: me.id, by });
    };
    const card = h("div", { class: "card" });
    const show = (build) => {
      card.replaceChildren(h("img", { src: "/page/mark.svg", alt: "", width: 40, height: 40 }), h("h1", {}, found.title),
        ...build({ found, enter, show }));
      card.querySelector("input, button.main")?.focus();
    };
    const page = h("main", { class: "door" }, card, languages());
    document.body.replaceChildren(page);
    const link = linkInAddress();
    show(link ? byLink(link) : byPassword(why));
  });
}

/** Ask until there is an answer: a page that was kept by the browser may be there before the network is. */
async function patiently(ask) {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof Refusal)) {
        throw error;
      }
      document.body.replaceChildren(h("main", { class: "door" }, h("p", { class: "dim", role: "status" }, text("state.waiting"))));
      await new Promise((done) => setTimeout(done, 1500));
    }
  }
}

function languages() {
  const offer = (name, label) =>
    h("button", {
      type: "button", class: "quiet", lang: name, "aria-pressed": String(language().startsWith(name)),
      onclick: () => {
        choose(name);
        location.reload();
      },
    }, label);
  return h("p", { class: "languages" }, offer("en", "English"), offer("zh", "中文"));
}

function field(label, attributes) {
  return h("label", {}, h("span", {}, label), h("input", { required: true, ...attributes }));
}

/** Make a form that sends what is in it. act: given the values; what it throws is said below. */
function form(fields, label, act, ...below) {
  const wrong = h("p", { class: "wrong", role: "alert" });
  const button = h("button", { class: "main" }, label);
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    wrong.textContent = "";
    try {
      await act(Object.fromEntries(new FormData(event.target)));
    } catch (error) {
      wrong.textContent = reason(error);
    }
    button.disabled = false;
  };
  return { wrong, element: h("form", { class: "stack", onsubmit: submit }, fields, wrong, button, below) };
}

function byPassword(why = "") {
  return ({ found, enter, show }) => {
    const act = async ({ login, password }) => {
      try {
        enter(await post("/api/signin", { login, password }), "password");
      } catch (error) {
        throw error.code === "auth" ? new Refusal("password") : error;
      }
    };
    const login = field(text("signin.login"), { name: "login", autocomplete: "username", autocapitalize: "none", spellcheck: "false", maxlength: 40 });
    const password = field(text("signin.password"), { name: "password", type: "password", autocomplete: "current-password", maxlength: 200 });
    const other = found.signup && h("button", { type: "button", class: "link", onclick: () => show(byNewAccount) }, text("signup.title"));
    const made = form([login, password], text("signin.title"), act, other);
    made.wrong.textContent = why;
    return [made.element];
  };
}

function byNewAccount({ enter, show }) {
  const act = async (values) => enter(await post("/api/signup", { ...values, lang: language() }), "signup");
  const fields = [
    field(text("signup.name"), { name: "name", autocomplete: "name", maxlength: 40 }),
    field(text("signin.login"), { name: "login", autocomplete: "username", autocapitalize: "none", spellcheck: "false", maxlength: 40 }),
    field(text("signin.password"), { name: "password", type: "password", autocomplete: "new-password", maxlength: 200 }),
  ];
  const back = h("button", { type: "button", class: "link", onclick: () => show(byPassword()) }, text("signup.have"));
  return [form(fields, text("signup.title"), act, back).element];
}

function byLink(token) {
  return ({ enter, show }) => {
    const act = async () => {
      try {
        const found = await post("/api/link", { token });
        history.replaceState(null, "", "/");
        enter(found, "link");
      } catch (error) {
        if (error.code !== "auth") {
          throw error;
        }
        history.replaceState(null, "", "/");
        show(byPassword(text("signin.link_bad")));
      }
    };
    return [h("p", { class: "dim" }, text("signin.link")), form([], text("signin.title"), act).element];
  };
}
