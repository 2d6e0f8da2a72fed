"""Runs the work of real clients with the sampler off and on, many times, and prints whether anything differs.

    pip install gevent
    python scripts/signal_safety.py [ROUNDS]

PostgreSQL and Redis are those of Debian (scripts/install_servers.sh). A look is due every half millisecond,
four times as often as by default; "interrupted" is `profile_threads = true`, with which system calls do not
restart; "in a thread" it ticks as often, by the real clock. Ends with 1 if a result differs.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from pull_servers import Postgres, Redis, running
from signal_clients import IN_THREADS, LOCAL, SERVERS, with_signals, with_ticks


def main(rounds: int) -> int:
    """How many clients have a result that differs."""
    different = 0
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        work: dict[str, Callable[[], Any]] = {
            name: (lambda function=function: function(folder)) for name, function in LOCAL.items()
        }
        for name, kind in (("psycopg", Postgres), ("redis-py", Redis)):
            url = stack.enter_context(running(kind)).url
            work[name] = lambda function=SERVERS[name], url=url: function(url)
        for name, function in work.items():
            different += bool(_compare(name, function, rounds))
    return different


def _compare(name: str, function: Callable[[], Any], rounds: int) -> int:
    expected = function()
    print(f"{name:12}", end="")
    wrong = 0
    ways: dict[str, Callable[[], tuple[Any, int]]] = {
        "restarted": lambda: with_signals(function, False),
        "interrupted": lambda: with_signals(function, True),
    }
    if name in IN_THREADS or name in SERVERS:
        ways["in a thread"] = lambda: with_ticks(function)
    for way, run in ways.items():
        looks = 0
        differs = 0
        for _ in range(rounds):
            found, count = run()
            looks += count
            differs += found != expected
        wrong += differs
        print(f"{way:>14} {differs} of {rounds} differ, {looks} looks", end="")
    print(flush=True)
    return wrong


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20) > 0)
