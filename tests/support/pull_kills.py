"""Kills Relive, or the source that it pulls from, at random under load, and compares what producers were told
with what the function saw.

    python tests/support/pull_kills.py KIND VICTIM [ROUNDS] [SEED]

KIND: postgres, outbox, redis, nats, kafka. VICTIM: relive, source. `--kafka-libs FOLDER`: jars of an Apache
Kafka, instead of a broker in memory, which loses what it has when it is killed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from pull_producers import PRODUCERS, Producer
from pull_servers import running

SOURCE = """
import base64, json, os

def handler(event, context):
    found = event["records"]
    records = [r for lane in found.values() for r in lane] if isinstance(found, dict) else found
    lines = "".join(f"{context.aws_request_id} {number(record)}\\n" for record in records)
    with open(os.environ["SEEN"], "a") as seen:
        seen.write(lines)

def number(record):
    if "value" in record:
        return base64.b64decode(record["value"]).decode()
    if "fields" in record:
        return record["fields"]["n"]
    if "after" in record:
        return record["after"]["n"]
    return record["data"]
"""
SETTLE_S = 300.0


@dataclass
class Outcome:
    """`twice`: records in more than one event. An event may run more than once, after a kill of Relive."""

    rounds: int = 0
    produced: int = 0
    events: int = 0
    runs_again: int = 0
    repeated: int = 0
    missing: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)


class PullKills:
    """A home, a source, and producers that never stop."""

    def __init__(self, folder: Path, producer: Producer, seed: int) -> None:
        self._folder = folder
        self._producer = producer
        self._random = random.Random(seed)
        self._process: subprocess.Popen[bytes] | None = None
        self._told: set[str] = set()
        self._unsure: set[str] = set()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.outcome = Outcome()

    def start(self) -> None:
        """Relive, which may still be starting when this returns."""
        environment = {
            **os.environ,
            "RELIVE_ISOLATION_TIER": "0",
            "RELIVE_STORE_WAIT_S": "0",
            "SOURCE_URL": self._producer.server.url,
        }
        command = [sys.executable, "-m", "relive", "--home", str(self._folder / "home"), "serve"]
        with (self._folder / "relive.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--http", "127.0.0.1:0"],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def deploy(self) -> None:
        """Once; Relive then knows it."""
        app = self._folder / "app"
        app.mkdir()
        (app / "app.py").write_text(SOURCE)
        seen = json.dumps(str(self._folder / "seen"))
        trigger = "\n".join(f"{key} = {json.dumps(value)}" for key, value in self._producer.trigger.items())
        (app / "relive.toml").write_text(
            '[app]\nname = "kills"\n[functions.f]\nhandler = "app:handler"\ntimeout_s = 30\nretries = 100\n'
            f"environment = {{ SEEN = {seen} }}\n[[functions.f.triggers]]\n{trigger}\n"
        )
        self._relive("deploy", str(app))

    def _relive(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "relive", "--home", str(self._folder / "home"), *arguments]
        deadline = time.monotonic() + SETTLE_S
        while True:
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode == 0:
                return done.stdout
            assert time.monotonic() < deadline, done.stdout + done.stderr
            time.sleep(0.2)

    def produce(self) -> None:
        """In a thread: one record after the other, each told or not."""
        number = 0
        while not self._stopping.is_set():
            number += 1
            try:
                self._producer.send(str(number))
                self._told.add(str(number))
            except Exception:
                self._unsure.add(str(number))
                time.sleep(0.05)
            time.sleep(0.002)

    @property
    def told(self) -> set[str]:
        """What the source has said that it has."""
        return self._told

    def begin(self) -> None:
        """Produce, in the background."""
        self._thread = threading.Thread(target=self.produce)
        self._thread.start()

    def finish(self) -> None:
        """Produce no more; what was being sent is told, or it is not."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def lines(self) -> list[str]:
        """What the function saw so far."""
        path = self._folder / "seen"
        return path.read_text().splitlines() if path.exists() else []

    def round(self, victim: str) -> None:
        """Wait until records flow, then kill at some moment."""
        before = len(self.lines())
        deadline = time.monotonic() + SETTLE_S
        while len(self.lines()) <= before:
            assert time.monotonic() < deadline, "nothing flows"
            time.sleep(0.01)
        time.sleep(self._random.uniform(0.0, 0.4))
        if victim == "source":
            self._producer.server.kill()
            self._producer.server.start()
        else:
            self.kill()
            self.start()
        self.outcome.rounds += 1

    def kill(self) -> None:
        """kill -9 of the server alone; its children find out."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def settle(self) -> Outcome:
        """No more is produced; what was told has to be seen."""
        self.finish()
        deadline = time.monotonic() + SETTLE_S
        while time.monotonic() < deadline:
            seen = {line.partition(" ")[2] for line in self.lines()}
            if self._told <= seen:
                break
            time.sleep(0.2)
        time.sleep(2.0)  # for what would come twice
        events: dict[str, set[str]] = defaultdict(set)
        lines = self.lines()
        for line in lines:
            event, _, record = line.partition(" ")
            events[record].add(event)
        found = self.outcome
        found.produced = len(self._told)
        found.events = len({event for of in events.values() for event in of})
        found.runs_again = len(lines) - sum(map(len, events.values()))
        found.missing = sorted(self._told - events.keys())
        found.twice = sorted(record for record, of in events.items() if len(of) > 1)
        return found

    def stop(self) -> None:
        """The end of Relive."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait()


def run(kind: str, victim: str, rounds: int, seed: int, limit_s: float = 86_400.0, **more: Any) -> Outcome:
    """All rounds of one kind, or as many as there is time for."""
    until = time.monotonic() + limit_s
    folder = Path(tempfile.mkdtemp(prefix=f"relive-pull-{kind}-", dir="/var/tmp"))
    make = PRODUCERS[kind]
    with running(make.server_kind(**more)) as server:
        kills = PullKills(folder, make(server), seed)
        try:
            kills.start()
            kills.deploy()
            kills.begin()
            while kills.outcome.rounds < rounds and time.monotonic() < until:
                kills.round(victim)
            outcome = kills.settle()
        finally:
            kills.finish()
            kills.stop()
    if not outcome.missing:
        shutil.rmtree(folder, ignore_errors=True)
    return outcome


def main() -> int:
    """Print what came of it; 1 if anything is missing."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kind", choices=sorted(PRODUCERS))
    parser.add_argument("victim", choices=("relive", "source"))
    parser.add_argument("rounds", type=int, nargs="?", default=40)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    parser.add_argument("--kafka-libs", default="", help="a folder with the jars of Apache Kafka")
    parser.add_argument("--limit-s", type=float, default=86_400.0, help="begin no round after this time")
    options = parser.parse_args()
    more = {"libs": options.kafka_libs} if options.kafka_libs else {}
    outcome = run(options.kind, options.victim, options.rounds, options.seed, options.limit_s, **more)
    print(
        f"{options.kind}: {outcome.rounds} kills of {options.victim}, {outcome.produced} records told,"
        f" {len(outcome.missing)} missing, {len(outcome.twice)} in two events, {outcome.events} events,"
        f" {outcome.runs_again} records of events that ran again"
    )
    return 1 if outcome.missing else 0


if __name__ == "__main__":
    sys.exit(main())
