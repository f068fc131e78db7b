"""Every text the command line says, in English and in Simplified Chinese, and which of the two it is.

In: the environment, the key of a text, values for its places. Out: one line of text.
The help texts of options are rows of settings/, not of this table.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Language = Literal["en", "zh"]


class Text(NamedTuple):
    """One text. one: the English form where `n` is 1, "" where it is the same; Chinese has no plural."""

    en: str
    zh: str
    one: str = ""


TEXTS: dict[str, Text] = {
    # help
    "about": Text("the front door for whatever you serve from Python", "Python 一切服务的前门"),
    "titled": Text("{title}:", "{title}："),
    "usage": Text("Usage: {line}", "用法：{line}"),
    "commands": Text("Commands", "命令"),
    "commands-serve": Text("Serve", "提供服务"),
    "commands-services": Text("Ready services", "现成的服务"),
    "commands-clients": Text("Ask and talk", "请求与对话"),
    "examples": Text("Examples", "示例"),
    "serve-arguments": Text("What to share", "共享什么"),
    "run-arguments": Text("What to run", "运行什么"),
    "other": Text("Other", "其他"),
    "greet-arguments": Text("What to say", "问候什么"),
    "reply-arguments": Text("What to answer", "回复什么"),
    "own-options": Text("The service", "服务"),
    "Service": Text("Talking with people", "与人对话"),
    "Listen": Text("Where to listen", "监听位置"),
    "Files": Text("What is served, and how", "提供哪些内容，如何提供"),
    "App": Text("The application", "应用"),
    "Processes": Text("Processes", "进程"),
    "Messages": Text("WebSockets", "WebSocket"),
    "Trust": Text("Proxies in front", "前置代理"),
    "Log": Text("Access log", "访问日志"),
    "Limits": Text("Limits", "限制"),
    "http.server": Text("As in python -m http.server", "与 python -m http.server 相同"),
    "config-option": Text(
        "read options from this file (portico.toml, if there is one)", "从此文件读取选项（默认 portico.toml，若存在）"
    ),
    "help-option": Text("show this help", "显示本帮助"),
    "version-option": Text("show the version", "显示版本号"),
    "default": Text("default: {value}", "默认：{value}"),
    "environment": Text(
        "Each option can come from the environment: --{option} is PORTICO_{variable}, or "
        "PORTICO_{command}_{variable} for this command alone; several values go on lines of their own. "
        "PORTICO_LANG=en or zh chooses the language.",
        "每个选项都可以用环境变量设置：--{option} 对应 PORTICO_{variable}，只对本命令生效则用 "
        "PORTICO_{command}_{variable}；多个值各占一行。PORTICO_LANG=en 或 zh 选择语言。",
    ),
    "serve": Text("share a folder, a file, or several, over HTTP", "通过 HTTP 共享一个或多个文件夹、文件"),
    "serve-paths": Text(
        "a folder (default: the current one), a file (shares just it), or NAME=PATH; several appear side by side",
        "文件夹（默认为当前文件夹）、文件（只共享它自己）或 名称=路径；给出多个时并列显示",
    ),
    "serve-example-here": Text("this folder, for this machine alone", "当前文件夹，仅限本机访问"),
    "serve-example-lan": Text("for every device on this network", "供局域网内的所有设备访问"),
    "serve-example-several": Text("two folders under one address", "两个文件夹共用一个地址"),
    "serve-example-file": Text("just one file, on port 9000", "只共享一个文件，使用 9000 端口"),
    "run": Text("run an application (WSGI, ASGI) or your own service", "运行 WSGI、ASGI 应用，或你自己写的服务"),
    "run-app": Text(
        "module:attribute, as main:app, main:create_app() or main:service; without it the folder is searched",
        "应用或服务的名称，如 main:app、main:create_app() 或 main:service；省略则在文件夹中自动查找应用",
    ),
    "check": Text("say what would run, and where each setting comes from", "检查会运行什么，并列出每个设置的来源"),
    "check-example": Text("what portico run would do here", "portico run 在这里会怎么做"),
    "check-good": Text("{what} can be run", "{what} 可以运行"),
    "origin-line": Text("command line", "命令行"),
    "origin-environment": Text("environment {name}", "环境变量 {name}"),
    "origin-default": Text("default", "默认值"),
    "run-example-found": Text("the application of this folder, whatever it is called", "自动找到当前文件夹里的应用"),
    "run-example-named": Text("app in main.py", "main.py 里的 app"),
    "run-example-workers": Text("four processes under a supervisor", "由主进程看管的四个工作进程"),
    "run-example-reload": Text("what a function makes, anew when a file changes", "由函数创建，文件变化时重新启动"),
    "run-example-static": Text("with a folder beside it", "同时提供一个文件夹"),
    "run-example-service": Text("a datagram service of yours, over UDP", "你自己写的数据报服务，使用 UDP"),
    "serve-help": Text(
        "portico COMMAND --help tells more about a command", "portico 命令 --help 查看某个命令的详细说明"
    ),
    "module": Text(
        "serve a folder to every interface, as python -m http.server does",
        "像 python -m http.server 那样在所有网卡上共享文件夹",
    ),
    "module-port": Text("port (8000, or the next free one)", "端口（默认 8000，被占用则取下一个空闲端口）"),
    "module-bind": Text("address to listen on (all interfaces)", "监听地址（默认所有网卡）"),
    "module-directory": Text("folder to serve (the current one)", "要共享的文件夹（默认为当前文件夹）"),
    "module-protocol": Text(
        "HTTP/1.1, or HTTP/1.0: no connection waits for a next request",
        "HTTP/1.1，或 HTTP/1.0：连接不等待下一个请求",
    ),
    "module-commands": Text("the command line of Portico itself", "Portico 自己的命令行"),
    # services
    "greet": Text("send a text to whoever connects, and hang up (TCP)", "向每个连接者发送一段文字，然后断开（TCP）"),
    "greet-text": Text("the text; a line feed is added", "要发送的文字，末尾自动换行"),
    "greet-example": Text("greet whoever connects", "问候每个连接者"),
    "reply": Text("show each message, and answer it with a text (TCP)", "显示收到的每条消息，并回复一段文字（TCP）"),
    "reply-text": Text("the answer (ok, 问题正在处理中...)", "回复的文字（默认：ok, 问题正在处理中...）"),
    "reply-example": Text("show what arrives, and answer it", "显示收到的消息并回复"),
    "echo": Text("send back what arrives (TCP and UDP)", "原样送回收到的内容（TCP 与 UDP）"),
    "echo-example": Text("both on port 8000", "两者都在 8000 端口"),
    "time": Text("tell the time, in a form of your choice (UDP and TCP)", "报时，格式由对方指定（UDP 与 TCP）"),
    "time-example": Text("UDP and TCP on port 8000", "UDP 与 TCP 都在 8000 端口"),
    "time-zone": Text(
        "time zone, as Asia/Shanghai or +08:00 (this machine's)", "时区，如 Asia/Shanghai 或 +08:00（默认本机时区）"
    ),
    "temperature": Text("convert °C to °F, or back (UDP)", "摄氏与华氏温度换算（UDP）"),
    "temperature-example": Text("36.6 is answered with 97.88", "发来 36.6，答以 97.88"),
    "temperature-to": Text("the scale of the answers (f)", "换算成哪种温标（默认 f）"),
    "service-example-lan": Text("for every device on this network", "供局域网内的所有设备使用"),
    "service-example-try": Text("try it, in another terminal", "在另一个终端里试用"),
    "service-runs": Text("{what} service", "{what} 服务"),
    # start
    "serving": Text("serving {what}", "正在共享 {what}"),
    "read-only": Text("read-only", "只读"),
    "running": Text("running {what}", "正在运行 {what}"),
    "found-in": Text("found in {where}", "依据 {where} 找到"),
    "mounted": Text("{path} is {what}", "{path} 对应 {what}"),
    "asgi": Text("ASGI", "ASGI"),
    "stream": Text("a service for connections", "连接服务"),
    "datagram": Text("a service for datagrams", "数据报服务"),
    "wsgi-threads": Text("WSGI, {n} threads", "WSGI，{n} 个线程", one="WSGI, 1 thread"),
    "wsgi-loop": Text("WSGI, on the event loop", "WSGI，在事件循环中运行"),
    "workers": Text("{n} workers", "{n} 个工作进程", one="1 worker"),
    "comma": Text(", ", "，"),
    "port-moved": Text("{taken}, using {port}", "端口 {taken}，改用 {port}"),
    "taken": Text("{port} is used by {holder}", "{port} 已被 {holder} 占用"),
    "taken-unknown": Text("{port} is used by another program", "{port} 已被其他程序占用"),
    "lan-off-key": Text(
        "LAN: off; press l to share with the devices on this network", "局域网：关闭，按 l 键与同一网络的设备共享"
    ),
    "lan-off": Text(
        "this machine only; --lan shares with the devices on this network", "仅限本机；--lan 可与同一网络的设备共享"
    ),
    "lan-on": Text("read-only, for anyone on this network", "同一网络中的任何人都可读取（只读）"),
    "lan-on-app": Text("for anyone on this network", "同一网络中的任何人都可访问"),
    "lan-none": Text("LAN: this machine has no address on a network", "局域网：本机没有可用的网络地址"),
    "lan-closed": Text("LAN: off again, only this machine is served", "局域网：已关闭，仅限本机访问"),
    "lan-bind": Text("LAN: the addresses were chosen with --bind", "局域网：监听地址已由 --bind 指定"),
    "keys": Text(
        "keys  o open   l LAN on/off   q QR code   ? help   ctrl-c stop",
        "按键  o 打开浏览器   l 开关局域网   q 二维码   ? 帮助   ctrl-c 停止",
    ),
    # what was found
    "files": Text("{n} files, {size}", "{n} 个文件，{size}", one="1 file, {size}"),
    "files-more": Text("more than {n} files, {size}", "超过 {n} 个文件，{size}"),
    "not-hidden": Text(
        "not served: {names} (begins with a dot; --hidden)", "不提供：{names}（以点开头；--hidden 可提供）"
    ),
    "not-linked": Text(
        "not served: {names} (a link that is broken or leaves the folder; --links all)",
        "不提供：{names}（链接失效或指向文件夹之外；--links all 可提供）",
    ),
    "secrets": Text("careful, this looks secret and is served: {names}", "注意，这些文件像是机密，却会被提供：{names}"),
    "wide": Text("careful, this is {what}: everything in it can be read", "注意，这是{what}：其中的一切都可被读取"),
    "home": Text("your home folder", "您的主目录"),
    "whole-disk": Text("the whole file system", "整个文件系统"),
    "and-more": Text("{names} and {n} more", "{names} 及另外 {n} 项"),
    # keys
    "opening": Text("opening {url}", "正在打开 {url}"),
    "no-browser": Text("no browser found here; open {url}", "这里没有找到浏览器，请自行打开 {url}"),
    "help-o": Text("o       open the page in a browser", "o       在浏览器中打开"),
    "help-l": Text("l       share on the local network, or stop that", "l       开始或停止在局域网内共享"),
    "help-q": Text("q       QR code for a phone", "q       显示二维码，供手机扫描"),
    "help-?": Text("?       this help", "?       显示本帮助"),
    "help-c": Text(
        "ctrl-c  stop; running transfers are finished first, a second ctrl-c cuts them",
        "ctrl-c  停止：先等正在进行的传输完成，再按一次立即停止",
    ),
    "qr-lan": Text("a phone cannot reach localhost; press l first", "手机无法访问 localhost，请先按 l 键"),
    # stop
    "draining": Text(
        "{n} transfers under way; ctrl-c again to stop now",
        "还有 {n} 个传输正在进行，再按一次 ctrl-c 立即停止",
        one="1 transfer under way; ctrl-c again to stop now",
    ),
    "cut": Text("{n} transfers were cut", "中断了 {n} 个传输", one="1 transfer was cut"),
    "lost": Text("{n} log lines could not be written", "有 {n} 行日志未能写入", one="1 log line could not be written"),
    "totals": Text(
        "served {requests}, {size} to {devices} in {time}", "共处理 {requests}，向 {devices}发送 {size}，用时 {time}"
    ),
    "requests": Text("{n} requests", "{n} 个请求", one="1 request"),
    "served": Text("{n} connections and datagrams", "{n} 个连接与数据报", one="1 connection or datagram"),
    "devices": Text("{n} devices", "{n} 台设备", one="1 device"),
    "seconds": Text("{n} s", "{n} 秒"),
    "minutes": Text("{n} min", "{n} 分钟"),
    "hours": Text("{hours} h {n} min", "{hours} 小时 {n} 分钟"),
    # get: the keys Fetch, Keep and Way are groups of settings
    "get": Text("ask a URL over HTTP, show the answer or save it", "通过 HTTP 请求一个网址，显示或保存结果"),
    "get-arguments": Text("What to ask", "请求什么"),
    "get-url": Text(
        "https://HOST/PATH; without a scheme http, :8000 is this machine",
        "https://主机/路径；省略协议即 http，:8000 表示本机",
    ),
    "Fetch": Text("What is sent", "发送什么"),
    "Keep": Text("What becomes of the answer", "如何处理响应"),
    "Way": Text("How it gets there", "如何到达"),
    "get-example-show": Text("a page, readable on a terminal", "一个页面，在终端里便于阅读"),
    "get-example-json": Text("send JSON, show both heads", "发送 JSON，并显示双方的头部"),
    "get-example-save": Text("save a file; go on where it was cut off", "保存文件；中断后接着下载"),
    "get-example-file": Text("save a file from the web", "从网上下载一个文件"),
    "get-example-parallel": Text("a large file over four connections", "用四个连接下载一个大文件"),
    "get-codes": Text(
        "Ends with 0 when done, 1 when the network or the server failed, 2 when the words make no sense, 4 for a "
        "status of 400 and above with --fail, 130 after Ctrl-C. Files are asked for as they are; anything else "
        "compressed. Each option can come from the environment: --timeout is PORTICO_TIMEOUT, or PORTICO_GET_TIMEOUT "
        "for this command alone; --header, --data and --quiet have the longer name only. "
        "PORTICO_LANG=en or zh chooses the language.",
        "成功以 0 结束，网络或服务器出错以 1 结束，命令写错以 2 结束，加了 --fail 且状态码为 400 及以上以 4 结束，"
        "Ctrl-C 以 130 结束。保存文件时请求原样内容，其他情况请求压缩内容。每个选项都可以用环境变量设置："
        "--timeout 对应 PORTICO_TIMEOUT，只对本命令生效则用 PORTICO_GET_TIMEOUT；--header、--data 与 --quiet "
        "只有较长的名称。PORTICO_LANG=en 或 zh 选择语言。",
    ),
    "get-saved": Text("saved {path}, {size} in {time} ({rate}/s)", "已保存 {path}，{size}，用时 {time}（{rate}/s）"),
    "get-there": Text("{path} is there already", "{path} 已经存在"),
    "get-binary": Text(
        "not shown: {type} is no text; -o FILE or -O saves it", "未显示：{type} 不是文本；用 -o 文件 或 -O 保存"
    ),
    "get-empty": Text("{status}; the answer is empty", "{status}；响应没有内容"),
    "get-password": Text("password for {user}: ", "{user} 的密码："),
    "get-no-type": Text("what came", "收到的内容"),
    "get-go-on": Text("{why}; run it again with --continue", "{why}；加上 --continue 再运行一次即可继续"),
    "get-stopped": Text(
        "stopped at {done}; the same line with --continue goes on",
        "已停止，已下载 {done}；加上 --continue 再运行一次即可继续",
    ),
    "get-stopped-lost": Text("stopped at {done}; {path} is not whole", "已停止，已下载 {done}；{path} 不完整"),
    "get-of": Text("{done} of {total}", "{done} / {total}"),
    "get-left": Text("{time} left", "剩余 {time}"),
    # connect
    "connect": Text(
        "talk over TCP, TLS, UDP or unix, or wait for a call",
        "经 TCP、TLS、UDP 或 unix 套接字对话，或等待连接",
    ),
    "connect-arguments": Text("Whom to talk to", "与谁对话"),
    "connect-address": Text(
        "HOST:PORT, :PORT (this machine), tls://HOST:PORT, udp://HOST:PORT, unix:PATH, unix:@NAME",
        "HOST:PORT、:PORT（本机）、tls://HOST:PORT、udp://HOST:PORT、unix:PATH、unix:@NAME",
    ),
    "Connect": Text("How to talk", "如何对话"),
    "connect-example-tcp": Text(
        "type lines, see what comes; Ctrl-D ends our side", "输入文字并查看回复；按 Ctrl-D 结束发送"
    ),
    "connect-example-tls": Text("the same over TLS, for a protocol of old", "经 TLS 对话，适合以 CRLF 换行的协议"),
    "connect-example-udp": Text("each line is a datagram", "每行是一个数据报"),
    "connect-example-listen": Text("wait for somebody on every interface", "在所有网卡上等待对方连接"),
    "connect-example-file": Text("send a file, exactly as it is", "原样发送一个文件"),
    "connect-connected": Text(
        "connected to {peer}; Ctrl-D ends our side, Ctrl-C all", "已连接 {peer}；Ctrl-D 结束发送，Ctrl-C 退出"
    ),
    "connect-waiting": Text("waiting on {address}", "正在 {address} 等待连接"),
    "connect-ended": Text("{peer} has ended the conversation", "{peer} 已结束对话"),
    "connect-silent": Text("nothing more came from {peer}", "{peer} 没有再发来内容"),
    "connect-insecure": Text("; --insecure goes on all the same", "；加上 --insecure 可忽略此问题"),
    # chat: the key Chat is a group of settings
    "chat": Text("a chat and customer desk, for browsers and terminals", "聊天与客服台，可用浏览器和终端访问"),
    "Chat": Text("The chat", "聊天"),
    "chat-arguments": Text("The chat", "聊天"),
    "chat-example": Text("for this machine alone", "仅限本机访问"),
    "chat-example-lan": Text("for every device on this network", "供局域网内的所有设备使用"),
    "chat-example-data": Text("with its data in a folder of your own", "数据放在自己指定的文件夹里"),
    "chat-runs": Text("chat {what}", "聊天 {what}"),
    "chat-data": Text("messages and files are kept in {where}", "消息与文件保存在 {where}"),
    "chat-beside": Text("without a browser: portico connect {link}", "不用浏览器：portico connect {link}"),
    "chat-first": Text(
        "set up: {link} (signs the first admin in, once, within a day)",
        "初次设置：{link}（管理员首次登录用，一天内有效，只能用一次）",
    ),
    "chat-first-proxied": Text(
        "set up: open {link} at the address of the proxy in front (signs the first admin in, once, within a day)",
        "初次设置：在前端代理的网址后面加上 {link} 打开（管理员首次登录用，一天内有效，只能用一次）",
    ),
    "chat-doctor": Text("look for what is wrong with a chat, or soon will be", "检查聊天服务现有的和潜在的问题"),
    "chat-doctor-port": Text("the port of the pages, to see whether it is free", "网页端口，检查是否空闲"),
    "chat-doctor-example": Text("everything that can be looked at", "检查所有项目"),
    "chat-export": Text("write what somebody can read to a file", "把某人能看到的内容导出为文件"),
    "chat-export-arguments": Text("Whose", "谁的内容"),
    "chat-export-person": Text("a login, or the number of a person", "登录名，或人员编号"),
    "chat-export-form": Text("of the file (text)", "文件格式（默认 text）"),
    "chat-export-conversation": Text("only this conversation, by its number", "只导出此编号的会话"),
    "chat-export-output": Text("a new file (standard output)", "新文件（默认输出到标准输出）"),
    "chat-export-example": Text("everything that the admin can read, for printing", "管理员能看到的全部内容，便于打印"),
    "chat-backup": Text(
        "copy a chat, which may be running, into a new folder", "把聊天数据备份到新文件夹，服务可照常运行"
    ),
    "chat-backup-target": Text("a folder that is not there yet", "尚不存在的文件夹"),
    "chat-backup-example": Text("database and files, as they are at one moment", "同一时刻的数据库与文件"),
    "chat-backed-up": Text("{where} has the backup, {size}", "已备份到 {where}，{size}"),
    "chat-restore": Text("put a backup back; the chat has to be stopped", "恢复备份，须先停止聊天服务"),
    "chat-restore-source": Text("the folder of a backup", "备份所在的文件夹"),
    "chat-restore-example": Text("what was there before is kept beside it", "原有数据会另行保留"),
    "chat-restored": Text(
        "{where} is restored; clients will read everything anew", "已从 {where} 恢复，客户端会重新读取全部内容"
    ),
    "chat-erased-again": Text(
        "{n} people were erased since, and are again",
        "有 {n} 人在备份之后被清除，已再次清除",
        one="1 person was erased since, and is again",
    ),
    "chat-kept": Text(
        "the chat as it was before, with what was written since the backup, is kept as {where}; "
        "delete it when it is no longer needed",
        "恢复前的数据（含备份之后写的内容）保留在 {where}，不再需要时请删除",
    ),
    # chat join
    "chat-join": Text("take part in a chat from this terminal", "在终端里参加聊天"),
    "join-url": Text(
        "http://HOST:PORT of the chat, or the one-time link that one was given",
        "聊天的网址 http://HOST:PORT，或收到的一次性链接",
    ),
    "join-login": Text(
        "sign in as this (a visitor of the desk); the password is asked for, or in PORTICO_CHAT_PASSWORD",
        "以此登录名登录（默认作为访客联系客服台）；会询问密码，也可放在 PORTICO_CHAT_PASSWORD",
    ),
    "join-name": Text("what a visitor is called", "访客的称呼"),
    "join-example": Text("as somebody with an account; remembered on this machine", "以自己的账号参加，本机会记住登录"),
    "join-example-visitor": Text("to the desk, as a visitor", "作为访客联系客服台"),
    "join-password": Text("password of {name}", "{name} 的密码"),
    "join-no-password": Text(
        "there is no terminal to ask for the password of {name}; put it in {variable}",
        "这里没有终端，无法询问 {name} 的密码，请放在环境变量 {variable} 里",
    ),
    "join-lost": Text(
        "*** no connection{why}; trying again, nothing is lost", "*** 连接已断开{why}，正在重试，消息不会丢失"
    ),
    "join-waits": Text("*** no connection; it is sent later", "*** 没有连接，稍后自动发送"),
    "join-gap": Text(
        "*** a lot was said meanwhile, only the last is here; /history",
        "*** 期间消息很多，只显示最后一些，可用 /history 查看",
    ),
    "join-refused": Text("*** not done: {why}", "*** 未完成：{why}"),
    "join-bye": Text("*** the server: {why}", "*** 服务器：{why}"),
    "join-open": Text("*** what you type goes to {name}", "*** 现在发往：{name}"),
    "join-desk": Text("the desk", "客服台"),
    "join-nowhere": Text(
        "*** open a conversation first: /list, /room, /join or /msg", "*** 请先打开会话：/list、/room、/join 或 /msg"
    ),
    "join-edited": Text("(instead of #{n})", "（改写 #{n}）"),
    "join-deleted": Text("(#{n} was deleted)", "（#{n} 已删除）"),
    "join-join": Text("{name} has come in", "{name} 加入了"),
    "join-leave": Text("{name} has left", "{name} 离开了"),
    "join-no-command": Text("*** there is no {name}; /help shows what there is", "*** 没有 {name}，/help 查看全部命令"),
    "join-no-room": Text(
        "*** you are in no conversation {name}; /list shows them", "*** 没有名为 {name} 的会话，/list 查看全部"
    ),
    "join-rooms": Text("*** public rooms: {names}", "*** 公开房间：{names}"),
    "join-nobody": Text("*** nobody is called {name}", "*** 没有叫 {name} 的人"),
    "join-help-list": Text("my conversations", "我的会话"),
    "join-help-room": Text("NAME: open a conversation", "名称：打开会话"),
    "join-help-join": Text("NAME: enter a public room; alone, which there are", "名称：进入公开房间；不带名称则列出"),
    "join-help-msg": Text("NAME TEXT: to one person", "名字 文字：私聊"),
    "join-help-who": Text("who is here, ● online", "这里有谁，● 在线"),
    "join-help-history": Text("N: what was said before", "N：之前的消息"),
    "join-help-search": Text("WORDS: find what was said", "文字：搜索聊天记录"),
    "join-help-note": Text("[TEXT]: the shared note, or a line for it", "[文字]：查看共享笔记，或添加一行"),
    "join-gone": Text("(deleted)", "（已删除）"),
    "join-files": Text(
        "({n} files, which the page shows)", "（{n} 个文件，请在网页查看）", one="(1 file, which the page shows)"
    ),
    "join-not-found": Text("*** nothing found", "*** 没有找到"),
    "join-note": Text("*** the shared note:", "*** 共享笔记："),
    "join-no-note": Text(
        "*** nobody has written a note here yet; /note TEXT begins it", "*** 还没有共享笔记，/note 文字 即可开始"
    ),
    "join-noted": Text("*** added to the shared note", "*** 已写入共享笔记"),
    "join-help-edit": Text(
        "[#N] TEXT: change my last message, or that one", "[#N] 文字：修改我的上一条消息，或指定的消息"
    ),
    "join-help-delete": Text("[#N]: delete my last message, or that one", "[#N]：删除我的上一条消息，或指定的消息"),
    "join-own": Text(
        "*** say which: /edit #N TEXT or /delete #N; /history shows the numbers",
        "*** 请写明是哪一条：/edit #N 文字 或 /delete #N，编号见 /history",
    ),
    "join-help-help": Text("this", "本帮助"),
    "join-help-quit": Text("the end", "退出"),
    "join-unsent": Text("{n} messages could not be sent", "有 {n} 条消息未能发送", one="1 message could not be sent"),
    # contacts and talk: the key Talk is a group of settings
    "contacts": Text("names for those whom portico talk reaches", "通讯录：portico talk 可用的名字"),
    "contacts-arguments": Text("Who", "谁"),
    "contacts-list": Text("show all of them", "列出全部联系人"),
    "contacts-add": Text("give somebody's address a name", "给某人的地址起一个名字"),
    "contacts-remove": Text("forget a name", "删除一个名字"),
    "contacts-name": Text("up to 40 characters, in any language", "最多 40 个字，任何语言均可"),
    "contacts-address": Text(
        "udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT, unix:PATH, or a chat: http://LOGIN@HOST:PORT",
        "udp://HOST:PORT、tcp://HOST:PORT、tls://HOST:PORT、unix:PATH，或聊天服务：http://登录名@HOST:PORT",
    ),
    "contacts-file": Text(
        "The book is portico/contacts.json in your folder for settings (XDG_CONFIG_HOME, or ~/.config). "
        "PORTICO_LANG=en or zh chooses the language.",
        "通讯录保存在用户配置目录下的 portico/contacts.json（XDG_CONFIG_HOME，默认 ~/.config）。"
        "PORTICO_LANG=en 或 zh 选择语言。",
    ),
    "contacts-example-udp": Text("a program that talks over UDP", "用 UDP 聊天的程序"),
    "contacts-example-chat": Text("a chat, in which one has the login wang", "聊天服务，自己的登录名是 wang"),
    "contacts-example-talk": Text("talk; q ends it", "开始聊天，输入 q 结束"),
    "contacts-none": Text(
        "nobody yet: portico contacts add NAME ADDRESS", "通讯录是空的，添加：portico contacts add 名字 地址"
    ),
    "contacts-added": Text("{name} is at {address}", "{name} 的地址是 {address}"),
    "contacts-before": Text("until now {address}", "原来是 {address}"),
    "contacts-removed": Text("{name} ({address}) is forgotten", "已删除 {name}（{address}）"),
    "talk": Text("talk to a contact, or an address; q ends", "与联系人或某个地址聊天，输入 q 结束"),
    "talk-arguments": Text("Whom to talk to", "与谁聊天"),
    "talk-name": Text("a contact, as portico contacts shows them", "联系人的名字，见 portico contacts"),
    "talk-address": Text(
        "udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT, unix:PATH, or a chat: http://HOST:PORT",
        "udp://HOST:PORT、tcp://HOST:PORT、tls://HOST:PORT、unix:PATH，或聊天服务：http://HOST:PORT",
    ),
    "Talk": Text("How to talk", "如何聊天"),
    "talk-example": Text("somebody in the contact book", "通讯录里的联系人"),
    "talk-example-udp": Text("both ways between two programs, each with a port", "两个程序互相聊天，各用一个端口"),
    "talk-example-listen": Text("hear whoever writes, and answer who wrote last", "接收任何人的消息，回复最后来信的人"),
    "talk-example-tcp": Text(
        "lines over TCP, as at a chat's port for netcat", "TCP 文本行，例如聊天服务的 netcat 端口"
    ),
    "talk-example-chat": Text("a chat, with an account", "用账号登录聊天服务"),
    "talk-to": Text("talking to {name}; q ends", "正在与 {name} 聊天，输入 q 结束"),
    "talk-hears": Text("hearing at {address}", "正在 {address} 接收"),
    "talk-over": Text("the end", "聊天结束"),
    "talk-nobody": Text("*** nobody listens at {name}", "*** {name} 没有程序在接收"),
    "talk-unsent": Text("*** not sent to {name}: {why}", "*** 未能发给 {name}：{why}"),
    "talk-nowhere": Text(
        "*** nobody has written yet, so there is nobody to answer", "*** 还没有人发来消息，不知道发给谁"
    ),
    "talk-too-long": Text(
        "*** not sent: {n} bytes, and a datagram has room for {most}", "*** 未发送：共 {n} 字节，一个数据报最多 {most}"
    ),
    # chat soak: the key Soak is a group of settings
    "chat-soak": Text(
        "have virtual users try a server of their own, and compare every log",
        "用虚拟用户检验一个专用服务器，并逐条核对记录",
    ),
    "Soak": Text("What is tried", "检验什么"),
    "soak-example": Text("while the server is killed and connections break", "同时强杀服务器、破坏连接"),
    "soak-example-kills": Text("until it has been killed a hundred times", "直到服务器被强杀一百次"),
    "soak-example-stop": Text(
        "with a reader that is stopped, in a room of all", "全体同在一个房间，其中一个读取进程被暂停"
    ),
    "soak-example-many": Text("for figures", "用于测量性能"),
    "soak-connected": Text("{n} users are connected", "{n} 个用户已连接"),
    "soak-kill": Text("the server is killed ({n})", "强杀服务器（第 {n} 次）"),
    "soak-restart": Text("the server is restarted ({n})", "重启服务器（第 {n} 次）"),
    "soak-reset": Text("connections are reset ({n})", "重置连接（第 {n} 次）"),
    "soak-stall": Text("users read nothing for a while ({n})", "部分用户暂停读取（第 {n} 次）"),
    "soak-away": Text("users have no connection for a while ({n})", "部分用户暂时离线（第 {n} 次）"),
    "soak-forget": Text("connections are abandoned half open ({n})", "丢弃连接而不关闭（第 {n} 次）"),
    "soak-sent": Text(
        "sent {sent} messages ({rate}/s), {acked} acknowledged", "发送 {sent} 条消息（每秒 {rate}），已确认 {acked} 条"
    ),
    "soak-delivered": Text(
        "delivered {n} events, {rate} messages/s to those who were there",
        "投递 {n} 个事件，向在线用户每秒投递 {rate} 条消息",
    ),
    "soak-acks": Text(
        "sent to acknowledged: p50 {p50} ms, p95 {p95} ms, p99 {p99} ms",
        "发送到确认：p50 {p50} 毫秒，p95 {p95} 毫秒，p99 {p99} 毫秒",
    ),
    "soak-arrivals": Text(
        "sent to delivered: p50 {p50} ms, p95 {p95} ms, p99 {p99} ms",
        "发送到送达：p50 {p50} 毫秒，p95 {p95} 毫秒，p99 {p99} 毫秒",
    ),
    "soak-way": Text(
        "{name} {users} users, sent {sent}, {acked} acknowledged, {n} delivered, {again} dropped as repeated; "
        "p50 {p50} ms, p99 {p99} ms",
        "{name} {users} 个用户，发送 {sent}，已确认 {acked}，送达 {n}，丢弃重复 {again}；"
        "p50 {p50} 毫秒，p99 {p99} 毫秒",
    ),
    "soak-stopped": Text(
        "a reader was stopped {times} times, had {n} connections, and got {syncs} parts of the log when it went on",
        "一个读取进程被暂停 {times} 次，先后建立 {n} 个连接，恢复后补取日志 {syncs} 段",
    ),
    "soak-running-arrivals": Text(
        "sent to delivered while it ran: p50 {p50} ms, p95 {p95} ms, p99 {p99} ms",
        "其运行期间发送到送达：p50 {p50} 毫秒，p95 {p95} 毫秒，p99 {p99} 毫秒",
    ),
    "soak-stopped-arrivals": Text(
        "sent to delivered while it was stopped: p50 {p50} ms, p95 {p95} ms, p99 {p99} ms",
        "其暂停期间发送到送达：p50 {p50} 毫秒，p95 {p95} 毫秒，p99 {p99} 毫秒",
    ),
    "soak-memory": Text(
        "memory of the server: {first} MiB at first, {last} MiB at last, {most} MiB at most",
        "服务器内存：开始 {first} MiB，结束 {last} MiB，最高 {most} MiB",
    ),
    "soak-cpu": Text("the server used {share} % of a core", "服务器占用一个核心的 {share}%"),
    "soak-connections": Text(
        "{n} connections; {limited} times a gap was announced, and fetched", "共 {n} 个连接；{limited} 次告知缺口并补取"
    ),
    "soak-breaks": Text("broken: {what}", "破坏：{what}"),
    "soak-good": Text(
        "nothing was lost, repeated, reordered, altered or shown to the wrong one",
        "没有丢失、重复、乱序、改动，也没有发错对象",
    ),
    "soak-failed": Text("FAILED: {what}", "失败：{what}"),
    # mistakes
    "see-help": Text("{command} --help tells more", "详见 {command} --help"),
    "no-option": Text("there is no option {name}", "没有 {name} 这个选项"),
    "no-command": Text("there is no command {name}", "没有 {name} 这个命令"),
    "did-you-mean": Text("; did you mean {name}?", "，是不是 {name}？"),
    "missing": Text("{name} is missing", "缺少 {name}"),
    "needs-value": Text("{name} needs a value", "{name} 需要一个值"),
    "takes-no-value": Text("{name} takes no value", "{name} 不带值"),
    "unexpected": Text("{name} is one word too many", "多出了 {name}"),
    "from-environment": Text("{name} (from the environment)", "{name}（来自环境变量）"),
}


def language_of(environ: Mapping[str, str]) -> Language:
    """Return the language of a person's environment: PORTICO_LANG, LC_ALL, LC_MESSAGES, LANG, the first that is set."""
    for name in ("PORTICO_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        if environ.get(name):
            return "zh" if environ[name].lower().startswith("zh") else "en"
    return "en"


class Words:
    """The texts in one language. Calling it with a key of `TEXTS` and the values of its places gives the text."""

    def __init__(self, language: Language) -> None:
        self.language: Language = language

    def __call__(self, key: str, /, **values: object) -> str:
        """Return one text. n: the number that decides between singular and plural."""
        text = TEXTS[key]
        if self.language == "zh":
            return text.zh.format(**values)
        return (text.one if text.one and values.get("n") == 1 else text.en).format(**values)
