"""What a stack waits for, by who is on it; if the innermost line is the application's own, by its text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

__all__ = ["WAITS", "Wait", "wait_of"]

Wait = Literal["dns", "subprocess", "lock", "thread", "disk", "sleep", "network", "loop", "unknown"]

WAITS: Final[dict[Wait, str]] = {
    "dns": "looking up a host name",
    "subprocess": "waiting for a process that it has started",
    "lock": "waiting for a lock",
    "thread": "waiting for a thread of its own",
    "disk": "reading or writing files",
    "sleep": "sleeping",
    "network": "waiting for the network",
    "loop": "waiting in its event loop",
    "unknown": "waiting",
}
"""In words."""

_LOOKUPS: Final = frozenset({"getaddrinfo", "getnameinfo", "gethostbyname", "gethostbyaddr", "getfqdn"})
_FILES: Final[tuple[tuple[Wait, re.Pattern[str]], ...]] = (
    ("dns", re.compile(r"site-packages/(dns|aiodns|pycares)/")),
    ("subprocess", re.compile(r"python3\.\d+/(asyncio/)?(subprocess|base_subprocess)\.py$")),
    (
        "lock",
        re.compile(
            r"python3\.\d+/(queue|asyncio/(locks|queues)|multiprocessing/synchronize)\.py$|/filelock/"
        ),
    ),
    ("thread", re.compile(r"python3\.\d+/concurrent/futures/")),
    (
        "network",
        re.compile(
            r"python3\.\d+/(socket|ssl|http/client|urllib/request|asyncio/streams|ftplib|smtplib|imaplib)\.py$"
            r"|site-packages/(urllib3|requests|httpx|httpcore|h11|aiohttp|anyio|psycopg|psycopg2|asyncpg|redis|pymongo"
            r"|botocore|grpc|pymysql|aiomysql|nats|kafka|aiokafka|websockets|elasticsearch)/"
        ),
    ),
    ("disk", re.compile(r"python3\.\d+/(pathlib|shutil|tempfile|fileinput|tarfile|zipfile|dbm/|sqlite3/)")),
)
_THREADING: Final[dict[str, Wait]] = {
    "Thread.join": "thread", "Thread._wait_for_tstate_lock": "thread", "Condition.wait": "lock",
    "Event.wait": "lock", "Semaphore.acquire": "lock", "Barrier.wait": "lock", "RLock.acquire": "lock",
    "_RLock.acquire": "lock",
}  # fmt: skip
_LINES: Final[tuple[tuple[Wait, re.Pattern[str]], ...]] = (
    ("dns", re.compile(r"\b(getaddrinfo|gethostby\w+|getnameinfo|getfqdn)\b")),
    ("sleep", re.compile(r"\bsleep\s*\(")),
    (
        "subprocess",
        re.compile(r"\b(waitpid|wait4|Popen|check_output|check_call|os\.system)\b|\.communicate\("),
    ),
    ("thread", re.compile(r"\b(thread|threads|worker)\w*\.join\(|\.result\(|\.as_completed\(")),
    (
        "lock",
        re.compile(
            r"\bacquire\w*\s*\(|flock|lockf|\bwith\s+[\w.]*(?<![a-z])(lock|mutex|sem(aphore)?|condition)\w*\s*[:(]|_lock\b",
            re.I,
        ),
    ),
    (
        "network",
        re.compile(r"\.(recv\w*|accept|connect|sendall|getresponse|urlopen|makefile)\s*\(|\burlopen\("),
    ),
    (
        "disk",
        re.compile(
            r"\b(fsync|fdatasync|sync|sendfile|copyfile\w*|open)\s*\("
            r"|\.(write|writelines|flush|read|readline|readlines|readinto|write_bytes|write_text|read_bytes|read_text)"
            r"\s*\("
        ),
    ),
)


def wait_of(names: Sequence[str], files: Sequence[str], line_text: str) -> Wait:
    """Frames from the outermost; `line_text`: of the innermost one, if it is known."""
    if not names:
        return "unknown"
    if any(name.rpartition(".")[2] in _LOOKUPS for name in names):
        return "dns"
    by_line = _by_line(line_text)
    if by_line is not None:
        return by_line
    for name, file in zip(reversed(names), reversed(files), strict=True):
        if not file.startswith(("python3.", "site-packages/", "<")):
            break
        found = _by_frame(name, file)
        if found is not None:
            return found
    return "unknown"


def _by_frame(name: str, file: str) -> Wait | None:
    if file.endswith("/threading.py"):
        return _THREADING.get(name)
    if file.endswith("/asyncio/tasks.py"):
        return "sleep" if name == "sleep" else None
    if file.endswith("/selectors.py"):
        return "loop"
    return next((kind for kind, pattern in _FILES if pattern.search(file)), None)


def _by_line(text: str) -> Wait | None:
    return next((kind for kind, pattern in _LINES if pattern.search(text)), None)
