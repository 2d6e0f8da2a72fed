"""Kills servers with kill -9 while messages are sent, received, worked on and deleted; counts what was lost.

    python tests/support/kill_messages.py [ROUNDS] [SEED]

Three threads send by SQS's API and remember what was acknowledged. A function works on one queue in batches,
with failures, another on a FIFO queue; this process receives from a third and deletes. After the last kill
all are worked off and compared.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from free_ports import free_port
from relive_platform.api.aws.credentials import key_pair

APP = """
[app]
name = "kills"
[resources.batches]
type = "queue"
visibility_timeout_s = 1
dead_letter = "dead"
max_receive_count = 1000
[resources.dead]
type = "queue"
[resources.pulled]
type = "queue"
visibility_timeout_s = 5
[resources.line]
type = "queue"
fifo = true
visibility_timeout_s = 1
[functions.work]
handler = "app:work"
isolation_tier = 0
environment = {{ SEEN = "{seen}" }}
[[functions.work.triggers]]
type = "queue"
queue = "batches"
report_batch_item_failures = true
[functions.ordered]
handler = "app:ordered"
isolation_tier = 0
environment = {{ SEEN = "{seen}" }}
[[functions.ordered.triggers]]
type = "queue"
queue = "line"
"""
SOURCE = """
import os, random, time

def note(line):
    fd = os.open(os.environ["SEEN"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, (line + "\\n").encode())
    os.close(fd)

def work(event, context):
    failed = []
    for record in event["Records"]:
        time.sleep(random.random() / 200)
        if random.random() < 0.05:
            failed.append({"itemIdentifier": record["messageId"]})
        else:
            note("work " + record["body"])
    if random.random() < 0.02:
        os._exit(1)
    return {"batchItemFailures": failed}

def ordered(event, context):
    for record in event["Records"]:
        note("line " + record["attributes"]["MessageGroupId"] + " " + record["body"])
"""
LIMIT_S = 300.0


@dataclass
class Told:
    """What senders and receivers were told."""

    sent: dict[str, list[str]] = field(default_factory=lambda: {"batches": [], "pulled": [], "line": []})
    received: Counter[str] = field(default_factory=Counter)
    deleting: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    after_delete: list[str] = field(default_factory=list)  # received again though its deletion was told
    refused: int = 0


class Rounds:
    """A home under load."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.told = Told()
        self._random = random.Random(seed)
        self._stopping = threading.Event()
        self._address = f"127.0.0.1:{free_port()}"
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, and wait until it is ready."""
        command = [sys.executable, "-m", "relive", "--home", str(self.folder / "home"), "serve"]
        command += ["--http", "127.0.0.1:0", "--lambda-api", self._address]
        log = (self.folder / "server.log").open("ab")
        ready = self.folder / "home" / "run" / "server.json"
        ready.unlink(missing_ok=True)
        self._server = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + LIMIT_S
        while not ready.exists() or json.loads(ready.read_bytes())["pid"] != self._server.pid:
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise SystemExit((self.folder / "server.log").read_text()[-4000:])
            time.sleep(0.02)

    def kill(self) -> None:
        """As the machine would."""
        assert self._server is not None
        os.kill(self._server.pid, signal.SIGKILL)
        self._server.wait()

    def stop(self) -> None:
        """At the end."""
        assert self._server is not None
        self._server.terminate()
        self._server.wait(LIMIT_S)

    def client(self) -> Any:
        """A real boto3 client."""
        keys = key_pair((self.folder / "home" / "run" / "token").read_text().strip())
        return boto3.client(
            "sqs",
            endpoint_url=f"http://{self._address}",
            region_name="us-east-1",
            aws_access_key_id=keys.access_key_id,
            aws_secret_access_key=keys.secret_access_key,
            config=Config(retries={"max_attempts": 0}, read_timeout=30, connect_timeout=2),
        )

    def run(self, rounds: int) -> None:
        """Kill the server `rounds` times under load."""
        threads = [
            threading.Thread(target=self._send, args=(name,)) for name in ("batches", "pulled", "line")
        ]
        threads += [threading.Thread(target=self._pull) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            for number in range(rounds):
                time.sleep(self._random.uniform(0.1, 1.0))
                self.kill()
                self.start()
                print(f"round {number + 1} of {rounds}", file=sys.stderr)
        finally:
            self._stopping.set()
            for thread in threads:
                thread.join()

    def _send(self, queue: str) -> None:
        sqs, number = self.client(), 0
        name = "line.fifo" if queue == "line" else queue
        url = f"http://{self._address}/000000000000/{name}"
        while not self._stopping.is_set():
            number += 1
            body = f"{queue}-{number}"
            more: dict[str, Any] = {}
            if queue == "line":
                more = {"MessageGroupId": f"g{number % 3}", "MessageDeduplicationId": body}
            try:
                sqs.send_message(QueueUrl=url, MessageBody=body, **more)
            except (BotoCoreError, ClientError, OSError):
                self.told.refused += 1
                time.sleep(0.05)
            else:
                self.told.sent[queue].append(body)
            time.sleep(0.002)

    def _pull(self) -> None:
        sqs = self.client()
        while not self._stopping.is_set():
            self._pull_once(sqs, 1)

    def _pull_once(self, sqs: Any, wait_s: int) -> int:
        url, told = f"http://{self._address}/000000000000/pulled", self.told
        try:
            found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=5, WaitTimeSeconds=wait_s)
            messages = found.get("Messages", [])
            for message in messages:
                body = message["Body"]
                if body in told.deleted:
                    told.after_delete.append(body)
                told.received[body] += 1
                told.deleting.add(body)
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
                told.deleted.add(body)
        except (BotoCoreError, ClientError, OSError):
            time.sleep(0.05)
            return 1
        return len(messages)

    def settle(self) -> None:
        """Work everything off."""
        sqs, deadline = self.client(), time.monotonic() + LIMIT_S
        names = ("batches", "pulled", "line.fifo")
        while True:
            self._pull_once(sqs, 0)
            left = 0
            for name in names:
                url = f"http://{self._address}/000000000000/{name}"
                found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
                left += int(found["ApproximateNumberOfMessages"])
                left += int(found["ApproximateNumberOfMessagesNotVisible"])
            if not left:
                return
            if time.monotonic() > deadline:
                raise SystemExit(f"{left} messages are still there")
            time.sleep(0.1)

    def compare(self) -> dict[str, Any]:
        """What was lost, and what is wrong."""
        lines = (self.folder / "seen").read_text().splitlines()
        worked = Counter(line.removeprefix("work ") for line in lines if line.startswith("work "))
        ordered = [line.split() for line in lines if line.startswith("line ")]
        told = self.told
        lost = {
            "batches": sorted(set(told.sent["batches"]) - set(worked)),
            "pulled": sorted(set(told.sent["pulled"]) - set(told.received)),
            "line": sorted(set(told.sent["line"]) - {body for _, _, body in ordered}),
        }
        return {
            "sent": {name: len(bodies) for name, bodies in told.sent.items()},
            "refused": told.refused,
            "worked_twice": sum(count > 1 for count in worked.values()),
            "lost": lost,
            "out_of_order": _out_of_order(ordered),
            "received_after_delete": told.after_delete,
        }


def _out_of_order(lines: list[list[str]]) -> list[str]:
    """The first time that a message of a group is worked on, all before it have been."""
    newest: dict[str, int] = {}
    wrong = []
    for _, group, body in lines:
        number = int(body.rpartition("-")[2])
        if number < newest.get(group, 0) and lines.count(["line", group, body]) == 1:
            wrong.append(body)
        newest[group] = max(newest.get(group, 0), number)
    return wrong


def main() -> int:
    """Exit status 1 if anything is lost or wrong."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory(prefix="relive-kill-messages", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        app = folder / "app"
        app.mkdir()
        (app / "app.py").write_text(SOURCE)
        (app / "relive.toml").write_text(APP.format(seen=folder / "seen"))
        (folder / "seen").touch()
        work = Rounds(folder, seed)
        work.start()
        command = [sys.executable, "-m", "relive", "--home", str(folder / "home"), "deploy", str(app)]
        subprocess.run(command, check=True)
        work.run(rounds)
        work.settle()
        outcome = work.compare()
        work.stop()
    print(json.dumps({"rounds": rounds, **outcome}, indent=1))
    wrong = any(outcome["lost"].values()) or outcome["out_of_order"] or outcome["received_after_delete"]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
