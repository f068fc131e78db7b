"""The search: words of two Chinese characters, before and after changes; and no word that is taken for a language."""

from collections.abc import Iterator

import pytest
from tests.acceptance.chat_hostile.hostile_stage import Chat, Crowd, Somebody

SAID = (
    "打印机坏了，谁来修？",
    "Please use the printer on floor 2",
    "c++ 和 SQL 的 O'Reilly 书",
    "东京タワー 한국어 café",
    "100%_\\",
)
# What is asked for, and which of what was said is found.
FOUND: tuple[tuple[str, list[int]], ...] = (
    *(
        ("打印", [0]),
        ("印机", [0]),
        ("坏了", [0]),
        ("打印机", [0]),
        ("打 机", [0]),
        ("修", [0]),
        ("打坏", []),
        ("印打", []),
    ),
    *(("printer", [1]), ("PRINTER floor", [1]), ("print", []), ("floor 2", [1]), ("东京", [3]), ("タワー", [3])),
    *(
        ("한국어", [3]),
        ("cafe", [3]),
        ("café", [3]),
        ("O'Reilly", [2]),
        ("sql", [2]),
        ("c++", [2]),
        ("100", [4]),
        ("", []),
    ),
)
# FTS5 and SQL in place of words: each is words, or nothing at all.
SYNTAX = (
    *(
        '"',
        '"打印',
        '"打印" OR "printer"',
        "打印 OR printer",
        "打印 AND printer",
        "NOT 打印",
        "打印 NOT 机",
        "NEAR(打 印)",
    ),
    *(
        "NEAR(打 印, 5)",
        "print*",
        "*",
        "^打印",
        "words:打印",
        "words : printer",
        "{words} : printer",
        "- printer",
        "-printer",
    ),
    *(
        "打印 +机",
        "(打印",
        "打印)",
        "((",
        "rowid:1",
        "found",
        "found MATCH 'x'",
        "'; DROP TABLE event; --",
        "' OR '1'='1",
    ),
    *(
        "1; SELECT * FROM person",
        "%",
        "_",
        "\\",
        "\0",
        "打\0印",
        "\x1b[2J",
        "\u202e",
        "\ufdd0",
        "🙂",
        "a" * 200,
        "打" * 200,
    ),
    *(
        " ".join("abcdefghijklmnopqrst"),
        "AND",
        "OR",
        "NOT",
        "NEAR",
        "AND OR",
        '""',
        "''",
        "``",
        "--",
        "/*",
        "?",
        ":1",
        "@x",
        "$x",
    ),
)


@pytest.fixture(scope="module")
def somebody(shared_chat: Chat) -> Iterator[Somebody]:
    """Somebody in a room where these things were said; beside it one who said the same where nobody else reads."""
    _, token = shared_chat.person("user", "Li")
    _, others_token = shared_chat.person("user", "Wang")
    with shared_chat.socket(others_token) as other:
        room = other.ask("room.make", title="Elsewhere")["c"]
        for text in (*SAID, "elsewhere"):
            assert other.say(room, text)["t"] == "ack"
    with shared_chat.socket(token) as somebody:
        room = somebody.ask("room.make", title="Office")["c"]
        for text in SAID:
            assert somebody.say(room, text)["t"] == "ack"
        yield somebody


def texts(somebody: Somebody, words: str) -> list[str]:
    return sorted(one["text"] for one in somebody.ask("search", text=words)["found"])


def test_words_are_found_in_what_one_may_read(chat: Chat, somebody: Somebody) -> None:
    for words, numbers in FOUND:
        assert texts(somebody, words) == sorted(SAID[number] for number in numbers), words
    assert texts(somebody, "elsewhere") == []


def test_a_query_language_is_words(chat: Chat, somebody: Somebody) -> None:
    crowd = Crowd(chat, "user")
    for query in SYNTAX:
        answer = crowd.ask("search", text=query)
        assert (answer["t"], answer.get("found")) == ("ok", []), (query, answer)
    crowd.close()
    with chat.netcat() as netcat:
        netcat.type("hello", *(f"/search {query}" for query in SYNTAX[:20] if "\0" not in query))
        netcat.rest()
    assert chat.rows("SELECT count(*) > 10 FROM event") == [(1,)]


def test_a_query_language_reaches_nothing_of_others(chat: Chat, somebody: Somebody) -> None:
    for query in ('elsewhere" OR "打印', "elsewhere OR printer", "NOT x", "words:elsewhere"):
        assert not any("elsewhere" in text for text in texts(somebody, query)), query


def test_what_is_changed_and_deleted_is_found_as_it_is(chat: Chat) -> None:
    _, token = chat.person("user", "Editor")
    with chat.socket(token) as editor:
        room = editor.ask("room.make", title="Drafts")["c"]
        seq = editor.say(room, "周三开会")["s"]
        assert texts(editor, "开会") == ["周三开会"]
        assert editor.say(room, "周四聚餐", k="edit", ref=seq)["t"] == "ack"
        assert (texts(editor, "开会"), texts(editor, "周三"), texts(editor, "聚餐")) == ([], [], ["周四聚餐"])
        assert editor.say(room, "", k="del", b={}, ref=seq)["t"] == "ack"
        assert (texts(editor, "聚餐"), texts(editor, "周四")) == ([], [])
        assert texts(editor, "开会") == []
