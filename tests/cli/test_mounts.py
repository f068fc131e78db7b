"""What is served beside an application: read, refused."""

from pathlib import Path

import pytest

from portico.cli.mounts import Mount, check_mounts, mount_path, parse_static
from portico.errors import ConfigError, UsageError


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("/static=public", Mount("/static", "public")),
        ("/static/=public/", Mount("/static", "public/")),
        ("/a/b=x=y", Mount("/a/b", "x=y")),
    ],
)
def test_a_folder_and_its_path(text: str, mount: Mount) -> None:
    assert parse_static([text]) == [mount]


@pytest.mark.parametrize("text", ["", "public", "/static", "/static=", "static=public", "=public"])
def test_what_is_no_mount(text: str) -> None:
    with pytest.raises(UsageError, match="is not /PATH=DIR, as /static=public"):
        parse_static([text])


@pytest.mark.parametrize("text", ["/", "//", "", "x"])
def test_the_top_is_the_applications(text: str) -> None:
    with pytest.raises(
        UsageError, match="is not a path to mount at: it begins with a slash, and / is the application's"
    ):
        mount_path(text)


def test_two_at_one_path() -> None:
    with pytest.raises(UsageError, match="two things are mounted at '/a'"):
        check_mounts([Mount("/a", app="x:y"), Mount("/a", app="x:z")])


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    check_mounts([Mount("/a", str(tmp_path)), Mount("/b", app="x:y")])
    with pytest.raises(ConfigError, match=r"there is no folder '.*/missing' to serve at /a"):
        check_mounts([Mount("/a", str(tmp_path / "missing"))])
