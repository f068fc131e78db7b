"""Cookies stay in their file, which is whole or as it was, and for its owner alone."""

import os
from pathlib import Path

import pytest

from portico.cli.fetch_jar import kept_jar
from portico.errors import ConfigError
from portico.http.url import parse_url

URL = parse_url("http://example.com/")
NOW = 2_000_000_000


def learn(path: Path, exc: BaseException | None = None) -> None:
    with kept_jar(str(path)) as jar:
        assert jar is not None
        jar.store(URL, "a=1; Max-Age=9999999999", NOW)
        if exc is not None:
            raise exc


def test_no_file_is_no_jar() -> None:
    with kept_jar("") as jar:
        assert jar is None


def test_what_is_learnt_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "jar"
    learn(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["jar"]
    with kept_jar(str(path)) as jar:
        assert jar is not None
        assert jar.field_for(URL, NOW) == "a=1"


def test_a_jar_is_kept_after_a_failure_too_and_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "jar")
    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path / "link", KeyboardInterrupt())
    assert (tmp_path / "link").is_symlink()
    assert "\ta\t1\n" in (tmp_path / "jar").read_text()


def test_a_jar_without_news_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "jar"
    with kept_jar(str(path)):
        pass
    assert not path.exists()


def test_what_cannot_be_read_or_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--cookies .* cannot be read: Is a directory"), kept_jar(str(tmp_path)):
        pass
    with pytest.raises(ConfigError, match=r"--cookies .* cannot be written: No such file"):
        learn(tmp_path / "missing" / "jar")


def test_what_has_expired_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "jar"
    path.write_text("old.example\tFALSE\t/\tFALSE\t5\ta\t1\nnew.example\tFALSE\t/\tFALSE\t0\tb\t2\n")
    learn(path)
    text = path.read_text()
    assert "old.example" not in text
    assert "new.example" in text
    assert "example.com" in text


def test_what_others_wrote_in_utf_8_is_sent_and_kept_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "jar"
    line = "example.com\tFALSE\t/\tFALSE\t0\tname\t中文\n".encode()
    path.write_bytes(line)
    with kept_jar(str(path)) as jar:
        assert jar is not None
        assert jar.field_for(URL, NOW).encode("latin-1") == "name=中文".encode()
        jar.store(URL, "a=1", NOW)
    assert line in path.read_bytes()
