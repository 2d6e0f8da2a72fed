"""Kills the collector, the store, the server and workers at random under load, and compares what callers were
answered with what was recorded.

    python tests/support/kill_rounds.py [ROUNDS] [SEED]
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from relive_cli import Relive
from rounds import Rounds, children

SOURCE = """
import json, logging

def fine(event, context):
    number = json.loads(event["body"])["n"] if "body" in event else event["n"]
    logging.getLogger("load").warning("seen %s", number)
    return {"n": number}

def fails(event, context):
    number = json.loads(event["body"])["n"]
    raise KeyError(number)
"""
FUNCTIONS = "".join(
    f'[functions.{name}]\nsource = "."\nhandler = "app:{name}"\nretries = 3\ntimeout_s = 20\n'
    for name in ("fine", "fails")
)
VICTIMS = ("collector", "store", "server", "worker")
LIMIT_S = 120.0
FAILURES = 10  # so many at least
SETTLE_LIMIT_S = 600.0  # a store that shares the machine with others is late, but loses nothing


@dataclass
class Answers:
    """What callers know."""

    fine: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    accepted: set[str] = field(default_factory=set)
    unanswered: int = 0
    guard: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class Outcome:
    """What is missing, there twice or counted falsely; all of it should be empty."""

    rounds: Counter[str] = field(default_factory=Counter)
    answered: int = 0
    failures: int = 0
    events: int = 0
    unanswered: int = 0
    lost_rows: int = 0  # with status "lost"
    rows_missing: list[str] = field(default_factory=list)
    rows_twice: list[str] = field(default_factory=list)
    logs_missing: list[str] = field(default_factory=list)
    logs_twice: list[str] = field(default_factory=list)
    scenes_missing: list[str] = field(default_factory=list)
    files_missing: list[str] = field(default_factory=list)
    events_missing: list[str] = field(default_factory=list)
    dropped: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        wrong = (self.rows_missing, self.rows_twice, self.logs_missing, self.logs_twice)
        return not any((*wrong, self.scenes_missing, self.files_missing, self.events_missing, self.dropped))


class KillRounds(Rounds):
    """A home under load."""

    def __init__(self, relive: Relive, seed: int, callers: int = 3) -> None:
        super().__init__(relive, seed, LIMIT_S)
        self.answers = Answers()
        self.outcome = Outcome()
        self._callers = callers

    def load(self) -> AbstractContextManager[None]:
        """Callers in the background."""
        return self.in_background([partial(self._call, index) for index in range(self._callers)])

    def _call(self, caller: int) -> None:
        number = 0
        connection: http.client.HTTPConnection | None = None
        while not self.stopping.is_set():
            number += 1
            kind = ("fine", "fine", "fine", "event", "fails")[number % 5]
            body = json.dumps({"n": caller * 10_000_000 + number})
            headers = {"x-amz-invocation-type": "Event"} if kind == "event" else {}
            function = "fine" if kind == "event" else kind
            try:
                if connection is None:
                    connection = http.client.HTTPConnection(self.address, timeout=60)
                connection.request("POST", f"/fn/{function}/", body, headers)
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException):
                self.answers.unanswered += 1
                connection = None
                time.sleep(0.2)
                continue
            self._note(kind, response)
            time.sleep(0.002)

    def _note(self, kind: str, response: http.client.HTTPResponse) -> None:
        name = response.headers.get("x-relive-invocation-id", "")
        if not name or response.status == 429:
            return
        with self.answers.guard:
            if kind == "event" and response.status == 202:
                self.answers.accepted.add(name)
            elif kind == "fine" and response.status == 200:
                self.answers.fine.add(name)
            elif kind == "fails" and response.status == 500:
                self.answers.failed.add(name)

    # ------------------------------------------------------------ kills

    def round(self, victim: str = "") -> None:
        """Let it run for a moment, then kill one process."""
        time.sleep(self.random.uniform(0.05, 0.8))
        victim = victim or self.random.choice(VICTIMS)
        self.relive.eventually(lambda: self._kill(victim))
        self.outcome.rounds[victim] += 1
        if victim == "server":
            self.start()

    def _kill(self, victim: str) -> bool:
        """Whether there was one: a worker that was seen may have left by itself, and none is there just after
        its zygote's start."""
        pid = self._pid(victim)
        with contextlib.suppress(ProcessLookupError):
            if pid:
                os.kill(pid, signal.SIGKILL)
                return True
        return False

    def _pid(self, victim: str) -> int:
        server = self.relive.pid()
        if victim == "server":
            return server
        wanted = {"collector": "handover.process", "store": "relive_store"}.get(victim, "")
        if wanted:
            return next((pid for pid, line in children(server) if wanted in line), 0)
        zygotes = [pid for pid, line in children(server) if "bootstrap.py" in line]
        workers = [pid for zygote in zygotes for pid, _ in children(zygote)]
        return self.random.choice(workers) if workers else 0

    # ------------------------------------------------------------ what came of it

    def settle(self) -> None:
        """Wait until the queue and the spool are empty."""

        def settled() -> bool:
            status = self.relive.json("status")[0]
            queue, store = status["queue"], status["store"]
            unknown = "error" in queue  # its file did not answer in time
            waits = (
                unknown
                or queue["ready"]
                or queue["leased"]
                or store["spooled_rows"]
                or store["buffered_rows"]
            )
            self.outcome.dropped = store["dropped_rows"]
            return not waits and store["state"] == "ready" and not status["collector"]["pending_bytes"]

        try:
            self.relive.eventually(settled, SETTLE_LIMIT_S)
        except AssertionError as error:
            raise AssertionError(f"not settled: {self.relive.json('status')}") from error

    def compare(self) -> Outcome:
        """Every answer against the store."""
        found, answers = self.outcome, self.answers
        answered = answers.fine | answers.failed
        rows = Counter(self._column("SELECT InvocationId AS v FROM invocations FINAL WHERE Status != 'lost'"))
        seen = "SELECT LogAttributes['faas.invocation_id'] AS v FROM otel_logs WHERE Body LIKE 'seen %'"
        logs = Counter(self._column(seen))
        scenes = set(self._column("SELECT InvocationId AS v FROM failure_scenes"))
        files = {path.name.rpartition("-")[0] for path in (self.relive.home / "scenes").glob("*.scene")}
        found.lost_rows = len(self._column("SELECT InvocationId AS v FROM invocations WHERE Status = 'lost'"))
        found.answered, found.failures = len(answered), len(answers.failed)
        found.events, found.unanswered = len(answers.accepted), answers.unanswered
        found.rows_missing = sorted(answered - set(rows))
        found.rows_twice = sorted(name for name in answered if rows[name] > 1)
        found.logs_missing = sorted(answers.fine - set(logs))
        found.logs_twice = sorted(name for name in answers.fine if logs[name] > 1)
        found.scenes_missing = sorted(answers.failed - scenes)
        ok = set(self._column("SELECT InvocationId AS v FROM invocations WHERE Status = 'ok'"))
        found.events_missing = sorted(answers.accepted - ok)
        found.files_missing = sorted(answers.failed - files)
        return found

    def _column(self, sql: str) -> list[str]:
        done = self.relive.run("sql", sql, "--limit", "1000000", "--json", timeout_s=LIMIT_S)
        return [json.loads(line)["v"] for line in done.stdout.splitlines()]


def run_rounds(home: Path, rounds: int, seed: int) -> Outcome:
    """`rounds` kills on a new home; what was lost."""
    relive = Relive(home / "home")
    folder = home / "app"
    folder.mkdir()
    (folder / "app.py").write_text(SOURCE)
    (folder / "relive.toml").write_text(f'[app]\nname = "load"\n{FUNCTIONS}')
    work = KillRounds(relive, seed)
    work.start()
    try:
        relive.run("deploy", str(folder))
        with work.load():
            for number in range(rounds):
                # Each kind once at first, then as chance will have it.
                work.round(VICTIMS[number] if number < len(VICTIMS) else "")
            # on a busy machine callers have few answers between two kills
            relive.eventually(lambda: len(work.answers.failed) > FAILURES, LIMIT_S)
        work.settle()
        return work.compare()
    finally:
        relive.run("stop", check=False)


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    chosen = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory(prefix="relive-kills", ignore_cleanup_errors=True) as name:
        outcome = run_rounds(Path(name), wanted, chosen)
    print(outcome)
    sys.exit(0 if outcome.clean else 1)
