// What the pages say, in English and in Chinese. A page adds its own with `add`.
//
// text(key, values) returns a text, with {name} replaced by values.name; the key itself where there is none.

const KEPT = "portico.chat.lang";
const LANGUAGES = ["en", "zh"];
const TEXTS = {
  "error.auth": ["Please sign in again.", "请重新登录。"],
  "error.bad_login": ["A login has letters, digits and . _ - @ only.", "登录名只能包含字母、数字和 . _ - @。"],
  "error.bad_name": ["A name has 1 to 40 characters.", "名字为 1 到 40 个字。"],
  "error.bad_address": ["That is no address: write udp://192.168.1.8:8081 or http://192.168.1.8:8000.", "地址写法不对，请写成 udp://192.168.1.8:8081 或 http://192.168.1.8:8000。"],
  "error.bad_body": ["This cannot be sent: it has characters that are none.", "内容含有无法发送的字符。"],
  "error.bad_password": ["A password has 8 to 200 characters.", "密码为 8 到 200 个字符。"],
  "error.bad_rating": ["A rating is 1 to 5.", "评分为 1 到 5。"],
  "error.bad_ref": ["The message is not there, or has been deleted.", "没有这条消息，或已被删除。"],
  "error.bad_until": ["This time is not possible.", "不能选这个时间。"],
  "error.failed": ["Something went wrong at the server, and has been noted.", "服务器出错了，已作记录。"],
  "error.no_contact": ["There is no such name in your book.", "通讯录里没有这个名字。"],
  "error.no_conversation": ["There is no such conversation.", "没有这个会话。"],
  "error.no_device": ["There is no such device, or it is signed out already.", "没有这台设备，或已退出登录。"],
  "error.no_file": ["The file is not there any more.", "文件已不存在。"],
  "error.no_person": ["There is no such person, or the account is closed.", "没有这个人，或账号已停用。"],
  "error.no_queue": ["There is no such queue.", "没有这个队列。"],
  "error.not_closed": ["The conversation is not over yet.", "会话尚未结束。"],
  "error.origin": ["Pages of other sites may not do this.", "其他网站的页面不能这样做。"],
  "error.bad_title": ["A title has 1 to 60 characters.", "名称为 1 到 60 个字。"],
  "error.empty": ["There is nothing in the message.", "消息是空的。"],
  "error.blocked": ["You have been blocked here.", "你已被屏蔽。"],
  "error.closed": ["This conversation has been closed.", "会话已结束。"],
  "error.forbidden": ["You are not allowed to do that.", "你没有权限这样做。"],
  "error.full": ["The room is full.", "房间已满。"],
  "error.no_clipboard": ["The browser does not let this page copy. Select the text instead.", "浏览器不允许此页面复制，请选中文字后复制。"],
  "error.not_yours": ["Only who wrote it can change it.", "只有发送者本人可以修改。"],
  "error.offline": ["No connection at the moment. Try again when it is back.", "暂时没有连接，恢复后请再试。"],
  "error.password": ["Login or password is not right.", "登录名或密码不对。"],
  "error.rate": ["Too fast. Wait a moment.", "操作太快，请稍等一下。"],
  "error.taken": ["Somebody has that already; choose another.", "已被占用，请换一个。"],
  "error.timeout": ["The server does not answer. Try again.", "服务器没有回应，请再试一次。"],
  "error.too_big": ["That is too large.", "内容太大。"],
  "error.unavailable": ["The server cannot store anything now. Try again soon.", "服务器暂时无法保存，请稍后再试。"],
  "error.unknown": ["That did not work.", "没有成功。"],
  "error.unknown_op": ["This server does not offer that.", "这台服务器没有这项功能。"],

  comma: [", ", "、"],
  add: ["Add", "添加"],
  cancel: ["Cancel", "取消"],
  close: ["Close", "关闭"],
  copy: ["Copy", "复制"],
  copied: ["Copied", "已复制"],
  delete: ["Delete", "删除"],
  done: ["Done", "完成"],
  edit: ["Edit", "编辑"],
  name: ["Name", "名字"],
  language: ["Language", "语言"],
  retry: ["Try again", "重试"],
  save: ["Save", "保存"],
  saved: ["Saved", "已保存"],
  search: ["Search", "搜索"],
  send: ["Send", "发送"],
  sure: ["Are you sure?", "确定吗？"],
  today: ["Today", "今天"],
  yesterday: ["Yesterday", "昨天"],
  you: ["you", "你"],
  somebody: ["somebody", "某人"],

  "state.connecting": ["Connecting…", "连接中……"],
  "state.online": ["Connected", "已连接"],
  "state.waiting": ["No connection; trying again…", "连接已断开，正在重试……"],
  "state.ended": ["Not connected", "未连接"],
  "state.try": ["Try now", "立即重试"],

  "signin.title": ["Sign in", "登录"],
  "signin.login": ["Login", "登录名"],
  "signin.password": ["Password", "密码"],
  "signin.link": ["This link signs you in on this device, once.", "此链接可让这台设备登录，只能用一次。"],
  "signin.link_bad": ["The link has been used already, or its time is over. Ask for another one.", "链接已用过或已过期，请再要一个。"],
  "signin.again": ["You have been signed out. Sign in again.", "你已退出，请重新登录。"],
  "signup.title": ["Make an account", "注册账号"],
  "signup.have": ["I have an account", "已有账号"],
  "signup.name": ["Name that others see", "别人看到的名字"],

  "thread.typing": ["{names} is writing…", "{names} 正在输入……"],
  "thread.typing_many": ["{names} are writing…", "{names} 正在输入……"],
  "thread.older": ["Load older messages", "加载更早的消息"],
  "thread.gap": ["Messages are missing here. Load them", "这里有未加载的消息，点击加载"],
  "thread.begin": ["This is where it begins.", "会话从这里开始。"],
  "thread.new": ["New", "以下为新消息"],
  "thread.deleted": ["Message deleted", "消息已删除"],
  "thread.edited": ["edited", "已编辑"],
  "thread.unsent": ["Waiting to be sent", "等待发送"],
  "thread.failed": ["Not sent: {why}", "未发送：{why}"],
  "thread.discard": ["Discard", "放弃"],
  "thread.sent": ["Sent", "已发送"],
  "thread.got": ["Delivered to {names}", "已送达 {names}"],
  "thread.read": ["Read by {names}", "{names} 已读"],
  "thread.reply": ["Reply", "回复"],
  "thread.reply_to": ["Reply to {name}", "回复 {name}"],
  "thread.react": ["React", "表情回应"],
  "thread.more": ["More", "更多"],
  "thread.gone": ["an earlier message", "更早的一条消息"],
  "thread.file": ["File", "文件"],
  "thread.bottom": ["To the newest", "回到最新"],
  "thread.messages": ["Messages", "消息"],
  "via.ws": ["web", "网页"],
  "via.tcp": ["tty", "终端"],
  "via.udp": ["udp", "UDP"],
  "via.about.ws": ["in a browser", "使用网页"],
  "via.about.tcp": ["at a terminal, over TCP", "通过终端（TCP）"],
  "via.about.udp": ["a program that sends datagrams, over UDP", "通过 UDP 程序"],

  "thread.delete_sure": ["Delete this message for everybody?", "要为所有人删除这条消息吗？"],

  "compose.label": ["Write a message", "写消息"],
  "compose.attach": ["Attach files", "添加文件"],
  "compose.drop": ["Drop to attach", "松开即可添加"],
  "compose.editing": ["Change the message", "修改消息"],
  "compose.failed": ["not uploaded", "上传失败"],
  "compose.left": ["You have left; what was said until then stays here.", "你已离开，此前的消息仍可查看。"],
  "compose.picture": ["picture", "图片"],
  "compose.remove": ["Remove {name}", "移除 {name}"],
  "compose.uploading": ["uploading…", "上传中……"],

  "file.gone": ["This file is not there any more", "文件已不存在"],
  "file.loading": ["File…", "文件……"],

  "event.join": ["{name} joined", "{name} 加入了"],
  "event.invited": ["{by} brought {name} in", "{by} 邀请 {name} 加入"],
  "event.leave": ["{name} left", "{name} 离开了"],
  "event.removed": ["{by} took {name} out", "{by} 将 {name} 移出"],
  "event.state_queued": ["{by} waits for an agent", "{by} 正在等待客服"],
  "event.state_returned": ["The conversation went back to the queue", "会话已退回排队"],
  "event.state_reopened": ["The conversation was opened again", "会话已重新打开"],
  "event.state_woken": ["The conversation is due again", "会话已到时，重新排队"],
  "event.state_snoozed": ["{by} put the conversation off", "{by} 将会话延后处理"],
  "event.state_closed": ["{by} ended the conversation", "{by} 结束了会话"],
  "event.state_offered": ["Offered to {agent}", "已分配给 {agent}，等待接受"],
  "event.state_declined": ["{agent} declined", "{agent} 未接受"],
  "event.state_expired": ["{agent} did not answer in time", "{agent} 未及时响应"],
  "event.title": ["{name} called the room “{title}”", "{name} 将房间改名为“{title}”"],
};

/** Add texts of a page: key to [English, Chinese]. */
export function add(texts) {
  Object.assign(TEXTS, texts);
}

/** Return the language of the page: "en" or "zh-CN". */
export function language() {
  return chosen() === "zh" ? "zh-CN" : "en";
}

/** Choose a language, "en" or "zh", or "" for the browser's own; a page that is loaded anew speaks it. */
export function choose(name) {
  try {
    if (LANGUAGES.includes(name)) {
      localStorage.setItem(KEPT, name);
    } else {
      localStorage.removeItem(KEPT);
    }
  } catch {
    current = LANGUAGES.includes(name) ? name : ""; // no storage: it lasts as long as the page
  }
  document.documentElement.lang = language();
}

/** Return what has been chosen: "en", "zh", or "" for the browser's own. */
export function choice() {
  try {
    return localStorage.getItem(KEPT) ?? current;
  } catch {
    return current;
  }
}

let current = "";

function chosen() {
  const kept = choice();
  if (LANGUAGES.includes(kept)) {
    return kept;
  }
  const first = (navigator.languages ?? [navigator.language]).find((each) => LANGUAGES.includes(each.slice(0, 2)));
  return first?.slice(0, 2) ?? "en";
}

/** Return a text in the language of the page. */
export function text(key, values = {}) {
  const found = TEXTS[key]?.[LANGUAGES.indexOf(chosen())] ?? key;
  return found.replaceAll(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}
