"""What a look at a folder finds: files, what is hidden, links that lead out, secrets."""

from pathlib import Path

import pytest

from portico.apps.files.root import Root
from portico.cli import survey as module
from portico.cli.survey import Survey, looks_secret, survey


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a little of everything."""
    root = tmp_path / "root"
    for name in ("a/b", ".git", ".well-known"):
        (root / name).mkdir(parents=True)
    for name in ("a/one.txt", "a/b/two.txt", ".env", ".git/config", ".well-known/x", "server.pem"):
        (root / name).write_text("12345")
    (root / "out").symlink_to("/")
    (root / "nowhere").symlink_to("missing")
    (root / "a" / "again").symlink_to("../a")
    return root


def found_in(folder: Path, *, shows_hidden: bool = False, name: str = "") -> Survey:
    root = Root(str(folder), hidden=True)
    found = survey({name: root}, shows_hidden=shows_hidden)
    root.close()
    return found


def test_a_folder(folder: Path) -> None:
    found = found_in(folder)
    assert (found.files, found.size, found.is_partial) == (4, 20, False)
    assert sorted(found.hidden) == [".env", ".git"]
    assert sorted(found.outside) == ["nowhere", "out"]
    assert found.secrets == ["server.pem"]


def test_a_folder_whose_dotfiles_are_served(folder: Path) -> None:
    found = found_in(folder, shows_hidden=True)
    assert (found.files, found.hidden) == (6, [])
    assert sorted(found.secrets) == [".env", ".git", "server.pem"]


def test_names_begin_with_their_share(folder: Path) -> None:
    assert found_in(folder, name="docs").secrets == ["docs/server.pem"]


def test_one_file(folder: Path) -> None:
    root = Root.for_file(str(folder / ".env"))
    found = survey({"": root}, shows_hidden=True)
    root.close()
    assert (found.files, found.size, found.secrets) == (1, 5, [".env"])


def test_it_can_be_stopped(folder: Path) -> None:
    root = Root(str(folder), hidden=True)
    found = survey({"": root}, shows_hidden=False, is_stopped=lambda: True)
    root.close()
    assert found == Survey(is_partial=True)


def test_a_folder_that_goes_away_is_passed_over(folder: Path) -> None:
    root = Root(str(folder), hidden=True)
    folder.rename(folder.with_name("elsewhere"))
    assert survey({"": root}, shows_hidden=False) == Survey()
    root.close()


def test_names_are_noted_up_to_a_hundred(tmp_path: Path) -> None:
    for number in range(120):
        (tmp_path / f".{number}").touch()
    assert len(found_in(tmp_path).hidden) == module.MAX_NAMES


def test_entries_are_counted_up_to_a_bound(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}").touch()
    root = Root(str(tmp_path))
    found = survey({"": root}, shows_hidden=False, most=10)
    root.close()
    assert (found.files, found.is_partial) == (10, True)


@pytest.mark.parametrize(
    ("name", "is_secret"),
    [
        ("id_rsa", True),
        ("ID_RSA", True),
        ("id_rsa.pub", False),
        (".env", True),
        (".env.local", True),
        (".env.example", False),
        ("backup.sqlite", True),
        ("server.key", True),
        ("keynote.mp4", False),
        (".git", True),
        (".gitignore", False),
        ("index.html", False),
    ],
)
def test_what_looks_secret(name: str, is_secret: bool) -> None:
    assert looks_secret(name) is is_secret
