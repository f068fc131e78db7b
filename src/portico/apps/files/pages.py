"""What the listing and the error pages share: style sheets, script, words, policy; and the error page itself.

In: plain values; out: HTML text or bytes. A page is one file: style, script and icons are inlined from
`page/`, under a Content-Security-Policy that allows nothing else, so it makes no foreign request.

    csp, page_start            for the listing (a nonce a page)
    error_csp, error_page      for error answers (the hash of its one style sheet: the same bytes every time)
"""

import functools
from collections.abc import Iterable

from portico.apps.files.labels import escape, shown
from portico.http.status import reason_phrase
from portico.http.target import decode_path

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "home": "Home",
        "path": "Path",
        "filter": "Filter",
        "filter_hint": "Filter    /",
        "view": "View",
        "list": "List",
        "grid": "Pictures",
        "name": "Name",
        "size": "Size",
        "modified": "Modified",
        "empty": "This folder is empty.",
        "none": "No name matches.",
        "link": "link",
        "broken": "broken link",
        "outside": "link, not followed",
        "other": "special file",
        "unreadable": "not readable",
        "keys": "Keys",
        "key_filter": "filter by name",
        "key_move": "next, previous",
        "key_open": "open",
        "key_up": "folder above",
        "key_clear": "clear the filter",
        "near": "Did you mean",
        "start": "Go to the start page",
    },
    "zh": {
        "home": "首页",
        "path": "路径",
        "filter": "筛选",
        "filter_hint": "按名称筛选    /",
        "view": "视图",
        "list": "列表",
        "grid": "图片",
        "name": "名称",
        "size": "大小",
        "modified": "修改时间",
        "empty": "这个文件夹是空的。",
        "none": "没有匹配的名称。",
        "link": "链接",
        "broken": "链接已失效",
        "outside": "链接，未跟随",
        "other": "特殊文件",
        "unreadable": "无法读取",
        "keys": "快捷键",
        "key_filter": "按名称筛选",
        "key_move": "下一项、上一项",
        "key_open": "打开",
        "key_up": "上一级文件夹",
        "key_clear": "清除筛选",
        "near": "您要找的是不是",
        "start": "回到首页",
    },
}

# Status, then a heading and a sentence in each language: what happened and what may help.
_ERRORS: dict[str, dict[int, tuple[str, str]]] = {
    "en": {
        400: (
            "That request makes no sense",
            "The address or the request is malformed. Check the address and try again.",
        ),
        401: ("Please sign in", "This page asks for a name and a password."),
        403: ("Not allowed", "The server understood the request and refuses it."),
        404: ("There is nothing here", "The address may be mistyped, or what was here has been moved or deleted."),
        405: ("Not that way", "This address exists, but it does not answer this kind of request."),
        408: ("That took too long", "The request did not arrive in time. Try again."),
        410: ("Gone for good", "What was here has been removed and will not come back."),
        413: ("Too much at once", "What was sent is larger than this server accepts."),
        414: ("That address is too long", "The address is longer than this server accepts."),
        416: ("Outside the file", "The part that was asked for lies beyond the end of the file."),
        421: ("Not this server", "This server does not answer for that host name."),
        429: ("Too many requests", "Wait a moment, then try again."),
        431: ("Too many headers", "The headers of the request are larger than this server accepts."),
        500: ("Something broke", "The server ran into an error of its own. Its log says more."),
        503: ("Busy just now", "The server cannot answer at the moment. Try again shortly."),
    },
    "zh": {
        400: ("看不懂这个请求", "地址或请求的格式不对。请检查地址后重试。"),
        401: ("请先登录", "访问此页面需要用户名和密码。"),
        403: ("不允许访问", "服务器明白这个请求，但拒绝执行。"),
        404: ("这里什么也没有", "地址可能输错了，也可能内容已被移动或删除。"),
        405: ("不能这样访问", "这个地址存在，但不接受这种请求方式。"),
        408: ("等得太久了", "请求没有及时送达，请重试。"),
        410: ("已经没有了", "这里的内容已被删除，不会再恢复。"),
        413: ("内容太大", "发送的内容超过了服务器允许的大小。"),
        414: ("地址太长", "这个地址超过了服务器允许的长度。"),
        416: ("超出文件范围", "所请求的部分在文件末尾之后。"),
        421: ("找错了服务器", "这台服务器不负责这个主机名。"),
        429: ("请求太频繁", "请稍等片刻再试。"),
        431: ("请求头太大", "请求头超过了服务器允许的大小。"),
        500: ("服务器出错了", "服务器内部发生错误，详情见服务器日志。"),
        503: ("暂时忙不过来", "服务器现在无法应答，请稍后再试。"),
    },
}
_OTHER_ERRORS = {
    "en": ("This did not work", "The request could not be carried out."),
    "zh": ("请求未能完成", "服务器没能完成这个请求。"),
}


def csp(nonce: str) -> str:
    """Return the Content-Security-Policy of a listing.

    nonce: the one given to the page, letters, digits, `-` and `_` only; new for every answer. A 304 must not
    carry this field: the stored page keeps its old nonce, and a new policy would switch off its style.
    """
    return _policy(f"'nonce-{nonce}'", f"'nonce-{nonce}'")


def error_csp() -> str:
    """Return the Content-Security-Policy of every error page; always the same."""
    return _policy(f"'sha256-{_error_style_hash()}'", "'none'")


def _policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src {style}; script-src {script}; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )


@functools.cache
def asset(name: str) -> str:
    """Return the text of a file in `page/`, without its last line end; read once."""
    from importlib.resources import files

    return (files("portico.apps.files") / "page" / name).read_text("utf-8").strip()


@functools.cache
def style(names: tuple[str, ...]) -> str:
    """Return style sheets of `page/` as one, with the icons they name inside."""
    joined = "\n".join(map(asset, names))
    return joined.replace("icons.svg", _data_url("icons.svg")).replace("\n", "")


def _data_url(name: str) -> str:
    svg = asset(name).replace('"', "'")
    return "data:image/svg+xml," + "".join({"#": "%23", "<": "%3C", ">": "%3E", "%": "%25"}.get(c, c) for c in svg)


def page_start(language: str, title: str, style_tag: str) -> str:
    """Return the beginning of a page up to the end of its head.

    language: "en" or "zh". title: HTML text. style_tag: the whole style element.
    """
    return (
        f"<!doctype html><html lang={'zh-CN' if language == 'zh' else 'en'}><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width,initial-scale=1">'
        f'<title>{title}</title><link rel=icon href="{_data_url("mark.svg")}">{style_tag}</head>'
    )


def error_page(status: int, *, language: str = "en", hints: Iterable[str] = (), start: str = "/") -> bytes:
    """Return the page of an error answer; to be sent with `error_csp()`.

    status: 400 to 599; without words of its own a general sentence is shown.
    hints: nearest existing paths, percent-encoded, each beginning with one "/"; others are left out.
    start: where the link to the start leads, such a path too; "" for no link.
    """
    words = WORDS[language]
    heading, sentence = _ERRORS[language].get(status, _OTHER_ERRORS[language])
    links = "".join(_hint(path) for path in hints if path.startswith("/") and path[1:2] not in ("/", "\\"))
    near = f"<h2>{words['near']}</h2><ul>{links}</ul>" if links else ""
    home = f'<p class=start><a href="{escape(start)}">{words["start"]}</a>' if start and not links else ""
    title = f"{status} {reason_phrase(status)}".rstrip()
    return (
        f"{page_start(language, f'{status} · {heading}', f'<style>{style(_ERROR_STYLES)}</style>')}"
        f"<body><main>{asset('mark.svg')}<p class=status>{title}</p><h1>{heading}</h1><p>{sentence}</p>"
        f"{near}{home}</main></body></html>"
    ).encode()


_ERROR_STYLES = ("base.css", "error.css")


def _hint(path: str) -> str:
    name = decode_path(path)
    text = escape(path) if name is None else shown(name)
    return f'<li><a href="{escape(path)}"><bdi>{text}</bdi></a>'


@functools.cache
def _error_style_hash() -> str:
    from base64 import b64encode
    from hashlib import sha256

    return b64encode(sha256(style(_ERROR_STYLES).encode()).digest()).decode("ascii")
