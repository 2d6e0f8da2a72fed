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


SLOW = """
import time
from celery import Celery
app = Celery("tasks", broker={url!r}, backend={url!r})
app.conf.broker_connection_retry_on_startup = True

@app.task(time_limit=1)
def waits(order):
    while True:
        time.sleep(0.01)

@app.task(time_limit=1)
def computes(order):
    return sum(range(10**11))

@app.task
def good():
    return 1
"""
SEND_SLOW = """
from tasks import computes, good, waits
for task in (waits, computes):
    try:
        task.delay({"id": 7}).get(timeout=100)
    except Exception as error:
        print(type(error).__name__)
    assert good.delay().get(timeout=100) == 1
"""


def test_tasks_over_their_hard_time_limit(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    # Given a worker whose pool ends the process of a task that takes too long
    with running(Redis) as redis:
        (tmp_path / "tasks.py").write_text(SLOW.format(url=redis.url))
        (tmp_path / "send.py").write_text(SEND_SLOW)
        command = ["relive-record", "celery", "-A", "tasks", "worker", "--pool", "prefork", "-c", "1"]
        with host(tmp_path, command):
            # When one waits, and another one is in the middle of something that no signal ends
            sent = run(tmp_path, sys.executable, "send.py")
            assert sent.returncode == 0, sent.stderr + (tmp_path / "host.log").read_text()
            assert sent.stdout == "TimeLimitExceeded\n" * 2
            scenes = {str(scene.manifest["function"]): scene for scene in scenes_in(tmp_path, 2)}
    # I expect a scene of each: of the one that had the time for it, where it stood
    waited, computed = scenes["tasks.waits"], scenes["tasks.computes"]
    assert (computed.manifest["kind"], computed.manifest["error"]["type"]) == ("signal", "Killed")
    assert "a hard time limit" in computed.manifest["error"]["message"]
    if waited.manifest["kind"] == "signal":
        return  # a busy machine took more than the tenth of a second that the pool gives
    assert waited.manifest["kind"] == "timeout"
    assert waited.manifest["error"]["message"] == "tasks.waits ran longer than its 1 s"
    assert waited.exceptions[0].frames[-1].function == "waits"
    assert json.loads(waited.event)["args"] == [{"id": 7}]
    home = tmp_path_factory.mktemp("home")
    assert replay(waited, home, ReplayOptions(code=tmp_path)).outcome == "same"
