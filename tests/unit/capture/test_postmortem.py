"""The read-only session on a scene: pdb's commands over captured values, and what it cannot do."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_base.parts import ok
from relive_base.records import InvocationRecord
from relive_base.values import ValueNode
from relive_base.wire.messages import LogLine, Scene
from relive_capture.explore.parts import SceneInput, render_text, to_json, write_scene
from relive_capture.explore.postmortem import CannotEvaluate, Evaluator, PostMortem
from relive_capture.explore.postmortem.trees import Trees
from relive_capture.explore.scene import SceneFile, read_scene

CODE = """
class Item:
    def __init__(self, sku, price):
        self.sku = sku
        self.price = price
        self.password = "hunter2"


def total(items, *, factor=2):
    text = "x" * 500
    many = list(range(100))
    grid = {"a": {"b": [1, 2, 3]}, 7: "seven"}
    nothing = None
    return items[1].price / 0


def handler(event):
    basket = [Item("a", 1.5), Item("b", 2.5)]
    try:
        return total(basket)
    except ZeroDivisionError as error:
        raise ValueError("no total") from error
"""
EVENT = b'{"sku": "b", "count": 2}'


def record() -> InvocationRecord:
    return InvocationRecord(
        invocation_id="019a0000-0000-7000-8000-000000000001",
        function="shop",
        version=3,
        trace_id="4b" * 16,
        span_id="ab" * 8,
        trigger_span_id="cd" * 8,
    )


@pytest.fixture
def scene(tmp_path: Path, load: Callable[[str], ModuleType], capture: Callable[..., Scene]) -> SceneFile:
    taken = capture(load(CODE).handler, {"sku": "b"})
    given_ = SceneInput(record=record(), scene=taken, event=EVENT, logs=[LogLine(1, "INFO", "began")])
    write_scene(tmp_path / "a.scene", given_)
    return read_scene(tmp_path / "a.scene")


@pytest.fixture
def session(scene: SceneFile) -> PostMortem:
    """A session in the frame of `total`: the cause of what was raised."""
    opened = PostMortem(scene)
    opened.run("exceptions 0")
    return opened


GROUP = """
def member(number):
    try:
        {}[number]
    except KeyError as error:
        raise ValueError(f"no {number}") from error

def handler(event):
    found = []
    for number in (1, 2):
        try:
            member(number)
        except ValueError as error:
            found.append(error)
    raise ExceptionGroup("two", found)
"""


def test_what_members_of_a_group_were_raised_from_is_listed_below_them(
    tmp_path: Path, load: Callable[[str], ModuleType], capture: Callable[..., Scene]
) -> None:
    taken = capture(load(GROUP).handler, {})
    write_scene(tmp_path / "g.scene", SceneInput(record=record(), scene=taken, event=EVENT))
    found = read_scene(tmp_path / "g.scene")
    session = PostMortem(found)

    # I expect the read-only debugger to list them, and to go there
    assert session.run("exceptions").splitlines() == [
        ">   0 ExceptionGroup: two (2 sub-exceptions)",
        "    1   ValueError: no 1",
        "    2     caused by KeyError: 1",
        "    3   ValueError: no 2",
        "    4     caused by KeyError: 2",
    ]
    assert session.run("exceptions 4") == "> app.py(4)member()\n-> {}[number]\n"
    assert session.run("p number") == "2\n"

    # ... and `relive failure` to show them, as text and as JSON
    lines = render_text(found).splitlines()
    at = lines.index("    caused by KeyError: 2")
    assert lines[at - 3] == "  in the group ValueError: no 2"
    assert lines[at + 1 : at + 3] == ["      app.py:4 in member:  {}[number]", "        number=2"]
    assert to_json(found)["exception"][0]["group"][1]["chain"][0]["type"] == "KeyError"


def test_it_begins_where_the_failure_was_raised_and_walks_the_chain(scene: SceneFile) -> None:
    session = PostMortem(scene)

    assert session.banner().startswith("ValueError: no total")
    assert "> app.py(22)handler()" in session.banner()
    chain = session.run("exceptions").splitlines()
    assert chain == ["    0 ZeroDivisionError: float division by zero", ">   1 ValueError: no total"]
    assert session.run("exceptions 0") == "> app.py(14)total()\n-> return items[1].price / 0\n"
    assert session.run("exceptions 7") == "*** give a number from 0 to 1\n"
    assert "give a number" in session.run("exceptions 2")


def test_frames_are_walked_as_in_pdb(session: PostMortem) -> None:
    where = session.run("w").splitlines()

    assert where[0] == "  app.py(20)handler()"
    assert where[2] == "> app.py(14)total()"
    assert session.run("d") == "*** Newest frame\n"
    assert session.run("u") == "> app.py(20)handler()\n-> return total(basket)\n"
    assert session.run("up 5") == "*** Oldest frame\n"
    assert session.run("d").startswith("> app.py(14)total()")
    assert session.run("u x") == "*** 'x' is not a number\n"


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("p items[1].price", "2.5"),
        ("items[1].price", "2.5"),
        ("!items[-1].sku", "'b'"),
        ("p grid['a'].keys", "*** AttributeError: dict has no stored attribute 'keys'"),
        ("p grid['a']['b'][2]", "3"),
        ("p grid[7]", "'seven'"),
        ("p len(many)", "100"),
        ("p len(text) == 500 and not nothing", "True"),
        ("p items[0].price < items[1].price <= 2.5", "True"),
        ("p 'a' in grid", "True"),
        ("p 'z' in grid", "False"),
        ("p 2 in grid['a']['b']", "True"),
        ("p nothing is None", "True"),
        ("p factor != 2", "False"),
        ("whatis items", "list"),
        ("whatis items[0]", "app.Item"),
        ("p many[99]", "*** [99] was cut at capture (84 of its values are not in the scene)"),
        ("p 99 in many", "*** 84 of its values were cut at capture: it cannot be told"),
        ("p text == 'x'", "*** the value was cut at capture: only its beginning is known"),
        ("p items[0].password == 'x'", "*** the value was redacted at capture"),
        ("p items[7]", "*** IndexError: index out of range"),
        ("p grid['z']", "*** KeyError: 'z'"),
        ("p other", "*** NameError: 'other' is not among the captured locals of this frame"),
        ("p total(1)", "*** calls need the live process; here only len(...) is known"),
        ("p items[0:1]", "*** slices are not known here: name one index"),
        ("p factor + 1", "*** arithmetic is not known here: p the values themselves"),
        ("factor = 3", "*** a scene is read-only: statements need the live process"),
        ("import os", "*** a scene is read-only: statements need the live process"),
        ("p (", "*** SyntaxError: '(' was never closed"),
        ("p 1 < 'a'", "*** TypeError: '<' not supported between instances of 'int' and 'str'"),
        ("p", "*** give an expression"),
        ("interact", "*** interact needs the live process; this session is read-only"),
        ("n", "*** n needs the live process; this session is read-only"),
    ],
)
def test_expressions_are_read_and_never_run(session: PostMortem, line: str, answer: str) -> None:
    assert session.run(line) == answer + "\n"


def test_values_arguments_and_source_are_shown(session: PostMortem) -> None:
    assert "hunter2" not in session.run("pp items")
    assert "  [1] = app.Item(sku='b', price=2.5" in session.run("pp items")
    assert session.run("a").splitlines()[1] == "factor = 2"
    assert "nothing = None" in session.run("locals")
    longlist = session.run("ll").splitlines()
    assert longlist[0] == "  9    \tdef total(items, *, factor=2):"
    assert longlist[-1] == " 14 -> \t    return items[1].price / 0"
    assert len(session.run("l .").splitlines()) == 11
    assert session.run("l").splitlines()[0].startswith(" 20")
    assert session.run("l 1, 2") == "  1\n  2    \tclass Item:\n"
    assert session.run("l 900") == "[EOF]\n"


def test_the_rest_of_the_scene_is_at_hand(session: PostMortem) -> None:
    assert '"count": 2' in session.run("event")
    assert session.run("logs") == "INFO  began\n"
    assert "live: the process has ended" in session.run("parts")
    assert "whatis expression" in session.run("h")
    assert session.run("h whatis") == "whatis expression: the type of its value\n"
    assert not session.done
    assert session.run("q") == ""
    assert session.done


def test_other_threads_are_shown_where_they_stood(
    tmp_path: Path, load: Callable[[str], ModuleType], capture: Callable[..., Scene]
) -> None:
    # Given: a failure while another thread waits
    begun, ended = threading.Event(), threading.Event()

    def clerk() -> None:
        begun.set()
        ended.wait(120)

    thread = threading.Thread(target=clerk, name="clerk")
    thread.start()
    assert begun.wait(120)
    taken = capture(load(CODE).handler, {"sku": "b"})
    ended.set()
    thread.join()
    write_scene(tmp_path / "with.scene", SceneInput(record=record(), scene=taken))
    taken.members["threads.json"] = b"[]"
    write_scene(tmp_path / "without.scene", SceneInput(record=record(), scene=taken))

    shown = PostMortem(read_scene(tmp_path / "with.scene")).run("threads")
    assert "thread clerk\n" in shown
    assert "clerk()" in shown
    assert "no other thread" in PostMortem(read_scene(tmp_path / "without.scene")).run("threads")


def test_completion_knows_commands_locals_and_what_values_hold(session: PostMortem) -> None:
    assert session.complete_line("wh") == (0, ["whatis", "where"])
    assert session.complete_line("p it") == (2, ["items"])
    assert session.complete_line("p items[0].") == (11, ["password", "price", "sku"])
    assert session.complete_line("p total().") == (10, [])


def test_what_was_cut_may_be_in_the_heap(
    tmp_path: Path, load: Callable[[str], ModuleType], capture: Callable[..., Scene]
) -> None:
    taken = capture(load(CODE).handler, {"sku": "b"})
    taken.parts["heap"] = ok()
    write_scene(tmp_path / "a.scene", SceneInput(record=record(), scene=taken))
    session = PostMortem(read_scene(tmp_path / "a.scene"))
    session.run("exceptions 0")

    assert f"relive heap {record().invocation_id}" in session.run("p many[99]")
    assert "relive heap" not in session.run("p many[1].x")


def test_a_scene_without_frames_says_so(tmp_path: Path) -> None:
    write_scene(tmp_path / "b.scene", SceneInput(record=record(), event=EVENT))
    session = PostMortem(read_scene(tmp_path / "b.scene"))

    for line in ("w", "p x", "l", "ll", "a", "locals", "u", "d", "exceptions", "threads", "logs", "parts"):
        assert session.run(line)
    assert session.run("l") == "*** the scene has no frames of this exception\n"


NODES = st.recursive(
    st.builds(
        ValueNode,
        st.sampled_from(["str", "int", "x.Y", "dict"]),
        st.text(max_size=8),
        length=st.integers(-1, 9),
    ),
    lambda inner: st.builds(
        ValueNode,
        st.sampled_from(["list", "dict", "x.Y"]),
        st.sampled_from(["[1]", "{'a': 1}", "x.Y(a=1)", ""]),
        st.integers(0, 3),
        st.integers(-1, 3),
        st.lists(st.tuples(st.sampled_from(["a", "b", "[0]", "[1]", "0"]), inner), max_size=4),
        st.integers(0, 2),
        st.booleans(),
        st.booleans(),
    ),
    max_leaves=12,
)
EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "b", "1", "-1", "'a'", "None", "True", "2.5", "b'x'", "..."]),
    lambda inner: st.one_of(
        st.builds("{}.a".format, inner),
        st.builds("{}[{}]".format, inner, inner),
        st.builds("len({})".format, inner),
        st.builds(
            "({} {} {})".format, inner, st.sampled_from(["==", "<", "in", "is", "and", "or", "+"]), inner
        ),
        st.builds("not {}".format, inner),
        st.builds("-{}".format, inner),
        st.builds("{}({})".format, inner, inner),
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["a", "b"]), NODES), st.one_of(EXPRESSIONS, st.text(max_size=30)))
def test_every_expression_has_a_value_or_a_reason(names: dict[str, ValueNode], text: str) -> None:
    evaluator = Evaluator(names, Trees(names.values()))

    with contextlib.suppress(CannotEvaluate):
        evaluator.evaluate(text)


def test_deep_and_long_expressions_are_refused() -> None:
    evaluator = Evaluator({}, Trees([]))

    for text in ("-" * 200 + "1", "(" * 900 + "1" + ")" * 900, "1" * 5_000, "\0"):
        with pytest.raises(CannotEvaluate):
            evaluator.evaluate(text)


API_ERROR = """
class ApiError(Exception):
    def __init__(self, *, status, body):
        self.status, self.body = status, body

def handler(event):
    raise ApiError(status=409, body={"reason": "already shipped"})
"""


def test_the_exception_has_the_names_that_pdb_gives_it(
    tmp_path: Path, load: Callable[[str], ModuleType], capture: Callable[..., Scene]
) -> None:
    taken = capture(load(API_ERROR).handler, {})
    write_scene(tmp_path / "a.scene", SceneInput(record=record(), scene=taken))
    session = PostMortem(read_scene(tmp_path / "a.scene"))

    assert session.run("p $_exception.status") == "409\n"
    assert session.run("p $_exception.body['reason']") == "'already shipped'\n"
    assert session.run("p __exception__[1].status == 409") == "True\n"
    assert session.run("p __exception__").startswith("(<class '")
    assert session.run("whatis $_exception") == "ApiError\n"
