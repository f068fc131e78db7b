"""Questions: their charset, their end, their language; and what is no text."""

import pytest

from portico.apps.services.question import Mistake, Question, read_question, shown
from portico.errors import PeerError


@pytest.mark.parametrize(
    ("datagram", "question"),
    [
        (b"", Question("", "utf-8")),
        (b"36.6", Question("36.6", "utf-8")),
        (b"36.6\n", Question("36.6", "utf-8", "\n")),
        (b"36.6\r\n", Question("36.6", "utf-8", "\n")),
        (b"\n", Question("", "utf-8", "\n")),
        (b" a ", Question(" a ", "utf-8")),
        ("时间".encode("gbk"), Question("时间", "gb18030")),
    ],
)
def test_a_datagram_is_read(datagram: bytes, question: Question) -> None:
    assert read_question(datagram) == question


@pytest.mark.parametrize(
    ("datagram", "answer"),
    [
        (b"a", "℃".encode()),
        (b"a\r\n", "℃\n".encode()),
        ("时".encode("gbk"), "℃".encode("gbk")),
    ],
)
def test_an_answer_is_written_as_its_question(datagram: bytes, answer: bytes) -> None:
    assert read_question(datagram).answer("℃") == answer


@pytest.mark.parametrize(
    ("question", "complaint"),
    [
        (Question("a", "utf-8"), b"error: no"),
        (Question("é", "utf-8"), b"error: no"),
        (Question("时", "utf-8"), "错误：不".encode()),
        (Question("％", "utf-8", "\n"), "错误：不\n".encode()),
        (Question("a", "gb18030"), "错误：不".encode("gbk")),
        (Question("时", "iso8859-1"), b"??????"[:4]),
    ],
)
def test_a_complaint_is_in_the_language_of_its_question(question: Question, complaint: bytes) -> None:
    assert question.complain(Mistake("no", "不")) == complaint


@pytest.mark.parametrize("text", ["", "36.6", "时间：%Y年", "a\tb", "😀" * 8])
def test_what_is_text(text: str) -> None:
    Question(text, "utf-8").check(8)


@pytest.mark.parametrize(
    ("text", "en", "zh"),
    [
        ("123456789", "9 characters are too many; at most 8 are read", "共 9 个字符，太长了；最多 8 个"),
        ("\0", "'\\x00' is not text; send UTF-8 or GBK", "'\\x00' 不是文本；请用 UTF-8 或 GBK 发送"),
        ("a\nb", "'a\\nb' is not text; send UTF-8 or GBK", "'a\\nb' 不是文本；请用 UTF-8 或 GBK 发送"),
        ("\x9b", "'\\x9b' is not text; send UTF-8 or GBK", "'\\x9b' 不是文本；请用 UTF-8 或 GBK 发送"),
        ("\ufffd", "'\ufffd' is not text; send UTF-8 or GBK", "'\ufffd' 不是文本；请用 UTF-8 或 GBK 发送"),
    ],
)
def test_what_is_none(text: str, en: str, zh: str) -> None:
    with pytest.raises(Mistake) as raised:
        Question(text, "utf-8").check(8)
    assert (raised.value.en, raised.value.zh) == (en, zh)
    assert isinstance(raised.value, PeerError)
    assert raised.value.status == 400


def test_little_of_a_question_is_shown() -> None:
    assert shown("x" * 99) == f"'{'x' * 40}'..."
