// What the widget says, in English and in Chinese.

const TEXTS = {
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
  later: ["We will come back to you here.", "我们稍后会在这里联系您。"],
  save: ["Save the conversation", "保存会话记录"],
  saved: ["conversation", "会话记录"],
  log: ["Messages", "消息"],
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
  foreign: ["The chat is not set up for {site} yet: this site is not among the sites of the chat.", "{site} 尚未开通在线咨询：聊天设置里没有添加这个网站。"],
  blocked: ["This chat is not available to you.", "您暂时无法使用咨询服务。"],
  unread: ["{n} new", "{n} 条新消息"],
};

let at = 0;

/** Choose the language: "en" or "zh". */
export function speak(language) {
  at = language === "zh" ? 1 : 0;
}

/** Return the language that is spoken. */
export function language() {
  return ["en", "zh"][at];
}

/** Return a text, with {name} in it replaced by values.name. */
export function text(key, values = {}) {
  return TEXTS[key][at].replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
