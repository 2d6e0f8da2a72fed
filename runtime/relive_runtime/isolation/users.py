"""A user of its own for each worker: the kernel then keeps workers apart as it does people.

Only a server that runs as root can give one. A zygote has a block of numbers: if it imports the code of
others, the first is its own; each of its workers has one of the rest.
"""

from __future__ import annotations

import os
from typing import Final

from relive_runtime.isolation.syscalls import prctl

__all__ = ["ONLY_ROOT", "Users", "become", "keep_capabilities", "map_users", "users_of"]

ONLY_ROOT: Final = "only a server that runs as root can give one"

_PR_SET_DUMPABLE: Final = 4
_PR_SET_SECUREBITS: Final = 28
_NO_SETUID_FIXUP: Final = 1 << 2


class Users:  # a named tuple takes a quarter of a millisecond to make
    """A block of user numbers, which are those of groups, too."""

    __slots__ = ("first", "size")

    def __init__(self, first: int, size: int) -> None:
        self.first = first
        self.size = size


def users_of(given: object) -> Users | None:
    """From the bootstrap's options: a list of two numbers; None if there is none, or it is not root's to
    give."""
    if not isinstance(given, list) or os.geteuid():
        return None
    first, size = given
    return Users(int(first), int(size))


def become(uid: int) -> None:
    """Go on as this user, in the group of the same number and in no other. Raises OSError."""
    if os.getgroups():
        os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    prctl(_PR_SET_DUMPABLE, 1)  # else what it has in /proc is root's


def keep_capabilities() -> None:
    """From now on a change of the user takes none away. Raises OSError."""
    prctl(_PR_SET_SECUREBITS, _NO_SETUID_FIXUP)


def map_users(pid: int, users: Users) -> None:
    """In the user namespace of this process, whose parent's capabilities this one has, there are `users`.
    Raises OSError."""
    text = f"{users.first} {users.first} {users.size}".encode()
    for name, value in (("setgroups", b"deny"), ("uid_map", text), ("gid_map", text)):
        descriptor = os.open(f"/proc/{pid}/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, value)
        finally:
            os.close(descriptor)
