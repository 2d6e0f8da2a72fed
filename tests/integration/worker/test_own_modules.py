"""A function's own modules that bear the name of one of the standard library, or of a dependency."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.machinery import FrozenImporter
from pathlib import Path

import pytest
from relive_base.wire.messages import HeapTaken, TakeHeap

from tests.support.debug_session import Session
from tests.support.worker_harness import ZygoteHandle

NAMES = sorted(
    name
    for name in sys.stdlib_module_names
    if name not in sys.builtin_module_names and name != "encodings" and FrozenImporter.find_spec(name) is None
)
"""All that a folder on the path can take from the standard library."""

STUB = """
import sys
OWN = True
def __getattr__(name):
    if not name.startswith("__"):
        file = sys._getframe(1).f_code.co_filename
        sys.__dict__.setdefault("strangers", []).append(__name__ + "." + name + " by " + file)
    raise AttributeError(name)
"""

MAIN = """
import sys
NAMES = %r
mine = {name: __import__(name) for name in NAMES}

async def later():
    return 1

def handler(event, context):
    if event == "fail":
        order = {"sku": "A-1", "n": 3}
        raise LookupError("no such order", order["sku"])
    if event == "own":
        return [name for name in NAMES if not getattr(mine[name], "OWN", False)]
    if event == "later":
        return later()
    print("a line")
    return getattr(sys, "strangers", [])
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ZygoteHandle]:
    with ZygoteHandle(tmp_path) as handle:
        yield handle


def source_of(home: ZygoteHandle, names: list[str], folder: str = "own") -> Path:
    source = home.home / folder
    source.mkdir()
    for name in names:
        (source / f"{name}.py").write_text(STUB)
    (source / "main.py").write_text(MAIN % (names,))
    return source


def test_each_name_of_the_standard_library_means_the_functions_own(home: ZygoteHandle) -> None:
    worker = home.fork(home.spec(source_of(home, NAMES)))
    worker.start()

    assert len(NAMES) > 150
    assert worker.invoke("own").value == []
    assert worker.invoke("see").value == []  # nobody else came upon them
    assert worker.invoke("later").value == 1


def test_a_failure_among_such_modules_is_recorded_whole(home: ZygoteHandle) -> None:
    worker = home.fork(home.spec(source_of(home, NAMES)))
    worker.start()

    outcome = worker.invoke("fail")

    assert outcome.result.error is not None
    assert outcome.result.error.type == "LookupError"
    assert outcome.scene is not None
    plain = home.fork(home.spec(source_of(home, [], "plain")))
    plain.start()
    expected = plain.invoke("fail").scene
    assert expected is not None
    assert outcome.scene.parts == expected.parts
    frames = outcome.scene.members["exception.json"].decode()
    assert "A-1" in frames

    session = Session(worker)
    assert "LookupError" in session.until_prompt()
    assert session.say("p order['sku']") == "'A-1'"
    assert session.say("p mine['pdb'].OWN, mine['json'].OWN") == "(True, True)"
    # ... also what imports only when it is asked for
    commands = ["w", "l", "pp order", "tbreak handler", "b", "cl 1", "help pp", "alias px p %1", "px order"]
    answers = {command: session.say(command) for command in commands}
    answers["debug"] = session.say("debug handler('own', None)")
    assert not [item for item in answers.items() if "***" in item[1] or "AttributeError" in item[1]]
    assert "ENTERING RECURSIVE DEBUGGER" in answers["debug"]
    assert "--Call--" in session.say("s")
    assert "'own'" in session.say("p event")
    assert "LEAVING RECURSIVE DEBUGGER" in session.say("c")
    assert session.say("p getattr(sys, 'strangers', [])") == "[]"
    session.say("q")


def test_a_heap_is_taken_among_such_modules(home: ZygoteHandle) -> None:
    worker = home.fork(home.spec(source_of(home, NAMES)))
    worker.start()
    invocation_id = worker.invoke("fail").result.invocation_id

    worker.wire.send(TakeHeap(invocation_id, f"{worker.spec.scratch}/heap"))
    taken, _ = worker.wire.until(HeapTaken)

    assert (taken.part.state, taken.part.reason) == ("ok", "")


def test_a_dependencys_module_of_the_same_name_is_the_dependencys_alone(tmp_path: Path) -> None:
    deps = tmp_path / "deps"
    (deps / "utils").mkdir(parents=True)
    (deps / "utils" / "__init__.py").write_text("WHO = 'the dependency'\n")
    (deps / "chatlib.py").write_text("import utils\ndef who(): return utils.WHO\n")
    with ZygoteHandle(tmp_path, deps_dir=str(deps), preload=["chatlib", "utils"]) as home:
        source = tmp_path / "own"
        (source / "utils").mkdir(parents=True)
        (source / "utils" / "__init__.py").write_text("WHO = 'mine'\n")
        (source / "main.py").write_text(
            "import chatlib, utils\ndef handler(e, c): return [utils.WHO, chatlib.who()]\n"
        )
        worker = home.fork(home.spec(source))
        worker.start()

        assert worker.invoke({}).value == ["mine", "the dependency"]


def test_a_dependency_comes_before_the_standard_library_and_not_for_relive(tmp_path: Path) -> None:
    deps = tmp_path / "deps"
    deps.mkdir()
    names = ["secrets", "calendar", "hashlib", "selectors", "csv"]
    for name in names:
        (deps / f"{name}.py").write_text(STUB)
    with ZygoteHandle(tmp_path, deps_dir=str(deps), preload=names) as home:
        worker = home.fork(home.spec(source_of(home, ["calendar"])))
        worker.start()
        assert home.ready.failed_imports == {}
        assert worker.invoke("own").value == []

        source = tmp_path / "theirs"
        source.mkdir()
        (source / "main.py").write_text(
            f"def handler(e, c): return [n for n in {names} if not hasattr(__import__(n), 'OWN')]\n"
        )
        worker = home.fork(home.spec(source))
        worker.start()
        assert worker.invoke({}).value == []


def test_a_folder_without_init_takes_no_name(home: ZygoteHandle) -> None:
    source = home.home / "own"
    (source / "json").mkdir(parents=True)
    (source / "json" / "order.json").write_text("{}")
    (source / "main.py").write_text("import json\ndef handler(e, c): return json.dumps(e)\n")
    worker = home.fork(home.spec(source))
    worker.start()

    assert worker.invoke([1]).value == "[1]"


def test_modules_of_the_standard_library_that_are_loaded_late_find_their_own_kind(home: ZygoteHandle) -> None:
    source = home.home / "own"
    source.mkdir()
    for name in ("types", "string", "calendar", "email"):
        (source / f"{name}.py").write_text(STUB)
    (source / "main.py").write_text(
        "import types, calendar, csv, configparser, http.cookiejar, datetime, smtplib\n"
        "def handler(e, c):\n"
        "    return [types.OWN, calendar.OWN, str(datetime.datetime.strptime('2026', '%Y'))]\n"
    )
    worker = home.fork(home.spec(source))
    worker.start()

    assert worker.invoke({}).value == [True, True, "2026-01-01 00:00:00"]
