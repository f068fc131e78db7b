"""How the chat reads where there is nothing but lines of text: phrases in two languages, and events as lines.

In: a phrase's name and its values, or an event as a frame has it. Out: lines. What people wrote is in them as they
wrote it, but for line feeds: `wire.lines.printable` is for whoever sends a line, and what stands behind a line feed is
set in, so that nobody's text begins a line as if it were somebody else's.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from typing import Any, Final

Frame = Mapping[str, Any]
LANGUAGES: Final = ("en", "zh")
TICK: Final = "✓"
_SET_IN: Final = "        "

_PHRASES: Final[Mapping[str, tuple[str, str]]] = {
    "welcome_desk": (
        "Welcome. Type text to talk to the desk, /help for commands.",
        "欢迎。直接输入文字即可联系客服，/help 查看命令。",
    ),
    "welcome_rooms": (
        "Welcome. /login NAME to come in, /help for commands.",
        "欢迎。请用 /login 登录名 登录，/help 查看命令。",
    ),
    "you_are": ("You are {name}.", "您是 {name}。"),
    "come_back": ("To come back to this conversation: /token {token}", "断开后想继续这次会话：/token {token}"),
    "bye": ("Bye.", "再见。"),
    "earlier": ("{count} earlier lines, /history", "前面还有 {count} 条，/history 查看"),
    "not_kept": ("what was said before is not kept any more", "更早的消息已过保留期"),
    "joined": ("{who} has joined", "{who} 加入了"),
    "brought": ("{by} has brought {who} in", "{by} 邀请 {who} 加入了"),
    "left": ("{who} has left", "{who} 离开了"),
    "you_left": ("You have left {place}.", "您已离开 {place}。"),
    "removed": ("{by} has taken {who} out", "{by} 将 {who} 移出了"),
    "titled": ("{who} calls this now: {title}", "{who} 将名称改为：{title}"),
    "edited": ("{who} has changed #{ref}: {text}", "{who} 修改了 #{ref}：{text}"),
    "deleted": ("{who} has deleted #{ref}", "{who} 删除了 #{ref}"),
    "marked": ("{who} {mark} on #{ref}", "{who} 对 #{ref} {mark}"),
    "unmarked": ("{who} takes {mark} on #{ref} back", "{who} 取消了对 #{ref} 的 {mark}"),
    "gone": ("(deleted)", "（已删除）"),
    "changed": ("(edited)", "（已编辑）"),
    "not_in_export": ("(what was here before is not kept any more)", "（更早的消息已过保留期）"),
    "note_title": ("Shared note", "共享笔记"),
    "files": ("({count} files, which the page shows)", "（{count} 个文件，请在网页查看）"),
    "queued": ("waiting for somebody who answers", "正在等待客服接待"),
    "closed": ("the conversation is over; write on to open it again", "会话已结束，继续输入即可重新打开"),
    "snoozed": ("they will come back to this later", "客服稍后会继续跟进"),
    "offered": ("{who} is asked to take over", "已请 {who} 接手"),
    "refused": ("{who} did not take over", "{who} 未接手"),
    "assigned": ("{who} answers now", "{who} 为您服务"),
    "transferred": ("{who} has taken over", "已由 {who} 接手"),
    "requeued": ("passed on to another queue", "已转到其他队列"),
    "rated": ("{who} rates {score}/5 {text}", "{who} 评分 {score}/5 {text}"),
    "place": ("you are number {pos} in the queue", "您排在第 {pos} 位"),
    "place_eta": ("you are number {pos} in the queue, about {minutes} min", "您排在第 {pos} 位，大约 {minutes} 分钟"),
    "opens": ("nobody is here now; the desk opens {when}", "现在无人值班，{when} 开始服务"),
    "waits": ("#{number} {name} waits, /take {number}", "#{number} {name} 在等待，/take {number} 接待"),
    "waits_text": (
        "#{number} {name} waits, /take {number}: {text}",
        "#{number} {name} 在等待，/take {number} 接待：{text}",
    ),
    "nobody_waits": ("Nobody waits.", "没有人在等待。"),
    "talking": ("You talk to {place} now.", "现在与 {place} 对话。"),
    "nowhere": (
        "You are in no conversation: /list, then /room NAME or /msg NAME TEXT",
        "还没有选定会话：先 /list，再 /room 名称 或 /msg 用户 文字",
    ),
    "unknown_command": ("There is no command /{word}; /help shows all", "没有 /{word} 这个命令，/help 查看全部"),
    "usage": ("Say it so: {usage}", "用法：{usage}"),
    "no_place": (
        "There is no conversation {name} of yours; /list shows all",
        "您没有名为 {name} 的会话，/list 查看全部",
    ),
    "which": (
        "More than one is called {name}: {numbers}. Give the number: /to {first} TEXT",
        "叫 {name} 的不止一个：{numbers}。请用编号：/to {first} 文字",
    ),
    "no_person": ("Nobody here is called {name}", "这里没有叫 {name} 的人"),
    "password": ("Password:", "密码："),
    "done": ("Done.", "好了。"),
    "not_found": ("Nothing found.", "没有找到。"),
    "members_only": (
        "this is for who has an account here; administrators make one",
        "需要本站的账号，可请管理员开通",
    ),
    "no_guests": (
        "guests may not enter rooms here; an administrator can allow it",
        "这里的房间不对访客开放，管理员可以在设置里放开",
    ),
    "empty": ("There is nothing yet.", "还没有内容。"),
    "is_here": ("{name} (here)", "{name}（在线）"),
    "own_rooms": ("Your conversations:", "您的会话："),
    "public_rooms": ("Public rooms, /join NUMBER:", "公开的房间，/join 编号 加入："),
    "encoding": ("Text is {name} now.", "文字编码现为 {name}。"),
    "too_soon": ("{why} ({wait_s} s)", "{why}（{wait_s} 秒后再试）"),
    "desk": ("the desk", "客服"),
    "shared_note": ("The shared note of {place}:", "{place} 的共享笔记："),
    "note_added": ("Added to the shared note of {place}.", "已写入 {place} 的共享笔记。"),
    "no_note": (
        "Nobody has written a shared note in {place} yet; /note TEXT begins it",
        "{place} 还没有共享笔记，/note 文字 即可开始",
    ),
    "note_changed": ("{who} has changed the shared note, /note shows it", "{who} 更新了共享笔记，/note 查看"),
    "notes": ("notes on {name}", "{name} 的备注"),
    "page_only": ("This is for programs: /json on, a frame a line", "这是给程序用的：/json on，每行一帧"),
}

# What the server says in reply to what somebody may not do, by its word for programs.
_REASONS_ZH: Final[Mapping[str, str]] = {
    "auth": "登录名、密码或令牌不对",
    "forbidden": "没有权限",
    "rate": "太快了，请慢一点",
    "too_big": "文字太长",
    "bad_ref": "没有这条消息，或已被删除",
    "not_yours": "不是您的消息或会话",
    "empty": "内容为空",
    "taken": "已被他人占用或接待",
    "stale": "会话已有变化，请再看一下",
    "blocked": "已被禁止访问",
    "no_person": "没有这个人",
    "no_conversation": "没有这个会话",
    "no_case": "没有这个访客会话",
    "unknown_op": "这里没有这个功能",
    "closed": "会话已结束",
    "not_closed": "会话尚未结束",
    "bad_name": "名字不合规",
    "bad_title": "名称不合规",
    "bad_rating": "评分为 1 到 5",
    "not_offered": "已经不再邀请",
    "unavailable": "暂时无法保存，请稍后再试",
    "bad_address": "地址写法不对",
    "bad_block": "无法这样屏蔽",
    "bad_body": "内容格式不对",
    "bad_canned": "没有这条常用语，或写法不合规",
    "bad_cid": "消息编号不合规",
    "bad_hours": "营业时间写法不对",
    "bad_kind": "账号类型不对",
    "bad_language": "只支持中文和英文",
    "bad_login": "登录名不合规",
    "bad_password": "密码不合规",
    "bad_person": "不能选这个人",
    "bad_priority": "没有这个优先级",
    "bad_queue": "队列设置不合规",
    "bad_setting": "没有这项设置，或值不合规",
    "bad_state": "没有这个状态",
    "bad_tab": "没有这个列表",
    "bad_type": "内容类型不对",
    "bad_until": "时间不对",
    "cid_reuse": "这个编号已用于另一条消息",
    "failed": "服务器出错了，已作记录",
    "full": "已经满了",
    "last_admin": "至少要保留一名管理员",
    "no_block": "没有这条屏蔽",
    "no_contact": "通讯录里没有这个名字",
    "no_device": "没有这台设备，或已退出登录",
    "no_file": "没有这个文件",
    "no_queue": "没有这个队列",
    "not_here": "对方不在线",
    "origin": "其他网站的页面不能这样做",
    "proto": "格式不对",
    "unknown_kind": "不能发送这种内容",
    "unknown_type": "没有这种帧",
    "version": "不支持这个版本",
}


_TAKEN_BY: Final = "taken by "


def phrase(name: str, language: str, /, **values: object) -> str:
    """Return a phrase. name: a row of the table. language: one of LANGUAGES."""
    return _PHRASES[name][LANGUAGES.index(language)].format(**values)


def reason(code: str, why: str, language: str) -> str:
    """Return why something is not done. code: the word for programs. why: the line for people, in English."""
    if language != "zh":
        return why
    if code == "taken" and why.startswith(_TAKEN_BY):  # by whom is what counts
        return f"已由 {why.removeprefix(_TAKEN_BY)} 接待"
    return _REASONS_ZH.get(code, why)


def clock(at_ms: int, zone: tzinfo | None) -> str:
    """Return the time of day. at_ms: since 1970. zone: None for this machine's own."""
    return f"{datetime.fromtimestamp(at_ms / 1000, zone):%H:%M}"


def persons_in(event: Frame) -> set[int]:
    """Return whose names the lines of an event need."""
    body = event["b"]
    found = {event["f"], body.get("person"), body.get("agent")}
    return {person for person in found if isinstance(person, int)}


def lines_of(
    event: Frame, names: Mapping[int, str], language: str, *, zone: tzinfo | None, where: str = ""
) -> list[str]:
    """Return an event as lines, none for one that people need not see.

    names: of the persons in it. where: the conversation's name, where it is to be said; "" where it is not.
    """
    text = told(event, names, language)
    if not text:
        return []
    place = f"({where}) " if where else ""
    first, *others = text.replace("\r\n", "\n").split("\n")
    return [f"[{clock(event['at'], zone)}] {place}{first}", *(f"{_SET_IN}{line}" for line in others)]


def told(event: Frame, names: Mapping[int, str], language: str) -> str:
    """Return an event in words, without the time; "" for one that people need not see."""
    return _TOLD.get(event["k"], _nothing)(event, names, language)


def plain_text(event: Frame) -> str:
    """Return nothing but the text of a message, "" for any other event."""
    return str(event["b"].get("text", "")) if event["k"] == "msg" else ""


def parse_event(text: str) -> Frame:
    """Return what is in a frame that the server made itself."""
    frame: Frame = json.loads(text)
    return frame


# Kinds of events


def _message(event: Frame, names: Mapping[int, str], language: str) -> str:
    body = event["b"]
    parts = [body.get("text", "") if body else phrase("gone", language)]
    if body.get("files"):
        parts.append(phrase("files", language, count=len(body["files"])))
    return f"{names[event['f']]}: {' '.join(filter(None, parts))}"


def _join(event: Frame, names: Mapping[int, str], language: str) -> str:
    person, by = event["b"]["person"], event["f"]
    word = "joined" if person == by else "brought"
    return "*** " + phrase(word, language, who=names[person], by=names[by])


def _leave(event: Frame, names: Mapping[int, str], language: str) -> str:
    person, by = event["b"]["person"], event["f"]
    word = "left" if person == by else "removed"
    return "*** " + phrase(word, language, who=names[person], by=names[by])


def _title(event: Frame, names: Mapping[int, str], language: str) -> str:
    return "*** " + phrase("titled", language, who=names[event["f"]], title=event["b"]["title"])


def _shared_note(event: Frame, names: Mapping[int, str], language: str) -> str:
    return "*** " + phrase("note_changed", language, who=names[event["f"]])


def _edit(event: Frame, names: Mapping[int, str], language: str) -> str:
    if not event["b"]:  # deleted since
        return ""
    return "*** " + phrase("edited", language, who=names[event["f"]], ref=event["ref"], text=event["b"]["text"])


def _deletion(event: Frame, names: Mapping[int, str], language: str) -> str:
    return "*** " + phrase("deleted", language, who=names[event["f"]], ref=event["ref"])


def _reaction(event: Frame, names: Mapping[int, str], language: str) -> str:
    word = "marked" if event["b"]["on"] else "unmarked"
    return "*** " + phrase(word, language, who=names[event["f"]], mark=event["b"]["mark"], ref=event["ref"])


def _state(event: Frame, names: Mapping[int, str], language: str) -> str:
    body = event["b"]
    return "*** " + phrase(body["state"], language, who=names.get(body.get("agent", 0), ""))


def _assignment(event: Frame, names: Mapping[int, str], language: str) -> str:
    word = "transferred" if "from" in event["b"] else "assigned"  # from: who had it until then
    return "*** " + phrase(word, language, who=names[event["b"]["agent"]])


def _transfer(event: Frame, names: Mapping[int, str], language: str) -> str:
    # Where somebody asks a colleague, the offer itself says so.
    return "*** " + phrase("requeued", language) if "queue" in event["b"] else ""


def _rating(event: Frame, names: Mapping[int, str], language: str) -> str:
    body = event["b"]
    return "*** " + phrase("rated", language, who=names[event["f"]], score=body["score"], text=body["text"]).rstrip()


def _nothing(event: Frame, names: Mapping[int, str], language: str) -> str:
    return ""


_TOLD: Final[Mapping[str, Callable[[Frame, Mapping[int, str], str], str]]] = {
    "msg": _message,
    "edit": _edit,
    "del": _deletion,
    "react": _reaction,
    "join": _join,
    "leave": _leave,
    "title": _title,
    "note": _shared_note,
    "state": _state,
    "assign": _assignment,
    "transfer": _transfer,
    "rating": _rating,
}
