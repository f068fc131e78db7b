// What goes over HTTP: coming in, and files. Answers are objects; whatever else there is, is a Refusal.

import { Refusal } from "./chat.js";

const KEPT = "portico.chat.device"; // {token, me}: what this browser is known by

/** Return {token, me} of this browser, or null. */
export function device() {
  try {
    const found = JSON.parse(localStorage.getItem(KEPT) ?? "null");
    return typeof found?.token === "string" ? found : null;
  } catch {
    return null;
  }
}

/** Keep {token, me} for the next time; null forgets it. */
export function keep(found) {
  try {
    if (found) {
      localStorage.setItem(KEPT, JSON.stringify(found));
    } else {
      localStorage.removeItem(KEPT);
    }
  } catch {
    // no storage: it lasts as long as the page
  }
}

/** Send JSON; return the answer. token: of this device, where it is asked for. Throws Refusal. */
export function post(path, body, token = "") {
  return call(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }, token);
}

/** Return what a page has to know before anybody has signed in. Throws Refusal. */
export function readPublic() {
  return call("/api/public", {});
}

/** Say no more who this is. The server forgets the device, if it can be reached. */
export async function signOut(token) {
  keep(null);
  try {
    await post("/api/signout", {}, token);
  } catch (error) {
    if (!(error instanceof Refusal)) {
      throw error;
    }
  }
}

/** Ask for a path as `fetch` does, and read its JSON. Throws Refusal. */
export async function call(path, options, token = "") {
  const headers = { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  let answer;
  try {
    answer = await fetch(path, { ...options, headers, credentials: "omit", cache: "no-store" });
  } catch {
    throw new Refusal("offline");
  }
  let found;
  try {
    found = await answer.json();
  } catch {
    throw new Refusal(answer.status === 413 ? "too_big" : "unknown", `${answer.status}`);
  }
  if (!answer.ok) {
    throw new Refusal(found.code ?? "unknown", found.why, found.retry);
  }
  return found;
}
