"""Celery with a real Redis as its broker."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from pull_servers import Redis, running
from recorded_hosts import host, run, scenes_in
from relive_capture.explore.parts import outside_facts
from relive_platform.replay import ReplayOptions, replay

TASKS = """
import os
from celery import Celery
app = Celery("tasks", broker={url!r}, backend={url!r})
app.conf.broker_connection_retry_on_startup = True
RATES = {{"DE": 490}}

@app.task
def price(order, discount=0):
    address = order["address"]
    return RATES[address["country"]] - discount

@app.task(bind=True, max_retries=1, default_retry_delay=0)
def flaky(self):
    if self.request.retries:
        return "at last"
    raise self.retry(exc=ValueError("not yet"))

@app.task
def killed():
    os.kill(os.getpid(), 9)
"""
SEND = """
import sys
from tasks import flaky, killed, price
good = {"address": {"country": "DE"}}
assert price.delay(good, discount=90).get(timeout=100) == 400
assert flaky.delay().get(timeout=100) == "at last"
try:
    price.delay({"address": {"street": "Lane 3"}, "password": "hunter2-hunter2"}).get(timeout=100)
except KeyError as error:
    print("failed", error)
try:
    killed.delay().get(timeout=100)
except Exception as error:
    print(type(error).__name__)
assert price.delay(good).get(timeout=100) == 490
"""


def test_tasks_that_fail_and_are_killed(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    # Given a worker of Celery with a pool of processes, whose code knows nothing of Relive
    with running(Redis) as redis:
        (tmp_path / "tasks.py").write_text(TASKS.format(url=redis.url))
        (tmp_path / "send.py").write_text(SEND)
        command = [
            "relive-record",
            "celery",
            "-A",
            "tasks",
            "worker",
            "--pool",
            "prefork",
            "-c",
            "1",
            "-l",
            "INFO",
        ]
        with host(tmp_path, command):
            # When tasks succeed, are retried, fail, and kill their process
            sent = run(tmp_path, sys.executable, "send.py")
            assert sent.returncode == 0, sent.stderr + (tmp_path / "host.log").read_text()
            assert sent.stdout == "failed 'country'\nWorkerLostError\n"
            scenes = {str(scene.manifest["kind"]): scene for scene in scenes_in(tmp_path, 2)}
    # I expect a scene of the failure and one of the killed process, and none of the retry
    assert set(scenes) == {"exception", "signal"}
    failed, lost = scenes["exception"], scenes["signal"]
    facts = outside_facts(failed)
    assert facts is not None
    assert (facts.host, facts.handler) == ("celery", "tasks:price")
    event = json.loads(failed.event)
    assert event["args"][0]["address"] == {"street": "Lane 3"}
    assert event["args"][0]["password"] == "[redacted]"
    assert failed.manifest["function"] == "tasks.price"
    assert (lost.manifest["function"], lost.manifest["error"]["type"]) == ("tasks.killed", "Killed")
    # ... and the failure again in a replay, with no broker there
    home = tmp_path_factory.mktemp("home")
    assert replay(failed, home, ReplayOptions(code=tmp_path, travel=True)).outcome == "same"
