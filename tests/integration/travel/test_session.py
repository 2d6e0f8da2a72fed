"""Going back from a failure: the moments are real, and every run goes the same way."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fresh_process import in_a_fresh_process
from relive_runtime.travel.checkpoints import Pace
from relive_runtime.travel.runs import Runs
from relive_runtime.travel.traveller import Traveller
from travel_harness import in_a_worker, talked

SHOP = """
PRICES = {"A-1": 300}

def price_of(sku):
    found = PRICES.get(sku)
    return found

def line_total(item):
    price = price_of(item["sku"])
    count = item["count"]
    return price * count

def checkout(event, context):
    total = 0
    basket = []
    for item in event["items"]:
        total += line_total(item)
        basket.append(item["sku"])
    return {"total": total}
"""
EVENT = {"items": [{"sku": "A-1", "count": 2}, {"sku": "A-1", "count": 1}, {"sku": "B-2", "count": 1}]}
VARIES = """
import asyncio, datetime, random, time, uuid

async def one(number):
    await asyncio.sleep(random.random() / 100)
    return number

async def varies(event, context):
    if datetime.datetime.now().microsecond % 2:
        kind = "odd"
    else:
        kind = "even"
    until = time.monotonic() + 0.05
    while time.monotonic() < until:
        time.sleep(0.01)
    rounds = 0
    while time.perf_counter_ns() % 7:
        rounds += 1
    found = await asyncio.gather(*(one(number) for number in range(20)))
    raise ValueError(f"{kind} {rounds} {found} {uuid.uuid4()} {random.random()}")
"""
ROUNDS = """
def twice(item):
    number = item.get("n")
    return number * 2

def rounds(event, context):
    found = [twice(row) for row in event["rows"]]
    return found, [row for row in event["rows"] if any(row is one for one in event["rows"])]
"""
DEPENDS = """
from pathlib import Path

def depends(event, context):
    if int(Path("/proc/self/schedstat").read_text().split()[0]) % 2:  # of CPU time; no clock of a replay's
        raise ValueError("odd")
    raise ValueError("even")
"""
SLEEPS = """
import time

def sleeps(event, context):
    waited = 0
    while True:
        time.sleep(0.5)
        waited += 1
"""
COMPUTES = """
def computes(event, context):
    total = 0
    for number in range(150_001):
        total += number * 4
    raise ValueError(total)
"""
WAITS = """
import threading

def waits(event, context):
    lock = threading.Lock()
    with lock:
        lock.acquire()
"""

ENDLESS = """
import re

def matches(event, context):
    text = "A" * 40 + "?"
    return re.match("^(([A-Z]+)\\s?)+!$", text)
"""


def _application(folder: Path, source: str) -> Path:
    file = folder / "main.py"
    file.write_text(source)
    return file


CLOCKS = """
import os, resource, time
from time import process_time_ns

def clocks(event, context):
    found = [time.process_time_ns(), process_time_ns(), time.thread_time_ns(), time.process_time(),
        time.thread_time(), time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID), list(os.times()),
        time.clock_gettime_ns(time.CLOCK_THREAD_CPUTIME_ID), time.clock_gettime_ns(time.CLOCK_MONOTONIC),
        list(resource.getrusage(resource.RUSAGE_SELF)), list(resource.getrusage(resource.RUSAGE_CHILDREN))]
    began = time.process_time_ns()
    time.sleep(30)
    slept = time.process_time_ns() - began
    while time.process_time_ns() - began < 100_000:
        pass
    return found + None
"""


CALLS = """
def g(two):
    return None

def calls(event, context):
    a = 1
    try:
        return a + g(2)
    finally:
        a = 2
"""


def test_back_from_a_failure_by_one_step_is_the_last_and_by_one_line_over_calls(tmp_path: Path) -> None:
    # Given a line that called a function before it failed, and one that ran after it
    where = "strip 1"
    rs, rn = ["rs", where] * 5, ["end", "rn", where, "rn", where, "rn", where]
    breaks = ["end", "b 8", "b 3", "rc", where, "rc", where, "end", "rr", where, "end", "goto -1", where]
    # When somebody goes back by steps, over calls, to breakpoints and out
    shown = in_a_worker(_application(tmp_path, CALLS), "calls", talked([*rs, *rn, *breaks]))
    # I expect no step to be leapt over
    steps = [json.loads(line)["step"] for line in shown.splitlines() if line.startswith('{"total"')]
    assert steps[:5] == [4, 3, 2, 1, 0]
    assert steps[5:8] == [4, 2, 1]
    assert steps[8:10] == [3, 2]
    assert steps[10:] == [0, None]
    assert "give a step from 0 to 4" in shown


def test_back_from_a_failure_the_objects_are_what_they_were(tmp_path: Path) -> None:
    # Given a function that failed at its third item
    file = _application(tmp_path, SHOP)

    # When somebody goes back: a step, to the caller, to where a name got its value, and to the start
    lines = [
        "rs",
        "p price, count",
        "rr",
        "p total, basket",
        "origin total",
        "p total",
        "start",
        "p event['items'][0]",
    ]
    shown = in_a_worker(file, "checkout", talked(lines), EVENT)

    # I expect the values of these moments
    assert "(None, 1)" in shown
    assert "(900, ['A-1', 'A-1'])" in shown
    assert "total = 900  was given by step" in shown
    assert "\n600\n" in shown
    assert "{'sku': 'A-1', 'count': 2}" in shown


def test_values_lists_every_value_with_the_line_that_gave_it(tmp_path: Path) -> None:
    # When the values of a name and of a container are asked for, from the frame that has them
    shown = in_a_worker(
        _application(tmp_path, SHOP), "checkout", talked(["u", "values total", "values basket"]), EVENT
    )

    # I expect them in order
    found = [line.split()[-1] for line in shown.splitlines() if "main.py:17" in line or "main.py:14" in line]
    assert found[:3] == ["0", "600", "900"]
    assert "['A-1', 'A-1']" in shown


def test_a_comprehension_whose_variable_a_function_shares_elsewhere_is_gone_back_into(tmp_path: Path) -> None:
    # Given a failure in the second round of a comprehension; a generator closes over the variable of another
    file = _application(tmp_path, ROUNDS)

    # When somebody goes back into it, reads and changes the variable, and asks why
    lines = ["rs", "u", "p row", "p [row for _ in (1,)]", "row = {'n': 5}", "p row", "why"]
    shown = in_a_worker(file, "rounds", talked(lines), {"rows": [{"n": 1}, {"m": 2}]})

    # I expect what it is in that round, then what it was changed to, and where the bad value arose
    found = [line for line in shown.splitlines() if line.startswith(("{", "["))]
    assert found == ["{'m': 2}", "[{'m': 2}]", "{'n': 5}"]
    assert "arose at step" in shown
    assert 'number = item.get("n")' in shown


def test_a_breakpoint_is_gone_back_to(tmp_path: Path) -> None:
    # When a line that ran three times is stopped at, backwards
    lines = ["b 6", "rc", "p found", "rc", "p found", "c", "p found", "c"]
    shown = in_a_worker(_application(tmp_path, SHOP), "checkout", talked(lines), EVENT)

    # I expect its last, its second and its last time
    assert "breakpoint at main.py:6, which runs 3 times" in shown
    found = [line for line in shown.splitlines() if line in ("None", "300")]
    assert found == ["None", "300", "None"]


def test_what_is_changed_at_a_step_is_not_kept(tmp_path: Path) -> None:
    # When a value is changed, and the step is left and come back to
    shown = in_a_worker(
        _application(tmp_path, SHOP),
        "checkout",
        talked(["rs", "!price = 7", "p price", "rs", "s", "p price"]),
        EVENT,
    )

    # I expect what it was
    assert [line for line in shown.splitlines() if line in ("7", "None")] == ["7", "None"]


def test_commands_that_make_no_sense_say_so(tmp_path: Path) -> None:
    # When it is asked for what there is not
    lines = [
        "goto 999",
        "goto x",
        "origin",
        "origin nothing_of_it",
        "b other.py:3",
        "b x",
        "s",
        "start",
        "rs",
        "values 1 +",
        "why total?",
    ]
    shown = in_a_worker(_application(tmp_path, SHOP), "checkout", talked(lines), EVENT)

    # I expect an answer to each, and the session to go on
    for text in (
        "give a step from 0 to",
        "origin of what?",
        "nothing_of_it has no value in this function",
        "no line of other.py has run",
        "give LINE or FILE:LINE",
        "this is the failure: nothing comes after it",
        "this is the first line of the handler",
        "'1 +' is no expression",
        "'total?' is no expression",
    ):
        assert text in shown


def _partings(traveller: Traveller, failure: BaseException | None) -> list[object]:
    runs = Runs(traveller)
    return [len(traveller.trail), str(failure), *(runs.parting() for _ in range(4))]


def test_runs_that_depend_on_time_and_chance_go_the_same_way(tmp_path: Path) -> None:
    # Given a function that branches on the clock, sleeps at random and gathers what it waits for
    file = _application(tmp_path, VARIES)

    # When it runs five times, in two sessions
    first = in_a_worker(file, "varies", _partings)
    second = in_a_worker(file, "varies", _partings)

    # I expect the same steps in all of them
    assert first[2:] == [None] * 4
    assert first == second


def test_again_says_whether_runs_go_the_same_way(tmp_path: Path) -> None:
    # Given a function that depends on the clock and on chance, and one that depends on an address in memory
    same = _application(tmp_path, VARIES)
    (tmp_path / "other").mkdir()
    varying = _application(tmp_path / "other", DEPENDS)

    # When they are run again
    first = in_a_worker(same, "varies", talked(["again 2"]))
    second = in_a_worker(varying, "depends", talked(["again 20"]))

    # I expect to be told which goes the same way, and where the other one did not
    assert "2 more runs went the same way, step by step" in first
    assert "went another way from step 1 on" in second
    assert "the last step that both have is 0, main.py:5 in depends" in second


def test_a_time_limit_strikes_by_the_clock_of_the_run_and_nothing_waits(tmp_path: Path) -> None:
    # Given a function that sleeps until its three seconds are over
    file = _application(tmp_path, SLEEPS)

    # When it runs, and four times more
    shown = in_a_worker(file, "sleeps", talked(["p waited"]))
    _, error, *partings = in_a_worker(file, "sleeps", _partings)

    # I expect the limit at the same step each time
    assert error == "sleeps ran longer than its 3 s"
    assert "\n5\n" in shown
    assert partings == [None] * 4


def test_many_steps_alone_are_no_time_out(tmp_path: Path) -> None:
    # Given a function that computes for 300,000 lines, which take a few milliseconds, and then fails
    file = _application(tmp_path, COMPUTES)

    # When it runs with a limit of 0.1 s
    def look(traveller: Traveller, failure: BaseException | None) -> list[object]:
        return [len(traveller.trail), str(failure)]

    count, error = in_a_worker(file, "computes", look, timeout_s=0.1)

    # I expect its own failure, as on a real clock
    assert count > 300_000
    assert error == "45000300000"


def test_a_step_stands_for_as_long_as_somebody_thinks(tmp_path: Path) -> None:
    # Given a session in which it is looked every 20 ms whether a run stands still
    file = _application(tmp_path, SHOP)

    # When somebody is at a step for longer than any such look allows
    think = "import subprocess; subprocess.run(['sleep', '0.5'])"
    lines = ["rs", f"!{think}", "p price, count"]
    shown = in_a_worker(file, "checkout", talked(lines), EVENT, look_ns=20_000_000)

    # I expect the process to be there
    assert "has ended" not in shown
    assert "Timeout" not in shown
    assert "(None, 1)" in shown


def test_what_waits_for_ever_is_seen(tmp_path: Path) -> None:
    # Given a function that waits for a lock that it holds itself
    # When somebody looks at it
    shown = in_a_worker(_application(tmp_path, WAITS), "waits", talked(["l", "rs", "p lock.locked()"]))

    # I expect the time limit there, and a word on it
    assert "the time limit struck in earnest" in shown
    assert "lock.acquire()" in shown
    assert "\nTrue\n" in shown


FILES = """
import resource

def opens(event, context):
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    handles = []
    while True:
        handles.append(open("/dev/null"))
"""


@in_a_fresh_process  # other tests have left descriptors, which count against the limit
def test_code_that_has_used_up_its_descriptors_is_gone_back_in(tmp_path: Path) -> None:
    # Given a handler that opens files until there is no descriptor left, for the session neither
    file = tmp_path / "files.py"
    file.write_text(FILES)

    # When it is gone back in
    text = in_a_worker(
        file, "opens", talked(["p len(handles) > 9", "rs", "p len(handles) > 9", "start", "end", "again 1"])
    )

    # I expect the failure at its line, and each run to meet the same limit
    assert text.count("True\n") == 2
    assert 'handles.append(open("/dev/null"))' in text
    assert "***" not in text
    assert "1 more run went the same way, step by step" in text


LIBRARIES = """
import jinja2, pydantic, sqlalchemy
from lxml import etree

PRICES = {"ink": 300, "pen": None}

def cents(sku):
    found = PRICES.get(sku)
    return found / 100

def jinja(event, context):
    env = jinja2.Environment()
    env.filters["cents"] = cents
    return env.from_string("{% for s in skus %}{{ s|cents }}{% endfor %}").render(skus=["ink", "gum"])

class Order(pydantic.BaseModel):
    sku: str

    @pydantic.field_validator("sku")
    @classmethod
    def known(cls, value):
        return str(cents(value))

def validated(event, context):
    return [Order(sku=sku).sku for sku in ("ink", "pen")]

def queried(event, context):
    with sqlalchemy.create_engine("sqlite://").connect() as connection:
        total = 0
        for row in connection.execute(sqlalchemy.text("SELECT 3 AS price UNION ALL SELECT NULL")):
            price = row.price
            total = total + price

class Target:
    def start(self, tag, attributes):
        self.price = attributes.get("sku")
        self.total = cents(self.price)
    def end(self, tag): ...
    def close(self): ...

def parsed(event, context):
    etree.fromstring("<o sku='ink'><i/></o>", etree.XMLParser(target=Target()))
"""


@pytest.mark.parametrize(
    ("handler", "line"),
    [
        ("jinja", "found = PRICES.get(sku)"), ("validated", "found = PRICES.get(sku)"),
        ("queried", "price = row.price"), ("parsed", "found = PRICES.get(sku)"),
    ],
)  # fmt: skip
def test_code_that_a_library_calls_is_gone_back_in(tmp_path: Path, handler: str, line: str) -> None:
    # Given a failure in code that a library has called, from Python or from C
    file = tmp_path / "libraries.py"
    file.write_text(LIBRARIES)

    # When it is gone back in, I expect where the value arose, and each run to go the same way
    text = in_a_worker(file, handler, talked(["rs", "end", "why", "again 1"]))
    assert line in text[text.index("→") :]
    assert "1 more run went the same way, step by step" in text
    assert "***" not in text


CHILDREN = """
import os, signal

told = []

def waits(event, context):
    signal.signal(signal.SIGCHLD, lambda *_: told.append(1))
    total = 0
    for number in range(60_000):
        total += number
    before = len(told)
    # When its child ends, in which step, is the system's to say: it is told of it in this one
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    if not os.fork():
        os._exit(3)
    found = []
    while True:
        try:
            found.append(os.wait()[1])
        except ChildProcessError:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
            raise ValueError(f"{before} {found} {len(told)}")
"""


def test_the_copies_are_no_children_of_the_code(tmp_path: Path) -> None:
    # Given a handler that is told of its children, and waits for all of them, after copies have been made
    file = tmp_path / "children.py"
    file.write_text(CHILDREN)

    def look(traveller: Traveller, failure: BaseException | None) -> list[object]:
        return [str(failure), bool(traveller.nearest(100_000)), Runs(traveller).parting()]

    # When it is gone back in, I expect its own child alone, and each run to go the same way
    found = in_a_worker(file, "waits", look, pace=Pace(fine_ns=1_000_000, forks=1))
    assert found == ["0 [768] 1", True, None]


def test_one_call_that_computes_for_ever_is_seen(tmp_path: Path) -> None:
    # Given a function with a regular expression that does not come to an end
    # When somebody looks at it
    shown = in_a_worker(
        _application(tmp_path, ENDLESS), "matches", talked(["l", "why"]), timeout_s=0.1, look_ns=20_000_000
    )

    # I expect the time limit there, and the line that made the text
    assert "code was computing in one call" in shown
    assert "arose at step 0  main.py:5 in matches" in shown


@in_a_fresh_process  # what listens to collections here reads the clock, too
def test_clocks_of_cpu_time_are_the_same_in_each_run(tmp_path: Path) -> None:
    # Given code that asks for CPU time in every way that there is
    lines = ["p found", "p ('slept', slept)", "rs", "p found", "rs", "p found", "values found"]
    # When somebody looks at its values at the failure, at steps before it, and at all of them
    file = _application(Path(tmp_path), CLOCKS)
    shown = in_a_worker(file, "clocks", talked(lines), timeout_s=60.0)
    # I expect one and the same, and that what slept did not work
    found = [line for line in shown.splitlines() if line.startswith("[")]
    assert len(found) == 3, shown
    assert len(set(found)) == 1, shown
    values = [line for line in shown.splitlines() if "in clocks" in line]
    assert values[-1].partition("[")[2][:40] == found[0][1:41], shown
    slept = next(line for line in shown.splitlines() if line.startswith("('slept'"))
    assert 0 < int(slept.strip("()").split(", ")[1]) < 1_000_000, shown
