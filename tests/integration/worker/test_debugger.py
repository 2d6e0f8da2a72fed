"""A real pdb inside a real failed worker, driven over its frame socket."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from relive_base.wire.messages import DebugLine, DebugStop

from tests.support.debug_session import Session
from tests.support.worker_harness import ZygoteHandle, zygote

CODE = '''
import json, os, signal, sys, threading, time

CALLS = []
SEEN = []


class Basket:
    __slots__ = ("items", "total")

    def __init__(self):
        self.total, self.items = 3, ["a", {"sku": 7}]

    @property
    def evil(self):
        CALLS.append("evil")


class Meta(type):
    def __getattribute__(cls, name):
        CALLS.append(name)
        raise RuntimeError(name)

    def __dir__(cls):
        CALLS.append("dir")
        return ["x"]


class Hostile(metaclass=Meta):
    def __init__(self):
        self.stored = Basket()

    def __getattribute__(self, name):
        CALLS.append(name)
        raise RuntimeError(name)

    def __getattr__(self, name):
        CALLS.append(name)

    def __dir__(self):
        CALLS.append("dir")
        return ["y"]

    def __repr__(self):
        CALLS.append("repr")
        raise SystemExit(7)


def double(x):
    print("doubling", x)
    return 2 * x


def spin():
    print("spinning")
    while True:
        time.sleep(0.01)


def inner(basket, data):
    hostile = Hostile()
    try:
        return data["price"]
    except KeyError as error:
        raise ValueError("no price") from error


def watch():
    """Look at the streams and the handler of Ctrl-C as soon as there is a file that says so."""
    def look():
        while not os.path.exists(os.environ["HOME"] + "/look"):
            time.sleep(0.01)
        SEEN.extend((sys.stdin, sys.stdout, sys.stderr, signal.getsignal(signal.SIGINT)))
        open(os.environ["HOME"] + "/looked", "w").close()
    threading.Thread(target=look, daemon=True).start()


def fails(number):
    raise LookupError(f"number {number}")


def gathered():
    found = []
    for number in range(2):
        try:
            try:
                {}[number]
            except KeyError:
                fails(number)
        except LookupError as error:
            found.append(error)
    raise ExceptionGroup("both", found)


def handler(event, context):
    basket = Basket()
    if event == "group":
        gathered()
    if event == "library":
        json.loads("{")
    if event == "slow":
        spin()
    if event == "deep":
        def down(n):
            return down(n + 1)
        down(0)
    return inner(basket, event)
'''


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZygoteHandle]:
    with zygote(tmp_path_factory.mktemp("home")) as running:
        yield running


def failed(home: ZygoteHandle, event: object = None, code: str = CODE, **spec: object) -> Session:
    """A session in a worker that has just failed on `event`, at its first prompt."""
    worker = home.worker(code, **spec)
    assert worker.invoke({} if event is None else event).result.status != "ok"
    session = Session(worker)
    session.first = session.until_prompt()  # type: ignore[attr-defined]
    return session


def test_the_commands_of_pdb_work_on_the_real_frames(home: ZygoteHandle) -> None:
    session = failed(home)

    assert 'main.py(65)inner()\n-> raise ValueError("no price") from error' in session.first  # type: ignore[attr-defined]
    assert "handler()" in session.say("w")
    assert "relive" not in session.say("w").replace(session.worker.spec.source, "")
    assert session.say("p basket.total, data") == "(3, {})"
    assert session.say("p double(basket.total)") == "doubling 3\n6"
    assert session.say("basket.total = 5") == ""
    assert session.say("pp basket.total") == "5"
    assert "hostile = Hostile()" in session.say("ll")
    assert session.say("a").splitlines()[1] == "data = {}"
    assert session.say("whatis basket") == "<class 'main.Basket'>"
    assert "def double(x):" in session.say("source double")
    assert session.say("u").endswith("-> return inner(basket, event)")
    assert session.say("p event") == "{}"
    assert session.say("1/0") == "*** ZeroDivisionError: division by zero"
    assert "nothing left to step through" in session.say("n")
    assert session.say("c") == "<ended >"


def test_the_chain_is_walked_in_every_python(home: ZygoteHandle) -> None:
    session = failed(home)

    assert session.say("exceptions").splitlines() == ["    0 KeyError: 'price'", ">   1 ValueError: no price"]
    assert session.say("exceptions 0").endswith('-> return data["price"]')
    assert session.say("exceptions 5") == "*** give a number from 0 to 1"


def test_members_of_a_group_have_frames_of_their_own(home: ZygoteHandle) -> None:
    session = failed(home, "group")

    assert session.say("exceptions").splitlines() == [
        ">   0 ExceptionGroup: both",
        "    1 in the group: LookupError: number 0",
        "    2   while handling: KeyError",
        "    3 in the group: LookupError: number 1",
        "    4   while handling: KeyError",
    ]
    assert session.say("exceptions 3").endswith('-> raise LookupError(f"number {number}")')
    assert session.say("p number") == "1"


def test_it_begins_in_the_users_code_below_which_libraries_lie(home: ZygoteHandle) -> None:
    session = failed(home, "library")

    assert "(3 frames of libraries below this one: d)" in session.first  # type: ignore[attr-defined]
    assert 'json.loads("{")' in session.first  # type: ignore[attr-defined]
    assert "json/decoder.py" in session.say("d 3")


@pytest.mark.parametrize(
    ("event", "expression", "value"), [("slow", "p __name__", "'main'"), ("deep", "p n > 50", "True")]
)
def test_timeouts_and_deep_recursion_have_their_frames(
    home: ZygoteHandle, event: str, expression: str, value: str
) -> None:
    session = failed(home, event, timeout_s=1.0)

    assert session.say(expression) == value


def test_interact_input_and_stepping_through_a_new_call(home: ZygoteHandle) -> None:
    session = failed(home)

    session.say("interact")
    assert session.say("x = double(4)") == "doubling 4\n>>> "
    assert session.say("x") == "8\n>>> "
    session.say(None)  # Ctrl-D leaves it, not the session
    assert session.say("p input('name? ').upper()") == "name? "
    assert session.say("joe") == "'JOE'"
    assert "ENTERING RECURSIVE DEBUGGER" in session.say("debug double(2)")
    session.say("s")
    assert '-> print("doubling", x)' in session.say("s")
    assert session.say("p x") == "2\n((Pdb)) "
    assert session.say("c") == "doubling 2\nLEAVING RECURSIVE DEBUGGER"
    assert session.say("p __import__('sys').gettrace()") == "None"


def test_ctrl_c_ends_the_command_and_not_the_session(home: ZygoteHandle) -> None:
    session = failed(home)

    for line in ("p spin()", "while True: print('spinning')", "debug spin()"):
        session.worker.wire.send(DebugLine(session=1, text=line))
        if line.startswith("debug"):
            assert session.until_prompt().endswith("((Pdb)) ")
            session.worker.wire.send(DebugLine(session=1, text="c"))
        session.until_text("spinning")
        os.kill(session.worker.pid, signal.SIGINT)
        assert "KeyboardInterrupt" in session.until_prompt()
        assert session.say("p 1") == "1"


def test_whatever_a_command_raises_ends_the_command_alone(home: ZygoteHandle) -> None:
    session = failed(home)

    assert session.say("p hostile") == "*** SystemExit: 7"
    assert "SystemExit" in session.say("import sys; sys.exit(3)")
    session.say("interact")
    session.say("raise SystemExit")
    assert session.say("p 1") == "1"


def test_what_was_changed_for_the_session_is_put_back(home: ZygoteHandle) -> None:
    session = failed(home)
    assert "debugger" in session.say("p type(__import__('sys').stdout).__module__")
    check = (
        "import signal, sys, threading; t = threading.Thread(target=lambda: CALLS.append("
        "[print('aside'), sys.stdin.readline()])); t.start(); t.join()"
    )
    assert session.say(check) == ""  # another thread's text goes where it always went
    session.say("c")

    session = Session(session.worker, 2)
    session.until_prompt()

    session.say("watch()")
    session.say("c")
    scratch = Path(session.worker.spec.scratch)
    (scratch / "look").touch()
    end = time.monotonic() + 120
    while not (scratch / "looked").exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    session = Session(session.worker, 3)
    session.until_prompt()
    assert "debugger" not in session.say("p [type(stream).__module__ for stream in SEEN[:3]]")
    assert session.say("p len(SEEN)") == "4"
    assert session.say("p SEEN[3].__name__") == "'default_int_handler'"


def test_completion_calls_nobodys_code(home: ZygoteHandle) -> None:
    session = failed(home)

    assert {"evil", "items", "total"} == set(session.complete("p basket."))
    assert session.complete("p basket.items[1]['sku'].bit_c") == ["bit_count"]
    assert session.complete("hostile.sto") == ["stored"]
    assert session.complete("hostile.stored.to") == ["total"]
    assert session.complete("Hostile.") == ["mro"]  # all others begin with __
    assert session.complete("p basket.evil.") == []
    assert session.complete("p double(1).") == []
    assert "whatis" in session.complete("wha")
    assert session.complete("p dou") == ["double"]
    assert session.complete("p json.load") == ["load", "loads"]
    assert session.complete("x" * 5_000) == []
    assert session.say("p CALLS") == "[]"


def test_modules_of_the_users_own_do_not_stand_in_for_the_standard_library(home: ZygoteHandle) -> None:
    source = home.home / "shadowed"
    source.mkdir()
    (source / "main.py").write_text(
        "import code, cmd\ndef handler(event, context):\n    raise ValueError(code.MINE)\n"
    )
    for name in ("code", "cmd", "pdb", "bdb"):
        (source / f"{name}.py").write_text("MINE = 'my own'\n")
    worker = home.fork(home.spec(source))
    worker.start()
    assert worker.invoke({}).result.status == "error"

    session = Session(worker)

    assert "ValueError" in session.until_prompt()
    assert session.say("p code.MINE, cmd.MINE") == "('my own', 'my own')"
    assert session.say("p __import__('sys').path[0]") == repr(str(source))


def test_a_session_ends_from_outside_and_another_one_begins(home: ZygoteHandle) -> None:
    session = failed(home)
    session.say("mark = 17")

    session.worker.wire.send(DebugStop(session=1))
    assert session.until_prompt() == "<ended >"
    session = Session(session.worker, 2)
    session.until_prompt()
    session.worker.wire.send(DebugLine(session=1, text="p 'of another session'"))

    assert session.say("p mark") == "17"


def test_a_worker_that_has_not_failed_says_so(home: ZygoteHandle) -> None:
    worker = home.worker("def handler(event, context):\n    return 1\n")
    worker.invoke({})

    session = Session(worker)

    assert session.until_prompt() == "<ended this process has not failed>"
    assert worker.invoke({}).value == 1


def test_the_process_ends_with_the_session_when_the_server_is_gone(
    home: ZygoteHandle, tmp_path: Path
) -> None:
    session = failed(home)

    session.worker.wire.socket.close()

    assert home.wait_exit(session.worker).status == 0


CLOSURES = """
FACTOR = 10
class ApiError(Exception):
    def __init__(self, *, status, body):
        self.status, self.body = status, body
def pick(rows, wanted):
    limit = 2
    raise ApiError(status=409, body={"reason": "already shipped"})
def handler(event, context):
    return pick(event["rows"], event["wanted"])
"""
ROWS = {"rows": [{"n": 1}, {"n": 3}], "wanted": [1]}


def test_comprehensions_and_lambdas_see_the_locals_on_every_python(home: ZygoteHandle) -> None:
    session = failed(home, ROWS, CLOSURES)

    assert session.say("p [r for r in rows if r['n'] in wanted]") == "[{'n': 1}]"
    assert session.say("p any(r['n'] > limit for r in rows)") == "True"
    assert session.say("pp sorted(rows, key=lambda r: -r['n'] * limit)[0]") == "{'n': 3}"
    assert session.say("{r['n'] for r in rows if r['n'] > limit}") == "{3}"
    assert session.say("!found = [r['n'] * FACTOR for r in rows if r['n'] in wanted]") == ""
    assert session.say("p found, [x for x in found]") == "([10], [10])"
    assert session.say("def over(x): return x > limit") == ""
    assert session.say("p [over(r['n']) for r in rows]") == "[False, True]"
    assert session.say("p [last := r['n'] for r in rows]") == "[1, 3]"
    assert session.say("p last") == "3"
    assert session.say("whatis (r for r in rows)") == "<class 'generator'>"
    assert session.say("p [nothing for r in rows]") == "*** NameError: name 'nothing' is not defined"
    assert session.say("u").endswith('-> return pick(event["rows"], event["wanted"])')
    assert session.say("p [r for r in event['rows']][0]") == "{'n': 1}"


def test_the_exception_has_a_name_on_every_python(home: ZygoteHandle) -> None:
    session = failed(home, ROWS, CLOSURES)

    assert session.say("p $_exception.status, $_exception.body['reason']") == "(409, 'already shipped')"
    assert session.say("p __exception__[0].__name__, __exception__[1].status") == "('ApiError', 409)"
    assert session.say("p [key for key in $_exception.body]") == "['reason']"
    session.say("u")
    assert session.say("p $_exception.status") == "409"
    assert session.say("whatis $_exception") == "<class 'main.ApiError'>"


def test_the_name_of_the_exception_follows_the_one_that_is_looked_at(home: ZygoteHandle) -> None:
    session = failed(home)

    assert session.say("p type($_exception).__name__") == "'ValueError'"
    session.say("exceptions 0")
    assert session.say("p type($_exception).__name__, $_exception.args") == "('KeyError', ('price',))"
