"""seccomp: system calls that no function needs and that reach beyond its process answer EPERM.

The classic BPF program is assembled once, in the zygote; a worker only hands it to the kernel.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from dataclasses import dataclass
from typing import Final

from relive_platform.isolation.syscalls import supported, syscall

__all__ = ["DENIED", "Filter", "assemble", "available", "install", "machine"]

_SET_MODE_FILTER: Final = 1
_GET_ACTION_AVAIL: Final = 2
_FLAG_SPEC_ALLOW: Final = (
    1 << 2
)  # no speculation mitigation: it would slow the user's code, and guards nothing here
_RET_ALLOW: Final = 0x7FFF_0000
_RET_ERRNO: Final = 0x0005_0000
_RET_KILL_PROCESS: Final = 0x8000_0000

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_JUMP_ALWAYS: Final = 0x05
_JUMP_EQUAL: Final = 0x15
_JUMP_GREATER_EQUAL: Final = 0x35
_JUMP_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06
_AT_NUMBER: Final = 0
_AT_ARCH: Final = 4
_AT_FIRST_ARGUMENT: Final = 16  # low half; both machines are little-endian
_X32_BIT: Final = 0x4000_0000

# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_NEW_NAMESPACES: Final = (
    0x0002_0000 | 0x0200_0000 | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000
)

# name: (x86_64, aarch64); -1 where the machine has none. From the kernel's system call tables.
DENIED: Final[dict[str, tuple[int, int]]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "unshare": (272, 97),
    "setns": (308, 268),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "clock_adjtime": (305, 266),
    "adjtimex": (159, 171),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, -1),
    "ioperm": (173, -1),
    "modify_ldt": (154, -1),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "vhangup": (153, 58),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
}
_CLONE: Final = (56, 220)
_CLONE3: Final = 435
_ARCHITECTURES: Final = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
_INSTRUCTION: Final = struct.Struct("=HBBI")


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p))


@dataclass(frozen=True, slots=True)
class Filter:
    """A BPF program, ready for the kernel."""

    code: bytes

    def __len__(self) -> int:
        return len(self.code) // _INSTRUCTION.size


def machine() -> str:
    """The processor family, as the kernel names it."""
    return os.uname().machine


def _nr_seccomp() -> int:
    return 317 if machine() == "x86_64" else 277


def available() -> bool:
    """Whether the kernel takes filters that answer with an error number."""
    if not supported():
        return False
    try:
        syscall(_nr_seccomp(), _GET_ACTION_AVAIL, 0, ctypes.byref(ctypes.c_uint32(_RET_ERRNO)))
    except OSError:
        return False
    return machine() in _ARCHITECTURES


def assemble(family: str) -> Filter:
    """The program for `family` ("x86_64" or "aarch64"). Raises KeyError for another one.

    clone3 answers ENOSYS, so that the C library falls back to clone, whose flags can be looked at.
    """
    column = 0 if family == "x86_64" else 1
    arch = _ARCHITECTURES[family]
    numbers = sorted(pair[column] for pair in DENIED.values() if pair[column] >= 0)
    deny = _RET_ERRNO | errno.EPERM
    body: list[tuple[int, int, int, int]] = [
        (_LOAD, 0, 0, _AT_ARCH),
        (_JUMP_EQUAL, 1, 0, arch),
        (_RETURN, 0, 0, _RET_KILL_PROCESS),
        (_LOAD, 0, 0, _AT_NUMBER),
    ]
    if column == 0:
        body += [(_JUMP_GREATER_EQUAL, 0, 1, _X32_BIT), (_RETURN, 0, 0, deny)]
    body += [(_JUMP_EQUAL, 0, 1, _CLONE3), (_RETURN, 0, 0, _RET_ERRNO | errno.ENOSYS)]
    body += _binary_search(numbers, deny)
    body += [
        (_JUMP_EQUAL, 0, 3, _CLONE[column]),
        (_LOAD, 0, 0, _AT_FIRST_ARGUMENT),
        (_JUMP_ANY_BIT, 0, 1, _NEW_NAMESPACES),
        (_RETURN, 0, 0, deny),
        (_RETURN, 0, 0, _RET_ALLOW),
    ]
    return Filter(b"".join(_INSTRUCTION.pack(*instruction) for instruction in body))


def _binary_search(numbers: list[int], deny: int) -> list[tuple[int, int, int, int]]:
    """Compare with each number; most calls are below or above a whole block and jump over it at once."""
    size = 16
    program: list[tuple[int, int, int, int]] = []
    for start in range(0, len(numbers), size):
        block = numbers[start : start + size]
        # past the block: its comparisons and its return
        program.append((_JUMP_GREATER_EQUAL, 0, len(block) + 3, block[0]))
        program.append((_JUMP_GREATER_EQUAL, len(block) + 2, 0, block[-1] + 1))
        for index, number in enumerate(block):
            program.append((_JUMP_EQUAL, len(block) - index, 0, number))
        program.append((_JUMP_ALWAYS, 0, 0, 1))
        program.append((_RETURN, 0, 0, deny))
    return program


def install(program: Filter) -> None:
    """Put this process, for good, under `program`. The caller has set no_new_privs. Raises OSError."""
    buffer = ctypes.create_string_buffer(program.code, len(program.code))
    descriptor = _Program(len(program), ctypes.cast(buffer, ctypes.c_void_p))
    syscall(_nr_seccomp(), _SET_MODE_FILTER, _FLAG_SPEC_ALLOW, ctypes.byref(descriptor))
