"""Become another user once the ports are open: names in, a changed process out.

    identity = find_identity(user, group)     before anything is opened: are there such names?
    hand_over(path, identity)                 a file that the new user is to remove or rewrite
    assume(identity)                          for good; what this process starts runs as that user too

Everything of the former user goes: real, effective and saved ids, supplementary groups, HOME, USER and LOGNAME.
"""

import os
from typing import NamedTuple

from portico.errors import ConfigError, excerpt


class Identity(NamedTuple):
    """Whom to run as. groups: the supplementary ones, gid among them.

    name, home: of the user; "" where the system has only the number.
    """

    uid: int
    gid: int
    groups: tuple[int, ...]
    name: str = ""
    home: str = ""


def find_identity(user: str, group: str = "") -> Identity | None:
    """Look up a user and a group, each by name or number.

    user: "" for the present one. group: "" for the user's own; with another one the user's supplementary groups stay.
    Returns None where both are empty. Raises ConfigError for a name that this system does not know, and for a user's
    number without a name where no group is given.
    """
    import pwd

    if not user and not group:
        return None
    try:
        entry = pwd.getpwnam(user) if user and not _is_number(user) else pwd.getpwuid(int(user or os.geteuid()))
    except KeyError:
        uid = _bare_uid(user, group)
        return Identity(uid, _gid(group), (_gid(group),))
    gid = _gid(group) if group else entry.pw_gid
    groups = tuple(sorted({gid, *os.getgrouplist(entry.pw_name, gid)}))
    return Identity(entry.pw_uid, gid, groups, entry.pw_name, entry.pw_dir)


def _bare_uid(user: str, group: str) -> int:
    if user and not _is_number(user):
        raise ConfigError(f"--user {excerpt(user)}: this system has no such user")
    if not group:
        raise ConfigError(f"--user {user} has no name on this system, so say a --group too")
    return int(user or os.geteuid())


def _gid(group: str) -> int:
    import grp

    if _is_number(group):
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError as exc:
        raise ConfigError(f"--group {excerpt(group)}: this system has no such group") from exc


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) < 1 << 31


def hand_over(path: str, identity: Identity) -> None:
    """Give a file to the user that this process is about to become. Raises ConfigError where that is refused."""
    try:
        os.chown(path, identity.uid, identity.gid, follow_symlinks=False)
    except OSError as exc:
        raise ConfigError(f"{path} cannot be given to user {identity.name or identity.uid}: {exc.strerror}") from exc


def assume(identity: Identity) -> None:
    """Become this user, for good. Does nothing where this process is that user already.

    Raises ConfigError where the system refuses, as it does to anyone but root.
    """
    if (os.getuid(), os.geteuid(), os.getgid(), os.getegid()) == (identity.uid,) * 2 + (identity.gid,) * 2:
        return
    try:
        # In this order: who is no longer root may set no group. For root each sets all three ids (setuid(2)).
        os.setgroups(identity.groups)
        os.setgid(identity.gid)
        os.setuid(identity.uid)
    except OSError as exc:
        who = identity.name or identity.uid
        raise ConfigError(f"cannot become user {who}: {exc.strerror}; start as root or leave out --user") from exc
    # As systemd sets them for User=: programs look for their files in the home of whom they run as.
    known = {"HOME": identity.home, "USER": identity.name, "LOGNAME": identity.name}
    os.environ.update({name: value for name, value in known.items() if value})
