// What the shared note says.

import { add } from "./texts.js";

add({
  "note.title": ["Shared note", "共享笔记"],
  "note.open": ["Shared note", "共享笔记"],
  "note.close": ["Close the note", "关闭笔记"],
  "note.label": ["Text of the note", "笔记内容"],
  "note.empty": ["Write down what everybody here should have at hand. All of you can write at once.", "把大家要随时查看的内容写在这里，所有人可以同时编辑。"],
  "note.loading": ["One moment…", "请稍候……"],
  "note.saved": ["Saved", "已保存"],
  "note.saving": ["Saving…", "保存中……"],
  "note.offline": ["No connection. What you write is kept here and sent later.", "连接已断开。你写的内容会先保留在本机，恢复连接后自动同步。"],
  "note.offline_saved": ["No connection", "连接已断开"],
  "note.left": ["You are not in this conversation any more.", "你已不在这个会话中。"],
  "note.too_big": ["The note is too long. Take something out.", "笔记太长了，请删掉一些内容。"],
  "note.refused": ["Not saved: {why}", "未保存：{why}"],
  "note.writing": ["{names} is writing…", "{names} 正在编辑……"],
  "note.writing_many": ["{names} are writing…", "{names} 正在编辑……"],
  "note.changed": ["Last changed by {name}, {when}", "最后修改：{name}，{when}"],
  "note.here": ["Has it open: {names}", "正在查看：{names}"],
  "event.note": ["{name} has changed the shared note", "{name} 更新了共享笔记"],
});
