import grp
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from portico.errors import ConfigError
from portico.workers.identity import Identity, assume, find_identity, hand_over

NOBODY = pwd.getpwnam("nobody")
NO_NUMBER = "1234567"
DROP = """
import json, os, sys
from portico.errors import ConfigError
from portico.workers.identity import Identity, assume
assume(Identity(*json.loads(sys.argv[1])))
assume(Identity(*json.loads(sys.argv[1])))
back = []
for attempt in (os.setuid, os.setgid):
    try:
        attempt(0)
    except PermissionError:
        back.append("refused")
ids = [os.getresuid(), os.getresgid(), sorted(os.getgroups())]
print(json.dumps([*ids, os.environ["HOME"], os.environ["USER"], back]))
try:
    assume(Identity(0, 0, (0,), "root", "/root"))
except ConfigError as exc:
    print(exc)
"""
is_root = os.geteuid() == 0


@pytest.mark.parametrize("user", ["nobody", str(NOBODY.pw_uid)])
def test_a_user_by_name_and_by_number(user: str) -> None:
    groups = tuple(sorted(os.getgrouplist("nobody", NOBODY.pw_gid)))
    assert find_identity(user) == Identity(NOBODY.pw_uid, NOBODY.pw_gid, groups, "nobody", NOBODY.pw_dir)


@pytest.mark.parametrize("by_number", [False, True])
def test_another_group(by_number: bool) -> None:
    group = grp.getgrgid(0)
    found = find_identity("nobody", "0" if by_number else group.gr_name)
    assert found is not None
    assert (found.uid, found.gid) == (NOBODY.pw_uid, 0)
    assert 0 in found.groups


def test_a_group_alone_keeps_the_user() -> None:
    found = find_identity("", str(NOBODY.pw_gid))
    assert found is not None
    assert (found.uid, found.gid) == (os.geteuid(), NOBODY.pw_gid)


def test_neither() -> None:
    assert find_identity("") is None


def test_a_number_without_a_name() -> None:
    assert find_identity(NO_NUMBER, "7") == Identity(int(NO_NUMBER), 7, (7,))


@pytest.mark.parametrize(
    ("user", "group", "complaint"),
    [
        ("no-such-user", "", "--user 'no-such-user': this system has no such user"),
        ("99999999999", "1", "--user '99999999999': this system has no such user"),
        ("nobody", "no-such-group", "--group 'no-such-group': this system has no such group"),
        (NO_NUMBER, "", f"--user {NO_NUMBER} has no name on this system, so say a --group too"),
    ],
)
def test_who_is_not_there(user: str, group: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_identity(user, group)
    assert str(caught.value) == complaint


def test_who_one_is_already() -> None:
    before = dict(os.environ)
    assume(Identity(os.getuid(), os.getgid(), ()))
    assert dict(os.environ) == before


@pytest.mark.skipif(not is_root, reason="only root becomes another user")
def test_nothing_of_root_is_left() -> None:
    identity = '[65534, 65533, [65533, 65532], "nobody", "/nonexistent"]'
    done = subprocess.run([sys.executable, "-c", DROP, identity], capture_output=True, text=True, check=True)
    first, second = done.stdout.splitlines()
    assert first == (
        "[[65534, 65534, 65534], [65533, 65533, 65533], [65532, 65533], "
        '"/nonexistent", "nobody", ["refused", "refused"]]'
    )
    assert second == "cannot become user root: Operation not permitted; start as root or leave out --user"


@pytest.mark.skipif(not is_root, reason="only root becomes another user")
def test_a_number_without_a_home_keeps_the_environment() -> None:
    script = (
        "import os; from portico.workers.identity import Identity, assume; assume(Identity(99999, 99999, (99999,)));"
        "print(os.environ['HOME'], os.getuid())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={**os.environ, "HOME": "/x"}
    )
    assert done.stdout == "/x 99999\n"


@pytest.mark.skipif(not is_root, reason="only root becomes another user")
def test_another_group_and_home_within_this_process() -> None:
    groups, environment = os.getgroups(), dict(os.environ)
    try:
        # The same user, or there were no way back.
        assume(Identity(0, 65533, (65532, 65533), "somebody", "/nonexistent"))
        seen = os.getresuid(), os.getresgid(), sorted(os.getgroups())
        named = [os.environ[name] for name in ("HOME", "USER", "LOGNAME")]
    finally:
        os.setresgid(0, 0, 0)
        os.setgroups(groups)
        os.environ.clear()
        os.environ.update(environment)
    assert seen == ((0, 0, 0), (65533, 65533, 65533), [65532, 65533])
    assert named == ["/nonexistent", "somebody", "somebody"]


def test_who_may_not_stays_who_they_are() -> None:
    before = os.getresuid(), os.getresgid(), os.getgroups()
    # The group -1 is refused to root too, before anything has changed.
    with pytest.raises(ConfigError, match=r"cannot become user 1: .*; start as root or leave out --user"):
        assume(Identity(1, 1, (-1,)))
    assert (os.getresuid(), os.getresgid(), os.getgroups()) == before


def test_a_file_is_handed_over(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    own = Identity(os.getuid(), os.getgid(), ())
    target = Identity(NOBODY.pw_uid, NOBODY.pw_gid, ()) if is_root else own
    hand_over(str(tmp_path / "x"), target)
    status = os.stat(tmp_path / "x")
    assert (status.st_uid, status.st_gid) == (target.uid, target.gid)


def test_a_file_that_is_not_there_cannot_be_handed_over(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="x cannot be given to user 0: No such file"):
        hand_over(str(tmp_path / "x"), Identity(0, 0, ()))
