"""Write the reference page of the options, docs/{en,zh}/reference/options.md, from the rows of portico.settings.

python docs/generate.py            write
python docs/generate.py --check    say what would change, and exit with 1
"""

import sys
from pathlib import Path

from portico.cli import run, serve
from portico.settings import (
    App,
    Files,
    Limits,
    Listen,
    Log,
    Messages,
    Option,
    Processes,
    Trust,
    Unit,
    options_of,
)

DOCS = Path(__file__).parent
GROUPS = (Listen, App, Files, Trust, Processes, Log, Limits, Messages)
# What each command has, as its own help page shows it.
SERVE, RUN = ([opt for param in command.params for opt in param.opts] for command in (serve.command, run.command))
SCALES = ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K"))

WORDS = {
    "en": {
        "title": "Options of `portico serve` and `portico run`",
        "about": "This page is generated from [settings/](../../../src/portico/settings/) by "
        "[generate.py](../../generate.py); change it there.",
        "forms": "Sizes are bytes, or end in K, M or G (1K is 1024). Durations are seconds, or end in ms, s, m, h or "
        "d. An option that may be repeated keeps every value.",
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
        "one": "`{command}` alone.",
        "some": "`{command}` has only {names}.",
        "comma": ", ",
        "Files": "What is served, and how",
        "Log": "Access log",
        "Limits": "Limits",
        "on": "on; `{off}` turns it off",
        "off": "off",
        "to": "{low} to {high}",
        "none": "none",
    },
    "zh": {
        "title": "`portico serve` 与 `portico run` 的选项",
        "about": "本页由 [generate.py](../../generate.py) 根据 [settings/](../../../src/portico/settings/) "
        "生成，要修改请改那里。",
        "forms": "大小以字节计，也可用 K、M、G 结尾（1K 即 1024）。时长以秒计，也可用 ms、s、m、h、d 结尾。"
        "可重复的选项会保留每一次给出的值。",
        "environment": "每个选项都可以用环境变量设置：`--log-format` 对应 `PORTICO_LOG_FORMAT`，只对 `serve` 生效则用 "
        "`PORTICO_SERVE_LOG_FORMAT`。命令行优先，其次是较长的变量名，然后是较短的，最后是 "
        "[portico.toml](../howto/configuration.md)。可重复的选项在变量里每个值占一行。",
        "head": "| 选项 | 含义 | 默认值 | 取值范围 |",
        "Listen": "监听位置",
        "App": "应用",
        "Trust": "前置代理",
        "Processes": "进程",
        "Messages": "WebSocket",
        "one": "仅用于 `{command}`。",
        "some": "`{command}` 只有 {names}。",
        "comma": "、",
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
        return f"{value:g}s"
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


def who(group: type, words: dict[str, str]) -> list[str]:
    """Return what is to be said of the commands that have a group's options: nothing where both have all of them."""
    names = {command: set(RUN if command == "run" else SERVE) for command in ("serve", "run")}
    rows = {f"--{row.name}" for row in options_of(group)}
    lines = []
    for command, other in (("serve", "run"), ("run", "serve")):
        have = [f"`--{row.name}`" for row in options_of(group) if f"--{row.name}" in names[command]]
        if not have:
            lines.append(words["one"].format(command=f"portico {other}"))
        elif len(have) < len(rows):
            lines.append(words["some"].format(command=f"portico {command}", names=words["comma"].join(have)))
    return ["", " ".join(lines)] if lines else []


def page(language: str) -> str:
    """Return the whole page in one language."""
    words = WORDS[language]
    lines = [f"# {words['title']}", "", words["about"], "", words["forms"], "", words["environment"]]
    for group in GROUPS:
        lines += ["", f"## {words[group.__name__]}", *who(group, words)]
        lines += ["", words["head"], "| --- | --- | --- | --- |"]
        lines += [line(row, language) for row in options_of(group)]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write both pages, or compare them with what is there. Returns the exit code."""
    outdated = 0
    for language in WORDS:
        target = DOCS / language / "reference" / "options.md"
        text = page(language)
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
