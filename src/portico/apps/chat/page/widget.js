// The chat of a visitor, on any site: <script src="https://HOST/widget.js" async></script>.
//
//   this file        a button in a Shadow DOM: nothing is stored, nobody is told anything
//   pressed          widget/panel.js, and what it needs, comes from where this file came from
//
// Who has opened it before has a token in the localStorage of the page that shows it: for that visitor the rest comes at
// once, so that the button tells of answers. data-lang="zh" or "en" and data-queue="2" on the script choose; data-full
// makes it the whole page. All of it has fixed colours of its own, and takes nothing of the page's.
(() => {
  "use strict";
  const script = document.currentScript;
  const { origin } = new URL(script.src);
  const is_full = "full" in script.dataset;
  const asked = [script.dataset.lang, ...(navigator.languages ?? [navigator.language])].filter(Boolean);
  const language = (asked.find((each) => /^(en|zh)/.test(each)) ?? "en").slice(0, 2);
  const [OPEN, WAIT, FAILED] = language === "zh"
    ? ["在线咨询", "正在打开……", "无法打开，点击重试"]
    : ["Chat with us", "Opening…", "Could not be opened. Try again"];

  const CSS = `
:host { all: initial; direction: ltr; --bg: #fdfcfa; --raised: #fff; --tint: #f5f2ed; --line: #eae6e0; --ink: #262320; --dim: #6e6861;
  --accent: #a84a22; --on: #fff; --mine: #f6e6dc; --note: #fbf3d9; --bad: #a8323a; color-scheme: light dark; }
@media (prefers-color-scheme: dark) { :host { --bg: #191817; --raised: #211f1d; --tint: #272422; --line: #34302d; --ink: #ebe7e2;
  --dim: #a19a92; --accent: #e9956a; --on: #2a1408; --mine: #43291c; --note: #38311d; --bad: #f08d8d; } }
* { box-sizing: border-box; margin: 0; font: 15px/1.5 system-ui, "Segoe UI", Roboto, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; }
[hidden] { display: none !important; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
svg { width: 22px; height: 22px; flex: none; fill: none; stroke: currentColor; stroke-width: 1.7; stroke-linecap: round; stroke-linejoin: round; }
button { color: inherit; background: none; border: 0; padding: 0; cursor: pointer; }
.bubble { position: fixed; inset: auto 20px 20px auto; z-index: 2147483000; display: flex; align-items: center; gap: 8px; height: 52px;
  padding: 0 18px; border-radius: 26px; background: var(--accent); color: var(--on); box-shadow: 0 2px 6px #0003, 0 10px 30px #0003; }
.bubble span { font-weight: 600; }
.bubble b { min-width: 20px; padding: 0 6px; border-radius: 10px; background: var(--on); color: var(--accent); font-size: 12px; line-height: 20px; font-weight: 700; text-align: center; }
@media (max-width: 480px) { .bubble { inset: auto 14px 14px auto; } }
@media (forced-colors: active) { .bubble { border: 1px solid; } }`;

  function make(tag, values = {}) {
    return Object.assign(document.createElement(tag), values);
  }

  const host = make("div");
  host.dataset.portico = "";
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(CSS);
  root.adoptedStyleSheets = [sheet];

  const label = make("span", { textContent: OPEN });
  const badge = make("b", { hidden: true });
  const bubble = make("button", { className: "bubble", type: "button", ariaHasPopup: "dialog", onclick: open });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", "M4 5.500h16v11H10l-4 3.500v-3.500H4z");
  svg.append(path);
  bubble.append(svg, label, badge);

  let loading = null;
  let tries = 0;

  /** Load the rest, once; resolves with the panel. */
  function load() {
    const queue = Number(script.dataset.queue) || undefined;
    const again = tries++ ? `?${tries}` : ""; // what could not be had is not asked for again under the same address
    loading ??= import(`${origin}/page/widget/panel.js${again}`).then(
      ({ Panel }) => new Panel({ root, bubble, badge, open: OPEN, language, queue, is_full }),
      (error) => {
        loading = null;
        throw error;
      },
    );
    return loading;
  }

  async function open() {
    label.textContent = WAIT;
    try {
      const panel = await load();
      label.textContent = OPEN;
      panel.open();
    } catch {
      label.textContent = FAILED;
    }
  }

  function isKnown() {
    try {
      return Boolean(JSON.parse(localStorage.getItem(`portico.visitor ${origin}`)).token);
    } catch {
      return false; // no storage, or nothing in it
    }
  }

  function begin() {
    document.body.append(host);
    if (is_full) {
      document.documentElement.lang = language;
      open();
      return;
    }
    root.append(bubble);
    if (isKnown()) {
      load().catch(() => {}); // it is tried again when somebody wants it
    }
  }

  if (document.body) {
    begin();
  } else {
    document.addEventListener("DOMContentLoaded", begin);
  }
})();
