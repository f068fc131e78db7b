"""A question: the text of one datagram, and how its answer is to be written.

In: a datagram in any charset, perhaps with the line feed of a person who typed it. Out: its text; and, for an answer,
bytes in the same charset, with the same end, and in Chinese where the question was.
"""

import re
from typing import Final, NamedTuple

from portico.errors import PeerError, excerpt
from portico.wire.charset import AUTO, GB18030, decode_text, encode_text

# The ports of echo, daytime, qotd, chargen and time, which answer whatever comes. A datagram from one is forged, so
# that two services answer each other for ever; inetd drops the same, and so do the services here.
ANSWERING_MACHINES = frozenset((7, 13, 17, 19, 37))

_CHINESE = re.compile("[\u3000-\u303f\u3400-\u9fff\uff00-\uff64\U00020000-\U0003ffff]")
_NO_TEXT = re.compile("[\0-\x08\n-\x1f\x7f-\x9f\ufffd]")
_SHOWN_CHARS: Final = 40


class Mistake(PeerError):
    """What is wrong with a question, in both languages; it is answered with one line, and never leaves the services."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(400, en)
        self.en = en
        self.zh = zh


class Question(NamedTuple):
    """One question. text: without its line end. charset: what it was in. end: its line end, "" for none."""

    text: str
    charset: str
    end: str = ""

    def answer(self, text: str) -> bytes:
        """Write an answer."""
        return encode_text(text + self.end, self.charset)

    def complain(self, mistake: Mistake) -> bytes:
        """Write what is wrong with the question, in Chinese where it is Chinese, or in a charset of China."""
        is_chinese = self.charset == GB18030 or _CHINESE.search(self.text)
        return self.answer(f"错误：{mistake.zh}" if is_chinese else f"error: {mistake.en}")

    def check(self, most_chars: int) -> None:
        """Raise Mistake where this is no text, or one of more than so many characters."""
        if len(self.text) > most_chars:
            raise Mistake(
                f"{len(self.text)} characters are too many; at most {most_chars} are read",
                f"共 {len(self.text)} 个字符，太长了；最多 {most_chars} 个",
            )
        if _NO_TEXT.search(self.text):
            seen = shown(self.text)
            raise Mistake(f"{seen} is not text; send UTF-8 or GBK", f"{seen} 不是文本；请用 UTF-8 或 GBK 发送")


def read_question(datagram: bytes, encoding: str = AUTO) -> Question:
    """Read a datagram. encoding: see `wire.charset.find_charset`, which also says what is raised."""
    text, charset = decode_text(datagram, encoding)
    stripped = text.rstrip("\r\n")
    return Question(stripped, charset, "\n" if stripped != text else "")


def shown(text: str) -> str:
    """Quote a part of a question in an answer: short, one line, printable."""
    return excerpt(text, _SHOWN_CHARS)
