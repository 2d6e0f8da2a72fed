"""Kills the server and the collector at random while webhooks, CloudEvents, bus events, files and log lines
come in, and counts what was accepted and never reached its function.

    python tests/support/event_rounds.py [ROUNDS] [SEED]
"""

from __future__ import annotations

import contextlib
import hmac
import http.client
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from relive_cli import Relive
from rounds import Rounds, children

SECRET = "of-the-rounds"
SOURCE = """
import base64, gzip, json, os
from urllib.parse import unquote_plus

def _done(kind, name):
    path = os.path.join(os.environ["DONE_BUCKET_PATH"], kind)
    with open(path, "a") as file:
        file.write(name + "\\n")

def hook(event, context):
    name = json.loads(event["body"])["n"]
    print("hooked", name)
    _done("hook", name)

def cloud(event, context):
    _done("cloud", event["id"])

def says(event, context):
    import relive
    relive.emit("said", {"n": event["n"]}, source="rounds", event_id=event["n"])

def hears(event, context):
    _done("bus", event["detail"]["n"])

def file(event, context):
    for record in event["Records"]:
        kind = "file" if record["eventName"].startswith("ObjectCreated") else "gone"
        _done(kind, unquote_plus(record["s3"]["object"]["key"]))

def logs(event, context):
    batch = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    for line in batch["logEvents"]:
        _done("log", line["message"].split()[1])
"""
_FUNCTION = '[functions.{0}]\nhandler = "app:{0}"\nretries = 20\ntimeout_s = 20\n'
_TRIGGERS = {
    "hook": 'type = "webhook"\npath = "/hook"\nscheme = "hmac"\nheader = "x-sig"\nid_header = "x-id"\n'
    'secret_env = "ROUNDS_SECRET"',
    "cloud": 'type = "cloudevents"\npath = "/cloud"',
    "says": "",
    "hears": 'type = "bus"\npattern = { source = ["rounds"] }',
    "file": 'type = "bucket"\nbucket = "inbox"\nevents = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]',
    "logs": 'type = "logs"\nfunctions = ["hook"]\nfilter = "hooked"',
}
MANIFEST = (
    '[app]\nname = "rounds"\n[resources.inbox]\ntype = "bucket"\nsettle_s = 0.05\n'
    '[resources.done]\ntype = "bucket"\n'
    + "".join(
        _FUNCTION.format(name) + (f"[[functions.{name}.triggers]]\n{text}\n" if text else "")
        for name, text in _TRIGGERS.items()
    )
)
LIMIT_S = 600.0
SETTLE_LIMIT_S = 300.0


@dataclass
class Outcome:
    """What was accepted, what of it never came, and how often something came twice."""

    rounds: Counter[str] = field(default_factory=Counter)
    accepted: Counter[str] = field(default_factory=Counter)
    missing: dict[str, list[str]] = field(default_factory=dict)
    repeated: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing is lost."""
        return not any(self.missing.values())


class EventRounds(Rounds):
    """A home under load from all of them."""

    def __init__(self, relive: Relive, seed: int, most: int = 0) -> None:
        """`most`: of each kind; 0: until it ends."""
        super().__init__(relive, seed, LIMIT_S)
        self._most = most
        self.outcome = Outcome()
        self.accepted: dict[str, set[str]] = {
            kind: set() for kind in ("hook", "cloud", "bus", "file", "gone")
        }
        self._folders = relive.home / "buckets"

    def load(self) -> AbstractContextManager[None]:
        """Senders in the background."""
        work: list[Callable[[int], None]] = [self._hook, self._cloud, self._bus, self._file]
        return self.in_background([partial(self._repeat, one) for one in work])

    def _repeat(self, work: Callable[[int], None]) -> None:
        number = 0
        while number < self._most if self._most else not self.stopping.is_set():
            number += 1
            work(number)
            time.sleep(0.02 if self._most else 0.1)

    def _post(self, kind: str, name: str, path: str, body: bytes, headers: dict[str, str]) -> None:
        """Send until it is accepted: what senders of webhooks do."""
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until:
            try:
                connection = http.client.HTTPConnection(self.address, timeout=60)
                connection.request("POST", path, body, headers)
                status = connection.getresponse().status
                connection.close()
            except (OSError, http.client.HTTPException):
                self.outcome.unanswered += 1
                status = 0
            if status == 202:
                self.accepted[kind].add(name)
                return
            if self.stopping.is_set() and not self._most:
                return
            time.sleep(0.1)

    def _hook(self, number: int) -> None:
        name = f"h{number}"
        body = json.dumps({"n": name}).encode()
        headers = {"x-sig": hmac.new(SECRET.encode(), body, "sha256").hexdigest(), "x-id": name}
        self._post("hook", name, "/hook", body, headers)

    def _cloud(self, number: int) -> None:
        names = [f"c{number}-{part}" for part in range(3)]
        batch = [{"specversion": "1.0", "id": one, "source": "/rounds", "type": "t"} for one in names]
        before = set(self.accepted["cloud"])
        headers = {"content-type": "application/cloudevents-batch+json"}
        self._post("cloud", f"c{number}-0", "/cloud", json.dumps(batch).encode(), headers)
        if self.accepted["cloud"] != before:
            self.accepted["cloud"] |= set(names)

    def _bus(self, number: int) -> None:
        name = f"b{number}"
        headers = {"x-amz-invocation-type": "Event", "idempotency-key": name}
        self._post("bus", name, "/fn/says/", json.dumps({"n": name}).encode(), headers)

    def _file(self, number: int) -> None:
        """Written in two steps, renamed into place, or removed again after a while."""
        name = f"f {number}.txt"
        path = self._folders / "inbox" / name
        if number % 2:
            with path.open("w") as file:
                file.write("first half")
                file.flush()
                time.sleep(0.03)
                file.write("second half")
        else:
            draft = self._folders / f"{number}.draft"
            draft.write_text("whole")
            draft.rename(path)
        self.accepted["file"].add(name)
        old = self._folders / "inbox" / f"f {number - 200}.txt"
        if old.name in self._done("file"):
            old.unlink()
            self.accepted["gone"].add(old.name)

    def _done(self, kind: str) -> Counter[str]:
        path = self._folders / "done" / kind
        return Counter(path.read_text().splitlines()) if path.exists() else Counter()

    # ------------------------------------------------------------ kills

    def round(self, victim: str = "") -> None:
        """Let it run for a moment, then kill one process, or the server with its collector."""
        time.sleep(self.random.uniform(0.05, 0.8))
        victim = victim or self.random.choice(("server", "server", "collector", "both"))
        pid = self.relive.pid()
        collector = next((found for found, line in children(pid) if "handover.process" in line), 0)
        for wanted, target in (("server", pid), ("collector", collector)):
            if target and victim in (wanted, "both"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(target, signal.SIGKILL)
        self.outcome.rounds[victim] += 1
        print(f"round {self.outcome.rounds.total()}: {victim}", file=sys.stderr, flush=True)
        if victim != "collector":
            time.sleep(self.random.uniform(0.0, 0.3))  # files go on coming
            self.start()

    def settle(self) -> Outcome:
        """Wait until all that was accepted has come, and say what has not."""
        wanted = {**self.accepted, "log": self.accepted["hook"]}

        def missing() -> dict[str, list[str]]:
            return {kind: sorted(names - set(self._done(kind))) for kind, names in wanted.items()}

        with contextlib.suppress(AssertionError):
            self.relive.eventually(lambda: not any(missing().values()), SETTLE_LIMIT_S)
        found = self.outcome
        found.missing = missing()
        found.accepted = Counter({kind: len(names) for kind, names in wanted.items()})
        for kind in wanted:
            found.repeated[kind] = sum(count - 1 for count in self._done(kind).values())
        return found


def run_rounds(home: Path, rounds: int, seed: int, most: int = 0) -> Outcome:
    """`rounds` kills on a new home, with `most` events of each kind (0: no limit); what was lost."""
    relive = Relive(home / "home", environment={"ROUNDS_SECRET": SECRET, "RELIVE_BACKOFF_S": "0.1"})
    folder = home / "app"
    folder.mkdir()
    (folder / "app.py").write_text(SOURCE)
    (folder / "relive.toml").write_text(MANIFEST)
    work = EventRounds(relive, seed, most)
    work.start()
    try:
        relive.run("deploy", str(folder))
        with work.load():
            for number in range(rounds):
                work.round(("both", "server", "collector")[number] if number < 3 else "")
        return work.settle()
    finally:
        relive.run("stop", check=False)


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    chosen = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory(prefix="relive-events-", ignore_cleanup_errors=True) as name:
        outcome = run_rounds(Path(name), wanted, chosen)
    print(outcome)
    sys.exit(0 if outcome.clean else 1)
