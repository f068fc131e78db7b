// How the panel of the widget looks; the colours and the button are the loader's, widget.js.

export const CSS = `
button:disabled { opacity: .5; cursor: default; }
.panel { position: fixed; inset: auto 20px 20px auto; z-index: 2147483001; display: flex; flex-direction: column; width: 380px; max-width: calc(100vw - 40px);
  height: min(620px, calc(100dvh - 40px)); overflow: hidden; border: 1px solid var(--line); border-radius: 18px; background: var(--bg); color: var(--ink);
  box-shadow: 0 2px 8px #0002, 0 18px 60px #0004; overflow-wrap: anywhere; }
.panel.full { inset: 0; width: auto; max-width: none; height: 100dvh; border: 0; border-radius: 0; }
.full > *, .full > main > * { width: 100%; max-width: 44rem; margin-inline: auto; }
.full .sys { width: auto; }
main { display: contents; }
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
  input, textarea { font-size: 16px; } }
@media (prefers-reduced-motion: no-preference) { .panel { animation: in .18s ease-out; } @keyframes in { from { opacity: 0; transform: translateY(10px); } } }
@media (forced-colors: active) { .msg p { border: 1px solid; } }`;
