"""Write the reference pages of the options from the rows of portico.settings: docs/{en,zh}/reference/options.md for
whatever serves, client-options.md for clients; and commands.md for what is written without such rows: the commands
beside the serving of a chat, and those of the contact book.

python docs/generate.py            write
python docs/generate.py --check    say what would change, and exit with 1
"""

import sys
from itertools import product
from pathlib import Path

import click

from portico.cli import chat, connect, contacts, get, run, serve, services, talk
from portico.cli.group import CommandGroup, PageCommand
from portico.cli.options import SettingOption
from portico.cli.words import TEXTS, Words
from portico.settings import (
    App,
    Files,
    Limits,
    Listen,
    Log,
    Messages,
    Option,
    Processes,
    Service,
    Trust,
    Unit,
    options_of,
)
from portico.settings.asking import Connect, Fetch, Keep, Way
from portico.settings.chatting import Chat, Talk

DOCS = Path(__file__).parent
# What each page is about: the commands, by what they are called there, and the groups.
Commands = dict[str, set[str]]


def options_among(*commands: click.Command) -> set[str]:
    """Return the names of all options of some commands, as one writes them."""
    return {opt for command in commands for param in command.params for opt in param.opts}


PAGES: dict[str, tuple[Commands, tuple[type, ...]]] = {
    "options": (
        {
            "serve": options_among(serve.command),
            "run": options_among(run.command),
            "services": options_among(
                services.greet, services.reply, services.echo, services.time, services.temperature
            ),
            "chat": options_among(chat.serve),
        },
        (Listen, App, Files, Service, Chat, Trust, Processes, Log, Limits, Messages),
    ),
    "client-options": (
        {
            "get": options_among(get.command),
            "connect": options_among(connect.command),
            "talk": options_among(talk.command),
        },
        (Fetch, Keep, Way, Connect, Talk),
    ),
}
# Commands whose own page of help is all there is about them, each group behind the words that call it.
COMMANDS: tuple[tuple[str, CommandGroup, tuple[str, ...]], ...] = (
    ("chat", chat.command, ("join", "doctor", "export", "backup", "restore", "soak")),
    ("contacts", contacts.command, ("list", "add", "remove")),
)
ENVIRONMENT = {"options": "environment", "client-options": "client-environment"}
_PIPE = r"\|"  # within a cell of a table, code spans too (GitHub Flavored Markdown, 4.10)
SCALES = ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))

WORDS = {
    "en": {
        "options": "Options of whatever serves",
        "client-options": "Options of `portico get`, `portico connect` and `portico talk`",
        "commands": "Commands beside a chat, and contacts",
        "about-commands": "This page is generated from the commands of [cli/](../../../src/portico/cli/) by "
        "[generate.py](../../generate.py); change it there.",
        "argument": "| argument | meaning |",
        "about": "This page is generated from [settings/](../../../src/portico/settings/) by "
        "[generate.py](../../generate.py); change it there.",
        "forms": "Sizes are bytes, or end in K, M or G (1K is 1024). Durations are seconds, or end in ms, s, m, h or "
        "d. An option that may be repeated keeps every value.",
        "client-environment": "Each option can come from the environment: `--timeout` is `PORTICO_TIMEOUT`, or "
        "`PORTICO_GET_TIMEOUT` for `get` alone. The command line comes first, then the longer name, then the shorter. "
        "In a variable, the values of a repeatable option stand on lines of their own.",
        "environment": "Each option can come from the environment: `--log-format` is `PORTICO_LOG_FORMAT`, or "
        "`PORTICO_SERVE_LOG_FORMAT` for `serve` alone. The command line comes first, then the longer name, then the "
        "shorter, then [portico.toml](../howto/configuration.md). "
        "In a variable, the values of a repeatable option stand on lines of their own.",
        "head": "| option | meaning | default | allowed |",
        "Listen": "Where to listen",
        "App": "The application",
        "Trust": "Proxies in front",
        "Processes": "Processes",
        "Messages": "WebSockets",
        "serve": "`portico serve`",
        "run": "`portico run`",
        "services": "Socket services (`portico greet`, `reply`, `echo`, `time`, `temperature`)",
        "get": "`portico get`",
        "connect": "`portico connect`",
        "talk": "`portico talk`",
        "chat": "`portico chat`",
        "Chat": "A chat",
        "Talk": "Talking to somebody",
        "all": "{command}: all of them.",
        "some": "{command}: {names}.",
        "comma": ", ",
        "Service": "Talking with people",
        "Fetch": "What is asked",
        "Keep": "What becomes of the answer",
        "Way": "The way there",
        "Connect": "A conversation",
        "Files": "What is served, and how",
        "Log": "Access log",
        "Limits": "Limits",
        "on": "on; `{off}` turns it off",
        "off": "off",
        "to": "{low} to {high}",
        "none": "none",
    },
    "zh": {
        "options": "服务类命令的选项",
        "client-options": "`portico get`、`portico connect` 与 `portico talk` 的选项",
        "commands": "聊天的其他命令与通讯录",
        "about-commands": "本页由 [generate.py](../../generate.py) 根据 [cli/](../../../src/portico/cli/) "
        "中的命令生成，要修改请改那里。",
        "argument": "| 参数 | 含义 |",
        "about": "本页由 [generate.py](../../generate.py) 根据 [settings/](../../../src/portico/settings/) "
        "生成，要修改请改那里。",
        "forms": "大小以字节计，也可用 K、M、G 结尾（1K 即 1024）。时长以秒计，也可用 ms、s、m、h、d 结尾。"
        "可重复的选项会保留每一次给出的值。",
        "client-environment": "每个选项都可以用环境变量设置：`--timeout` 对应 `PORTICO_TIMEOUT`，只对 `get` 生效则用 "
        "`PORTICO_GET_TIMEOUT`。命令行优先，其次是较长的变量名，最后是较短的。可重复的选项在变量里每个值占一行。",
        "environment": "每个选项都可以用环境变量设置：`--log-format` 对应 `PORTICO_LOG_FORMAT`，只对 `serve` 生效则用 "
        "`PORTICO_SERVE_LOG_FORMAT`。命令行优先，其次是较长的变量名，然后是较短的，最后是 "
        "[portico.toml](../howto/configuration.md)。可重复的选项在变量里每个值占一行。",
        "head": "| 选项 | 含义 | 默认值 | 取值范围 |",
        "Listen": "监听位置",
        "App": "应用",
        "Trust": "前置代理",
        "Processes": "进程",
        "Messages": "WebSocket",
        "serve": "`portico serve`",
        "run": "`portico run`",
        "services": "套接字服务（`portico greet`、`reply`、`echo`、`time`、`temperature`）",
        "get": "`portico get`",
        "connect": "`portico connect`",
        "talk": "`portico talk`",
        "chat": "`portico chat`",
        "Chat": "聊天服务",
        "Talk": "与人聊天",
        "all": "{command}：全部。",
        "some": "{command}：{names}。",
        "comma": "、",
        "Service": "与人对话",
        "Fetch": "请求什么",
        "Keep": "如何处理应答",
        "Way": "怎样到达",
        "Connect": "对话",
        "Files": "提供哪些内容，如何提供",
        "Log": "访问日志",
        "Limits": "限制",
        "on": "开，用 `{off}` 关闭",
        "off": "关",
        "to": "{low} 至 {high}",
        "none": "无",
    },
}


def number(row: Option, value: float) -> str:
    """Write a number as one would on the command line."""
    if row.unit is Unit.SECONDS:
        return f"{value / 86_400:g}d" if value > 86_400 else f"{value:g}s"
    if row.unit is Unit.SIZE:
        for scale, suffix in SCALES:
            if value >= scale and value % scale == 0:
                return f"{int(value) // scale}{suffix}"
    return str(int(value))


def default(row: Option, words: dict[str, str]) -> str:
    """Return the cell of the default value."""
    if row.unit is Unit.FLAG:
        return words["on"].format(off=f"--no-{row.name}") if row.default else words["off"]
    if row.default in (None, "", ()):
        return words["none"]
    return f"`{row.default if isinstance(row.default, str) else number(row, row.default)}`"


def allowed(row: Option, words: dict[str, str]) -> str:
    """Return the cell of what may be given."""
    if row.choices:
        return ", ".join(f"`{choice}`" for choice in row.choices)
    if row.low is None or row.high is None:
        return ""
    return words["to"].format(low=number(row, row.low), high=number(row, row.high))


def line(row: Option, language: str) -> str:
    """Return the table row of one option."""
    words = WORDS[language]
    value = "" if row.unit is Unit.FLAG else f" {row.metavar or row.unit.value.upper()}"
    names = f"`{row.short}`, `--{row.name}{value}`" if row.short else f"`--{row.name}{value}`"
    meaning = row.zh if language == "zh" else row.en
    return f"| {names} | {meaning} | {default(row, words)} | {allowed(row, words)} |"


def who(group: type, commands: Commands, words: dict[str, str]) -> list[str]:
    """Return what is to be said of the commands that have a group's options: nothing where all have all of them."""
    names = [row.name for row in options_of(group)]
    have = {command: [name for name in names if f"--{name}" in found] for command, found in commands.items()}
    if all(len(found) == len(names) for found in have.values()):
        return []
    lines = []
    for command, found in have.items():
        if len(found) == len(names):
            lines.append(words["all"].format(command=words[command]))
        elif found:
            shown = words["comma"].join(f"`--{name}`" for name in found)
            lines.append(words["some"].format(command=words[command], names=shown))
    return ["", " ".join(lines)]


def page(name: str, language: str) -> str:
    """Return a whole page in one language."""
    words = WORDS[language]
    commands, groups = PAGES[name]
    lines = [f"# {words[name]}", "", words["about"], "", words["forms"], "", words[ENVIRONMENT[name]]]
    for group in groups:
        lines += ["", f"## {words[group.__name__]}", *who(group, commands, words)]
        lines += ["", words["head"], "| --- | --- | --- | --- |"]
        lines += [line(row, language) for row in options_of(group)]
    return "\n".join(lines) + "\n"


def plain_line(option: click.Option, language: str) -> str:
    """Return the table row of an option that is no row of the settings: its text says what is meant without it."""
    words = WORDS[language]
    names = ", ".join(f"`{name}`" for name in option.opts[:-1])
    names += f"{', ' if names else ''}`{option.opts[-1]} {(option.metavar or '').replace('|', _PIPE)}`"
    text = TEXTS[option.help or ""]
    return f"| {names} | {text.zh if language == 'zh' else text.en} | {words['none']} |  |"


def command_lines(command: PageCommand, path: str, language: str) -> list[str]:
    """Return what there is to say of one command."""
    words, told = WORDS[language], Words("zh" if language == "zh" else "en")
    ctx = click.Context(command, info_name=path)
    lines = ["", f"## `{path}`", "", told(command.name or ""), "", "```text", command.usage(ctx), "```"]
    if command.arguments:
        lines += ["", words["argument"], "| --- | --- |"]
        lines += [f"| `{left}` | {told(key)} |" for left, key in command.arguments]
    options = [param for param in command.params if isinstance(param, click.Option) and param.name != "config"]
    if options:
        lines += ["", words["head"], "| --- | --- | --- | --- |"]
        lines += [
            line(option.row, language) if isinstance(option, SettingOption) else plain_line(option, language)
            for option in options
        ]
    return lines


def commands_page(language: str) -> str:
    """Return the page of the commands in one language."""
    words = WORDS[language]
    lines = [f"# {words['commands']}", "", words["about-commands"], "", words["forms"]]
    for name, group, children in COMMANDS:
        for child in children:
            command = group.get_command(click.Context(group), child)
            assert isinstance(command, PageCommand), child
            lines += command_lines(command, f"portico {name} {child}", language)
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write all pages, or compare them with what is there. Returns the exit code."""
    outdated = 0
    for name, language in product((*PAGES, "commands"), WORDS):
        target = DOCS / language / "reference" / f"{name}.md"
        text = commands_page(language) if name == "commands" else page(name, language)
        if arguments == ["--check"]:
            if not target.exists() or target.read_text("utf-8") != text:
                print(f"{target} is not what the settings say; run ./dev docs")
                outdated = 1
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8")
    return outdated


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
