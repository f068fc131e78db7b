// The chat of a visitor, on any site: <script src="https://HOST/widget.js" async></script>. One file, in a Shadow DOM.
//
//   closed -> greeting, name, first message | offline form -> waiting, with the place -> talking -> over, with a rating
//
// Nothing is stored and nobody is told anything before a visitor opens it. From then on the token, the number of the
// conversation and what is unsent are in the localStorage of the page that shows it, so that a reload goes on where it
// was. data-lang="zh" or "en" and data-queue="2" on the script choose; data-full makes it the whole page.
(() => {
  "use strict";
  const script = document.currentScript;
  const ORIGIN = new URL(script.src).origin;
  const KEPT = `portico.visitor ${ORIGIN}`;
  const IS_FULL = "full" in script.dataset;
  const QUEUE = Number(script.dataset.queue) || undefined;
  const FIRST_WAIT_MS = 500;
  const MAX_WAIT_MS = 30_000;
  const TYPING_MS = 6_000;
  const ANSWER_MS = 20_000;
  const MAX_TEXT = 8192;

  const TEXTS = {
    open: ["Chat with us", "在线咨询"],
    close: ["Close the chat", "收起"],
    hello: ["Hello! How can we help you?", "您好，有什么可以帮您？"],
    name: ["Your name (optional)", "怎么称呼您（选填）"],
    first: ["Your question", "请描述您的问题"],
    start: ["Start", "开始咨询"],
    away: ["Nobody is here right now. Leave a message and we will answer here.", "现在是非工作时间。请留言，我们会在这里答复您。"],
    opens: ["We are back {at}.", "我们将于{at}恢复服务。"],
    contact: ["E-mail or phone, if you want to be called (optional)", "邮箱或电话，方便联系您（选填）"],
    leave: ["Leave the message", "提交留言"],
    waiting: ["Somebody will be with you soon.", "请稍候，马上为您接入。"],
    place: ["You are number {pos} in the queue.", "您前面还有 {before} 位，当前排第 {pos} 位。"],
    next: ["You are next.", "下一位就是您。"],
    eta: ["It will take about {n} min.", "预计等待 {n} 分钟。"],
    eta_s: ["It will take less than a minute.", "预计不到 1 分钟。"],
    with: ["You are talking with {name}.", "{name} 正在为您服务。"],
    joined: ["{name} is here", "{name} 已接入"],
    moved: ["You are being handed over", "正在为您转接"],
    over: ["The conversation is over", "会话已结束"],
    again: ["Something else? Just write.", "还有问题？直接继续输入即可。"],
    rate: ["How did we do?", "请评价本次服务"],
    score: ["{n} of 5", "{n} 分（满分 5 分）"],
    comment: ["Anything to add? (optional)", "还想补充什么？（选填）"],
    thanks: ["Thank you!", "感谢您的评价！"],
    write: ["Write a message", "输入消息"],
    send: ["Send", "发送"],
    attach: ["Attach a file", "发送文件"],
    file: ["File", "文件"],
    typing: ["{name} is writing…", "{name} 正在输入……"],
    you: ["You", "您"],
    agent: ["Agent", "客服"],
    older: ["Load older messages", "加载更早的消息"],
    deleted: ["Message deleted", "消息已删除"],
    edited: ["edited", "已编辑"],
    unsent: ["waiting to be sent", "等待发送"],
    failed: ["Not sent. Press to try again", "发送失败，点击重试"],
    offline: ["No connection; trying again…", "连接已断开，正在重试……"],
    error: ["That did not work. Please try again.", "操作没有成功，请重试。"],
    rate_limit: ["Too fast. Please wait a moment.", "操作太快，请稍等一下。"],
    too_big: ["That is too large.", "内容太大。"],
    blocked: ["This chat is not available to you.", "您暂时无法使用咨询服务。"],
    unread: ["{n} new", "{n} 条新消息"],
  };
  const REFUSALS = { rate: "rate_limit", too_big: "too_big", blocked: "blocked", offline: "offline" };
  const asked = [script.dataset.lang, ...(navigator.languages ?? [navigator.language])].filter(Boolean);
  const LANGUAGE = (asked.find((each) => /^(en|zh)/.test(each)) ?? "en").slice(0, 2);

  function text(key, values = {}) {
    return TEXTS[key][LANGUAGE === "zh" ? 1 : 0].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
  }

  const CSS = `
:host { all: initial; --bg: #fdfcfa; --raised: #fff; --tint: #f5f2ed; --line: #eae6e0; --ink: #262320; --dim: #6e6861;
  --accent: #a84a22; --on: #fff; --mine: #f6e6dc; --note: #fbf3d9; --bad: #a8323a; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :host { --bg: #191817; --raised: #211f1d; --tint: #272422; --line: #34302d; --ink: #ebe7e2;
  --dim: #a19a92; --accent: #e9956a; --on: #2a1408; --mine: #43291c; --note: #38311d; --bad: #f08d8d; } }
* { box-sizing: border-box; margin: 0; font: 15px/1.5 system-ui, "Segoe UI", Roboto, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
[hidden] { display: none !important; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
svg { width: 22px; height: 22px; fill: none; stroke: currentColor; stroke-width: 1.7; stroke-linecap: round; stroke-linejoin: round; }
button { color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
button:disabled { opacity: .5; cursor: default; }
.bubble { position: fixed; inset: auto 20px 20px auto; z-index: 2147483000; display: flex; align-items: center; gap: 8px; height: 52px;
  padding: 0 18px; border-radius: 26px; background: var(--accent); color: var(--on); box-shadow: 0 2px 6px #0003, 0 10px 30px #0003; }
.bubble span { font-weight: 600; }
.bubble b { min-width: 20px; padding: 0 6px; border-radius: 10px; background: var(--on); color: var(--accent); font-size: 12px; line-height: 20px; font-weight: 700; text-align: center; }
.panel { position: fixed; inset: auto 20px 20px auto; z-index: 2147483001; display: flex; flex-direction: column; width: 380px; max-width: calc(100vw - 40px);
  height: min(620px, calc(100dvh - 40px)); overflow: hidden; border: 1px solid var(--line); border-radius: 18px; background: var(--bg); color: var(--ink);
  box-shadow: 0 2px 8px #0002, 0 18px 60px #0004; overflow-wrap: anywhere; }
.panel.full { inset: 0; width: auto; max-width: none; height: 100dvh; border: 0; border-radius: 0; }
.full > * { width: 100%; max-width: 44rem; margin-inline: auto; }
header { display: flex; align-items: center; gap: 10px; padding: 14px 10px 12px 18px; border-bottom: 1px solid var(--line); }
header div { flex: 1; min-width: 0; }
header b { display: block; font-weight: 650; }
header small { display: block; color: var(--dim); font-size: 13px; }
header button, .tool { width: 40px; height: 40px; flex: none; display: grid; place-items: center; border-radius: 10px; color: var(--dim); }
header button:hover, .tool:hover { background: var(--tint); color: var(--ink); }
.state { padding: 7px 18px; background: var(--note); font-size: 13px; text-align: center; }
.log { flex: 1; min-height: 0; overflow-y: auto; overscroll-behavior: contain; display: flex; flex-direction: column; padding: 14px 16px; }
.log::before { content: ""; margin-top: auto; }
.sys { align-self: center; margin: 8px 0; color: var(--dim); font-size: 13px; text-align: center; }
.older { color: var(--accent); text-decoration: underline; }
.msg { max-width: 84%; margin-top: 3px; align-self: flex-start; }
.msg.head { margin-top: 12px; }
.msg small { display: block; margin-bottom: 2px; color: var(--dim); font-size: 12px; }
.msg p { padding: 7px 12px; border-radius: 4px 14px 14px; background: var(--tint); white-space: pre-wrap; }
.msg.mine { align-self: flex-end; } .msg.mine small { text-align: end; }
.msg.mine p { border-radius: 14px 4px 14px 14px; background: var(--mine); }
.msg.gone p { background: none; border: 1px dashed var(--line); color: var(--dim); }
.msg.wait p { opacity: .6; }
.msg .fail { color: var(--bad); font-size: 12px; text-decoration: underline; }
.file { display: inline-flex; gap: 6px; align-items: center; margin-top: 3px; padding: 7px 12px; border: 1px solid var(--line); border-radius: 12px; background: var(--raised); }
a { color: var(--accent); }
.typing { min-height: 22px; padding: 0 18px; color: var(--dim); font-size: 13px; }
form { display: grid; gap: 12px; padding: 18px; }
.body { flex: 1; overflow-y: auto; align-content: center; }
.body h2 { font-size: 20px; font-weight: 600; line-height: 1.35; }
.body > p { color: var(--dim); }
label span { display: block; margin-bottom: 4px; color: var(--dim); font-size: 13px; }
input, textarea { width: 100%; min-height: 42px; padding: 9px 12px; border: 1px solid var(--line); border-radius: 12px; background: var(--raised); color: inherit; resize: none; }
input:focus, textarea:focus { outline: 2px solid var(--accent); outline-offset: -1px; border-color: transparent; }
.main { height: 44px; padding: 0 18px; border-radius: 12px; background: var(--accent); color: var(--on); font-weight: 600; }
.main:hover { filter: brightness(1.07); }
.write { display: flex; align-items: flex-end; gap: 4px; padding: 0 12px max(12px, env(safe-area-inset-bottom)); }
.write textarea { max-height: 140px; field-sizing: content; }
.write .main { width: 42px; height: 42px; padding: 0; display: grid; place-items: center; flex: none; }
.rating { display: grid; justify-items: center; gap: 8px; padding: 12px 16px; border-top: 1px solid var(--line); text-align: center; }
.rating form { display: flex; gap: 6px; padding: 0; width: 100%; }
.stars { display: flex; }
.stars button { width: 44px; height: 44px; display: grid; place-items: center; color: var(--dim); }
.stars svg { width: 28px; height: 28px; }
.stars .on { color: var(--accent); } .stars .on svg { fill: currentColor; }
.wrong { color: var(--bad); font-size: 13px; min-height: 1.4em; }
.wrong:empty { display: none; }
@media (max-width: 480px) { .panel { inset: 0; width: auto; max-width: none; height: 100dvh; border: 0; border-radius: 0; }
  input, textarea { font-size: 16px; } .bubble { inset: auto 14px 14px auto; } }
@media (prefers-reduced-motion: no-preference) { .panel { animation: in .18s ease-out; } @keyframes in { from { opacity: 0; transform: translateY(10px); } } }
@media (forced-colors: active) { .msg p, .bubble { border: 1px solid; } }`;

  const ICONS = {
    chat: "M4 5.500h16v11H10l-4 3.500v-3.500H4z",
    close: "m6 9 6 6 6-6",
    send: "M12 19V5m-6 6 6-6 6 6",
    clip: "m20 11.500-8 8a5 5 0 0 1-7-7l8.500-8.500a3.300 3.300 0 0 1 4.700 4.700l-8.300 8.300a1.700 1.700 0 0 1-2.400-2.400l7.500-7.500",
    star: "m12 3.500 2.600 5.500 6 .8-4.400 4.200 1.100 6L12 17l-5.300 3 1.100-6L3.400 9.800l6-.8z",
  };

  // Everything that anybody wrote goes into text nodes, never into markup.
  function h(tag, attributes = {}, ...children) {
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

  function icon(name) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.setAttribute("aria-hidden", "true");
    path.setAttribute("d", ICONS[name]);
    svg.append(path);
    return svg;
  }

  function linked(written) {
    const parts = written.split(/(https?:\/\/[^\s<>"'`\u3000-\u303f\uff00-\uff0f]+[^\s<>"'`.,;:!?)\]}\u3000-\u303f\uff00-\uff0f])/);
    return parts.map((part, at) => (at % 2 && URL.canParse(part)
      ? h("a", { href: part, target: "_blank", rel: "noopener noreferrer nofollow" }, part) : part));
  }

  function moment(ms) {
    const options = { weekday: "long", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
    const is_soon = ms - Date.now() < 6 * 86_400_000;
    return new Intl.DateTimeFormat(LANGUAGE, is_soon ? options : { ...options, month: "long", day: "numeric" }).format(ms);
  }

  // What is kept over a reload

  let kept = { token: "", c: 0, out: [] };
  try {
    kept = { ...kept, ...JSON.parse(localStorage.getItem(KEPT) ?? "{}") };
  } catch {
    // no storage, or another's: a visit lasts as long as the page
  }

  function keep() {
    try {
      localStorage.setItem(KEPT, JSON.stringify(kept));
    } catch {
      // no storage
    }
  }

  class Refusal extends Error {
    constructor(code) {
      super(code);
      this.code = code;
    }
  }

  async function call(path, options = {}) {
    let answer;
    let found;
    try {
      answer = await fetch(ORIGIN + path, { ...options, credentials: "omit", cache: "no-store" });
      found = await answer.json();
    } catch {
      throw new Refusal(answer ? "error" : "offline");
    }
    if (!answer.ok) {
      throw new Refusal(found.code);
    }
    return found;
  }

  function post(path, body) {
    const headers = { "Content-Type": "application/json", ...(kept.token && { Authorization: `Bearer ${kept.token}` }) };
    return call(path, { method: "POST", headers, body: JSON.stringify(body) });
  }

  // The connection: WebSocket portico.chat.v1

  let socket = null;
  let is_online = false;
  let tries = 0;
  let timer = 0;
  let number = 0;
  let me = 0;
  let epoch = "";
  let under_way = ""; // the cid of the message that waits for its acknowledgement
  const waiting = new Map();
  const logs = new Map(); // conversation to {events, last, first}
  const names = new Map();
  const files = new Map();
  let desk = {}; // what the desk last said of the place in the queue
  let typed_ms = 0;
  let writer = { name: "", until: 0 };

  function log(c = kept.c) {
    if (!logs.has(c)) {
      logs.set(c, { events: new Map(), last: -1, first: 1, read: 0 });
    }
    return logs.get(c);
  }

  function put(frame) {
    const can = socket?.readyState === WebSocket.OPEN;
    if (can) {
      socket.send(JSON.stringify(frame));
    }
    return can;
  }

  function request(frame) {
    return new Promise((done, fail) => {
      const id = ++number;
      if (!is_online || !put({ ...frame, id })) {
        fail(new Refusal("offline"));
        return;
      }
      waiting.set(id, { done, fail });
      setTimeout(() => waiting.delete(id) && fail(new Refusal("offline")), ANSWER_MS);
    });
  }

  const ask = (op, values = {}) => request({ ...values, t: "ask", op });

  let entered = null; // resolves when the server has said welcome

  function connect() {
    if (socket) {
      return entered.promise;
    }
    clearTimeout(timer);
    entered ??= Promise.withResolvers?.() ?? deferred();
    const made = new WebSocket(`${ORIGIN.replace(/^http/, "ws")}/ws`, "portico.chat.v1");
    socket = made;
    made.onopen = () => {
      const known = [...logs].filter(([, each]) => each.last >= 0).map(([c, each]) => [c, each.last]);
      put({ t: "hello", v: 1, tok: kept.token, epoch, have: Object.fromEntries(known) });
    };
    made.onmessage = ({ data }) => {
      for (const line of data.split("\n")) {
        if (line && made === socket) {
          const frame = JSON.parse(line);
          HANDLERS[frame.t]?.(frame);
        }
      }
      draw();
    };
    made.onclose = () => made === socket && lost();
    return entered.promise;
  }

  function deferred() {
    const made = {};
    made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
    return made;
  }

  function lost() {
    socket?.close();
    socket = null;
    is_online = false;
    under_way = "";
    waiting.forEach(({ fail }) => fail(new Refusal("offline")));
    waiting.clear();
    if (kept.token) {
      timer = setTimeout(connect, FIRST_WAIT_MS + Math.random() * Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** tries));
      tries += 1;
    }
    draw();
  }

  function wake() {
    if (kept.token && !socket && document.visibilityState === "visible") {
      connect();
    }
    markRead();
  }

  const HANDLERS = {
    welcome: (frame) => {
      is_online = true;
      tries = 0;
      me = frame.me;
      epoch = frame.epoch;
      entered.resolve();
      entered = null;
      flow();
      refresh();
    },
    reset: () => logs.clear(),
    ok: (frame) => settle(frame.id, "done", frame),
    page: (frame) => {
      takeAll(frame);
      settle(frame.id, "done", frame);
    },
    err: (frame) => {
      if (frame.id !== undefined) {
        settle(frame.id, "fail", new Refusal(frame.code));
      } else if (frame.code === "auth") {
        forget();
      }
    },
    ev: (frame) => {
      const found = log(frame.c);
      if (found.last >= 0 && frame.s > found.last + 1) {
        request({ t: "get", c: frame.c, after: found.last }).catch(() => {});
      } else if (frame.s > found.last) {
        take(frame);
        found.last = frame.s;
      }
    },
    sync: (frame) => {
      takeAll(frame);
      log(frame.c).last = frame.ev.length ? frame.ev[frame.ev.length - 1].s : Math.max(log(frame.c).last, frame.head);
    },
    st: (frame) => {
      for (const [id, person] of Object.entries(frame.people ?? {})) {
        names.set(Number(id), person.name);
      }
      if (frame.read?.[me]) {
        log(frame.c).read = Math.max(log(frame.c).read, frame.read[me]);
      }
      if (frame.desk && frame.c === kept.c) {
        desk = { ...desk, ...frame.desk };
        names.set(desk.agent, desk.name);
      }
      if (frame.typ && frame.c === kept.c && frame.typ !== me) {
        writer = { name: names.get(frame.typ) ?? text("agent"), until: Date.now() + TYPING_MS };
        setTimeout(draw, TYPING_MS + 50);
      }
    },
    ack: (frame) => {
      kept.out = kept.out.filter((entry) => entry.cid !== frame.cid);
      keep();
      under_way = "";
      flow();
    },
    nack: (frame) => {
      under_way = "";
      if (frame.retry !== undefined) {
        setTimeout(flow, Math.max(0.3, frame.retry) * 1000);
        return;
      }
      const entry = kept.out.find((each) => each.cid === frame.cid);
      if (entry) {
        entry.failed = frame.code;
      }
      keep();
      flow();
    },
    ping: () => put({ t: "pong" }),
    bye: () => lost(),
  };

  function settle(id, how, value) {
    waiting.get(id)?.[how](value);
    waiting.delete(id);
  }

  function takeAll(frame) {
    const found = log(frame.c);
    frame.ev.forEach(take);
    found.first = frame.first;
    while (found.events.has(found.last + 1)) {
      found.last += 1;
    }
  }

  function take(event) {
    const { events } = log(event.c);
    if (events.has(event.s)) {
      return;
    }
    events.set(event.s, event);
    if (event.f !== me && !names.has(event.f)) {
      names.set(event.f, undefined);
      ask("people.get", { ids: [event.f] }).then(({ people }) => {
        names.set(event.f, people[event.f]?.name);
        draw();
      }, () => names.delete(event.f));
    }
    if (event.f === me && event.k === "msg" && kept.out[0]?.cid === under_way && kept.out[0]?.text === event.b.text) {
      kept.out[0].is_seen = true;
    }
    if (event.k === "msg" && event.f !== me) {
      writer.until = 0;
    }
  }

  /** Ask how things stand: the place in the queue is told to those who are there, not to those who come back. */
  async function refresh() {
    if (kept.c) {
      try {
        const answer = await ask("desk.status", { c: kept.c });
        desk = { ...answer.desk, greeting: answer.greeting, offline: answer.offline };
        draw();
      } catch {
        // it is told again at the next turn of the desk
      }
    }
  }

  /** The token is nobody's any more: begin again. What was written and not sent stays in its field. */
  function forget() {
    kept = { token: "", c: 0, out: [] };
    keep();
    logs.clear();
    desk = {};
    const old = entered;
    entered = null;
    old?.reject(new Refusal("error"));
    lost();
  }

  // What a visitor does

  function newId() {
    return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function send(body) {
    kept.out.push({ cid: newId(), c: kept.c, ...body });
    keep();
    flow();
    draw();
    toEnd();
  }

  function flow() {
    const entry = kept.out.find((each) => !each.failed);
    if (entry && is_online && !under_way) {
      const b = entry.files ? { text: entry.text, files: entry.files } : { text: entry.text };
      under_way = put({ t: "send", cid: entry.cid, c: entry.c, k: "msg", b }) ? entry.cid : "";
    }
  }

  /** Come in, if not in yet, and have a conversation with the desk. op: desk.start or desk.form. */
  async function begin(op, values) {
    if (!kept.token) {
      const { token } = await post("/api/visitor", { name: values.name });
      kept.token = token;
      keep();
    }
    if (!is_online) {
      await connect();
    }
    ask("me.set", { lang: LANGUAGE }).catch(() => {});
    const page = (IS_FULL ? document.referrer : location.href).slice(0, 500);
    const answer = await ask(op, { ...values, name: values.name || undefined, page });
    kept.c = answer.c;
    desk = answer.desk ?? {};
    keep();
    refresh();
  }

  function markRead() {
    const found = log();
    if (kept.c && is_opened && document.visibilityState === "visible" && found.last > found.read) {
      found.read = found.last;
      put({ t: "mark", c: kept.c, read: found.last });
    }
  }

  // What is to be seen

  let is_opened = IS_FULL;
  let site = null; // the answer of /api/public
  let shown = null; // which of the views
  let has_changed = false; // whether a score was given here, now
  const rows = new Map();
  const host = h("div", { "data-portico": true });
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(CSS);
  root.adoptedStyleSheets = [sheet];

  const badge = h("b", { hidden: true });
  const bubble = h("button", { class: "bubble", type: "button", onclick: open, "aria-haspopup": "dialog" },
    icon("chat"), h("span", {}, text("open")), badge);
  const title = h("b");
  const subtitle = h("small", { role: "status" });
  const state = h("div", { class: "state", role: "status", hidden: true });
  const main = h("main");
  main.style.display = "contents";
  const panel = h("section", { class: IS_FULL ? "panel full" : "panel", role: IS_FULL ? undefined : "dialog", "aria-label": text("open"), lang: LANGUAGE, hidden: !IS_FULL },
    h("header", {}, h("div", {}, title, subtitle),
      !IS_FULL && h("button", { type: "button", title: text("close"), "aria-label": text("close"), onclick: close }, icon("close"))),
    state, main);
  panel.addEventListener("keydown", (event) => event.key === "Escape" && !IS_FULL && !event.isComposing && close());

  const list = h("div", { class: "log", role: "log", "aria-live": "polite", tabindex: 0, "aria-label": text("open") });
  const typing = h("div", { class: "typing" });
  const rating = h("div", { class: "rating", hidden: true });
  const wrong = h("p", { class: "wrong", role: "alert" });
  const field = h("textarea", { rows: 1, "aria-label": text("write"), placeholder: text("write"), onkeydown: key, oninput: isTyping });
  const chooser = h("input", { type: "file", hidden: true, onchange: upload });
  const clip = h("button", { class: "tool", type: "button", title: text("attach"), "aria-label": text("attach"), onclick: () => chooser.click() }, icon("clip"));
  const writing = h("div", { class: "write" }, chooser, clip, field,
    h("button", { class: "main", type: "button", title: text("send"), "aria-label": text("send"), onclick: submit }, icon("send")));

  function phase() {
    const events = [...log().events.values()].sort((one, other) => one.s - other.s);
    const last = events.filter((event) => ["state", "assign"].includes(event.k)).pop();
    return { events, stage: last ? (last.k === "assign" ? "open" : last.b.state) : (desk.state ?? "queued"), agent: last?.k === "assign" ? last.f : desk.agent };
  }

  function draw() {
    title.textContent = site?.title ?? "";
    state.hidden = is_online || !kept.token;
    state.textContent = text("offline");
    clip.hidden = !site?.files;
    if (!kept.c) {
      show(site ? (site.open === false ? "form" : "start") : "");
      subtitle.textContent = "";
      return;
    }
    const { events, stage, agent } = phase();
    const read = log().read;
    const unread = events.filter((event) => event.k === "msg" && event.f !== me && event.s > read).length;
    badge.hidden = !unread;
    badge.textContent = unread;
    bubble.setAttribute("aria-label", unread ? `${text("open")}, ${text("unread", { n: unread })}` : text("open"));
    if (!is_opened) {
      return;
    }
    show("talk");
    subtitle.textContent = standing(stage, agent);
    typing.textContent = writer.until > Date.now() ? text("typing", { name: writer.name }) : "";
    const is_at_end = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
    place(describe(events));
    drawRating(stage, events);
    if (is_at_end) {
      toEnd();
    }
    markRead();
  }

  function standing(stage, agent) {
    if (stage === "open") {
      const name = names.get(agent) ?? desk.name;
      return name ? text("with", { name }) : "";
    }
    if (stage === "closed") {
      return text("over");
    }
    if (desk.open === false) {
      return desk.opens ? text("opens", { at: moment(desk.opens) }) : text("away");
    }
    const place = desk.pos === 1 ? text("next") : desk.pos ? text("place", { pos: desk.pos, before: desk.pos - 1 }) : text("waiting");
    const eta = desk.eta ? (desk.eta < 60 ? text("eta_s") : text("eta", { n: Math.ceil(desk.eta / 60) })) : "";
    return LANGUAGE === "zh" ? place + eta : `${place} ${eta}`.trim();
  }

  function describe(events) {
    const found = [];
    const edits = new Map(events.filter((event) => event.k === "edit").map((event) => [event.ref, event.b.text]));
    const gone = new Set(events.filter((event) => event.k === "del").map((event) => event.ref));
    let last = null;
    if (events.length && events[0].s > log().first) {
      found.push({ key: "older", sign: events[0].s, make: () => h("button", { class: "sys older", type: "button", onclick: () => older(events[0].s) }, text("older")) });
    }
    const greeting = desk.open === false ? desk.offline : desk.greeting;
    if (greeting) {
      found.push({ key: "greeting", sign: greeting, make: () => h("div", { class: "sys" }, linked(greeting)) });
    }
    for (const event of events) {
      if (event.k === "msg") {
        const is_head = last?.f !== event.f || event.at - last.at > 300_000;
        const body = { text: edits.get(event.s) ?? event.b.text ?? "", files: event.b.files ?? [] };
        const is_gone = gone.has(event.s) || (!body.text && !body.files.length);
        const name = event.f === me ? text("you") : names.get(event.f) ?? text("agent");
        const sign = JSON.stringify([is_head, body, is_gone, name]);
        found.push({ key: event.s, sign, make: () => message(event, body, { is_head, is_gone, name, is_edited: edits.has(event.s) }) });
        last = event;
      } else if (event.k === "assign" || (event.k === "state" && event.b.state === "closed") || event.k === "transfer") {
        const key = { assign: "joined", state: "over", transfer: "moved" }[event.k];
        const said = text(event.k === "transfer" && event.b.agent ? "joined" : key, { name: names.get(event.b.agent ?? event.f) ?? text("agent") });
        found.push({ key: event.s, sign: said, make: () => h("div", { class: "sys" }, said) });
        last = null;
      }
    }
    for (const entry of kept.out.filter((each) => each.c === kept.c && !each.is_seen)) {
      found.push({ key: entry.cid, sign: String(entry.failed), make: () => unsent(entry) });
    }
    return found;
  }

  function message(event, body, { is_head, is_gone, name, is_edited }) {
    const clock = new Intl.DateTimeFormat(LANGUAGE, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(event.at);
    return h("div", { class: `msg ${event.f === me ? "mine" : ""} ${is_head ? "head" : ""} ${is_gone ? "gone" : ""}` },
      is_head && h("small", {}, `${name} · ${clock}${is_edited ? ` · ${text("edited")}` : ""}`),
      is_gone ? h("p", {}, text("deleted")) : body.text && h("p", { dir: "auto" }, linked(body.text)),
      !is_gone && body.files.map((id) => h("button", { class: "file", type: "button", onclick: () => download(id) }, icon("clip"), files.get(id) ?? `${text("file")} ${id}`)));
  }

  function unsent(entry) {
    return h("div", { class: "msg mine wait head" }, h("p", {}, entry.text || text("file")),
      entry.failed
        ? h("button", { class: "fail", type: "button", onclick: () => again(entry) }, text("failed"))
        : h("small", {}, text("unsent")));
  }

  function again(entry) {
    delete entry.failed;
    entry.cid = newId();
    keep();
    flow();
    draw();
  }

  function place(found) {
    const keys = new Set(found.map(({ key }) => key));
    rows.forEach((row, key) => keys.has(key) || (row.element.remove(), rows.delete(key)));
    let next = list.firstChild;
    for (const { key, sign, make } of found) {
      const known = rows.get(key);
      if (known?.sign !== sign) {
        const element = make();
        rows.set(key, { element, sign });
        if (known) {
          next = known.element === next ? element : next;
          known.element.replaceWith(element);
        } else {
          list.insertBefore(element, next);
          continue;
        }
      }
      const { element } = rows.get(key);
      if (element !== next) {
        list.insertBefore(element, next);
      } else {
        next = next.nextSibling;
      }
    }
  }

  function toEnd() {
    list.scrollTop = list.scrollHeight;
  }

  function drawRating(stage, events) {
    const given = events.filter((event) => event.k === "rating").pop();
    rating.hidden = stage !== "closed" || (given && !has_changed && given.s < log().last);
    const score = given?.b.score ?? 0;
    const sign = JSON.stringify([score, given?.b.text, rating.hidden]);
    if (rating.hidden || rating.dataset.sign === sign) {
      return;
    }
    rating.dataset.sign = sign;
    const stars = [1, 2, 3, 4, 5].map((n) => h("button", { type: "button", class: n <= score && "on", "aria-label": text("score", { n }),
      "aria-pressed": String(n === score), onclick: () => rate(n, given?.b.text ?? "") }, icon("star")));
    const comment = h("input", { "aria-label": text("comment"), placeholder: text("comment"), maxlength: 1000 });
    rating.replaceChildren(h("p", {}, text(score ? "thanks" : "rate")), h("div", { class: "stars", role: "group" }, stars),
      score && !given.b.text
        ? h("form", { onsubmit: (event) => (event.preventDefault(), rate(score, comment.value)) }, comment, h("button", { class: "main" }, text("send")))
        : h("small", {}, text("again")));
  }

  function rate(score, comment) {
    has_changed = true;
    attempt(() => ask("desk.rate", { c: kept.c, score, text: comment }));
  }

  function show(view) {
    if (shown === view) {
      return;
    }
    shown = view;
    wrong.textContent = "";
    if (view === "talk") {
      main.replaceChildren(list, typing, rating, wrong, writing);
      toEnd();
    } else {
      main.replaceChildren(view ? entry(view === "form") : h("div", { class: "log" }, wrong));
    }
    focus();
  }

  function entry(is_form) {
    const name = h("input", { name: "name", maxlength: 40, autocomplete: "name" });
    const contact = h("input", { name: "contact", maxlength: 200, autocomplete: "email" });
    const question = h("textarea", { name: "text", rows: 4, maxlength: MAX_TEXT, required: true });
    const button = h("button", { class: "main" }, text(is_form ? "leave" : "start"));
    const onsubmit = async (event) => {
      event.preventDefault();
      const written = question.value.trim();
      if (!written) {
        question.focus();
        return;
      }
      button.disabled = true;
      await attempt(async () => {
        if (is_form) {
          await begin("desk.form", { text: written, name: name.value.trim(), contact: contact.value.trim(), queue: QUEUE });
        } else {
          await begin("desk.start", { name: name.value.trim(), queue: QUEUE });
          send({ text: written });
        }
      });
      button.disabled = false;
      draw();
    };
    return h("form", { class: "body", onsubmit },
      h("h2", {}, text(is_form ? "away" : "hello")),
      h("label", {}, h("span", {}, text("name")), name),
      h("label", {}, h("span", {}, text("first")), question),
      is_form && h("label", {}, h("span", {}, text("contact")), contact),
      wrong, button);
  }

  async function attempt(work) {
    wrong.textContent = "";
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Refusal)) {
        throw error;
      }
      wrong.textContent = text(REFUSALS[error.code] ?? "error");
    }
  }

  function submit() {
    const written = field.value.trim();
    if (written) {
      field.value = "";
      send({ text: written.slice(0, MAX_TEXT) });
      field.focus();
    }
  }

  function key(event) {
    const is_touch = matchMedia("(pointer: coarse)").matches;
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229 && !is_touch) {
      event.preventDefault();
      submit();
    }
  }

  function isTyping() {
    if (field.value.trim() && Date.now() - typed_ms > 3_000) {
      typed_ms = Date.now();
      put({ t: "typ", c: kept.c });
    }
  }

  async function upload() {
    const [file] = chooser.files;
    chooser.value = "";
    await attempt(async () => {
      const headers = { Authorization: `Bearer ${kept.token}`, "Content-Type": "application/octet-stream" };
      const { id, name } = await call(`/api/files?name=${encodeURIComponent(file.name)}`, { method: "POST", headers, body: file });
      files.set(id, name);
      send({ text: "", files: [id] });
    });
  }

  async function download(id) {
    await attempt(async () => {
      const { links } = await post("/api/downloads", { files: [id] });
      h("a", { href: ORIGIN + links[id], target: "_blank", rel: "noopener" }).click();
    });
  }

  function older(before) {
    attempt(() => request({ t: "get", c: kept.c, before, limit: 50 }).then(draw));
  }

  async function readSite() {
    if (!site) {
      await attempt(async () => {
        site = await call("/api/public");
      });
      document.title = IS_FULL && site ? site.title : document.title;
      draw();
      if (!site && is_opened) {
        setTimeout(readSite, ANSWER_MS);
      }
    }
  }

  function focus() {
    if (is_opened && !IS_FULL) {
      (main.querySelector("input:not([hidden]), textarea") ?? list).focus({ preventScroll: true });
    }
  }

  function open() {
    is_opened = true;
    panel.hidden = false;
    bubble.hidden = true;
    draw();
    readSite();
    toEnd();
    focus();
  }

  function close() {
    is_opened = false;
    panel.hidden = true;
    bubble.hidden = false;
    bubble.focus();
  }

  function begun() {
    document.body.append(host);
    root.append(...(IS_FULL ? [panel] : [bubble, panel]));
    document.addEventListener("visibilitychange", wake);
    addEventListener("online", wake);
    if (kept.token) {
      connect().catch(() => {}); // who opened it once is told of answers
    }
    if (IS_FULL) {
      document.documentElement.lang = LANGUAGE;
      open();
    }
  }

  if (document.body) {
    begun();
  } else {
    document.addEventListener("DOMContentLoaded", begun);
  }
})();
