"""Every text exists in both languages, with the same places; the environment chooses."""

import string

import pytest

from portico.cli.words import TEXTS, Text, Words, language_of


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", TEXTS)
def test_both_languages_have_the_same_places(key: str) -> None:
    text = TEXTS[key]
    assert places(text.en) == places(text.zh)
    assert places(text.one) <= places(text.en)
    assert not text.one or "n" in places(text.en)


@pytest.mark.parametrize("text", TEXTS.values())
def test_chinese_has_chinese_punctuation(text: Text) -> None:
    for before, mark in zip(text.zh, text.zh[1:], strict=False):
        assert not ("\u4e00" <= before <= "\u9fff" and mark in ",;:?!()"), text.zh


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "de_DE.UTF-8"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "zh_TW.UTF-8"}, "zh"),
        ({"LC_ALL": "", "LANG": "zh_CN"}, "zh"),
        ({"PORTICO_LANG": "en", "LC_ALL": "zh_CN"}, "en"),
        ({"PORTICO_LANG": "ZH", "LC_ALL": "C"}, "zh"),
    ],
)
def test_the_language_of_an_environment(environ: dict[str, str], language: str) -> None:
    assert language_of(environ) == language


@pytest.mark.parametrize(
    ("n", "en", "zh"), [(0, "0 requests", "0 个请求"), (1, "1 request", "1 个请求"), (2, "2 requests", "2 个请求")]
)
def test_one_and_many(n: int, en: str, zh: str) -> None:
    assert (Words("en")("requests", n=n), Words("zh")("requests", n=n)) == (en, zh)
