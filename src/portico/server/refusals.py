"""Answers that say no: a small page, JSON or a line of text, by what the client accepts (RFC 9110 12.5.1).

In: a status and a reason; out: a `Response`. Nothing of the server, of paths or of other requests is in it.
"""

from collections.abc import Iterable, Mapping

from portico.http.message import Response
from portico.http.negotiation import choose_language, choose_media_type
from portico.http.status import reason_phrase
from portico.wire.answer import WholeAnswer

_TYPES = ("text/plain", "text/html", "application/json")
_STYLE = (
    "body{font:16px/1.6 system-ui,sans-serif;max-width:36em;margin:18vh auto 0;padding:0 1.5em;color:#223;"
    "background:#fff}h1{font-size:1.5em;font-weight:600;margin:0}b{color:#a33;font-weight:600;margin-right:.5em}"
    "p{color:#556}a{color:#26c}@media(prefers-color-scheme:dark){body{background:#15171c;color:#dde}"
    "p{color:#99a}b{color:#f88}a{color:#8ab4ff}}"
)
# No module is imported for a refusal: there may be no descriptor left to read one with.
_IN_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
_IN_JSON = str.maketrans({'"': '\\"', "\\": "\\\\", **{chr(code): f"\\u{code:04x}" for code in range(32)}})
_TITLES_ZH = {
    400: "请求有误",
    401: "需要登录",
    403: "禁止访问",
    404: "找不到页面",
    405: "不支持此方法",
    408: "请求超时",
    412: "前提条件不满足",
    413: "内容过大",
    414: "网址过长",
    416: "范围无法满足",
    417: "无法满足期望",
    421: "主机名不对",
    429: "请求过多",
    431: "请求头过大",
    500: "服务器出错",
    501: "未实现",
    503: "服务暂不可用",
    505: "不支持的 HTTP 版本",
}


def refusal(status: int, reason: str, values: Mapping[str, str], fields: Iterable[tuple[str, str]] = ()) -> Response:
    """Make the answer that refuses a request.

    status: 400 to 599. reason: one line for the person on the other side, safe to show.
    values: the request's fields, for Accept and Accept-Language; empty where there is no request.
    fields: added to the answer (Allow, Retry-After, Content-Range).
    """
    kind = choose_media_type(values.get("accept"), _TYPES) or "text/plain"
    language = choose_language(values.get("accept-language"), ("en", "zh"), default="en")
    title = reason_phrase(status) or "Error"
    if kind == "application/json":
        body = f'{{"status": {status}, "title": "{title}", "detail": "{reason.translate(_IN_JSON)}"}}\n'
    elif kind == "text/plain":
        body = f"{status} {title}: {reason}\n"
        kind += "; charset=utf-8"
    else:
        body = page(status, reason, language)
        kind += "; charset=utf-8"
    basic = (
        ("Content-Type", kind),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-store"),
        ("Vary", "Accept, Accept-Language"),
    )
    return Response(status, (*basic, *fields), body.encode())


def page(status: int, reason: str, language: str) -> str:
    """Draw the small page of a refusal. language: "en" or "zh"."""
    title = (_TITLES_ZH.get(status, "") if language == "zh" else "") or reason_phrase(status)
    return (
        f'<!doctype html><html lang="{language}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="color-scheme" '
        f'content="light dark"><title>{status} {title}</title><style>{_STYLE}</style>'
        f"<h1><b>{status}</b>{title}</h1><p>{reason.translate(_IN_HTML)}</p></html>\n"
    )


def refusal_answer(status: int, reason: str) -> WholeAnswer:
    """Make the answer to something that never became a request."""
    response = refusal(status, reason, {})
    assert isinstance(response.body, bytes)
    return WholeAnswer(status, response.fields, response.body)
