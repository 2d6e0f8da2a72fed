"""The walker: bounded, and it never calls the user's code."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import itertools
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hostile
import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_base.parts import Reason, Why
from relive_base.redaction.redactor import PLACEHOLDER, Redactor
from relive_base.terminal import cells
from relive_base.values import ValueNode, decode_value, encode_value, render, render_lines
from relive_capture.record.budget import Budget, Meter
from relive_capture.record.values import Walker


def walk(value: object, **limits: Any) -> ValueNode:
    return walked(value, **limits)[0]


def walked(value: object, **limits: Any) -> tuple[ValueNode, list[str]]:
    budget = Budget(**{"cpu_ns": 10_000_000_000, **limits})
    redactions: list[str] = []
    nodes, _ = Walker(budget, Meter(budget), Redactor(), redactions).frame_locals([("x", value)], "f")
    return nodes[0][1], redactions


def count(node: ValueNode) -> int:
    return 1 + sum(count(child) for _, child in node.children)


class Color(enum.Enum):
    RED = 1


class Slotted:
    __slots__ = ("filled", "never")

    def __init__(self) -> None:
        self.filled = 1


@dataclasses.dataclass
class Item:
    number: int
    password: str = "hunter2"


Point = collections.namedtuple("Point", "x y")


@pytest.mark.parametrize(
    "make",
    [
        lambda: hostile.Hostile(),
        lambda: [hostile.Hostile()],
        lambda: {hostile.HostileKey(): hostile.Hostile()},
        lambda: hostile.HostileDict(a=1),
        lambda: hostile.HostileList([1]),
        lambda: hostile.HostileStr("abc"),
        lambda: hostile.WithHostileMeta,
        lambda: type.__call__(hostile.WithHostileMeta),
        lambda: hostile.HostileError(hostile.Hostile()),
        lambda: hostile.endless(),
        lambda: {"nested": ({"deep": hostile.Hostile()},)},
        lambda: collections.UserDict(a=hostile.Hostile()),
    ],
)
def test_the_users_code_is_never_called(make: Callable[[], object]) -> None:
    value = make()
    hostile.calls.clear()

    node = walk(value)

    assert hostile.calls == []
    assert node.type


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "True"),
        (42, "42"),
        (1.5, "1.5"),
        ("it's", '"it\'s"'),
        (b"ab", "b'ab'"),
        ([1, "a"], "[1, 'a']"),
        ({"a": 1}, "{'a': 1}"),
        ((1,), "(1,)"),
        ({1}, "{1}"),
        (Color.RED, "Color.RED"),
        (Point(1, 2), "Point(x=1, y=2)"),
        (decimal.Decimal("1.50"), "Decimal('1.50')"),
        (datetime.date(2026, 11, 23), "2026-11-23"),
        (datetime.datetime(2026, 11, 23, 1, 2, tzinfo=datetime.UTC), "2026-11-23T01:02:00 UTC"),
        (Path("/tmp"), "PosixPath('/tmp')"),
        (collections.deque([1]), "deque([1])"),
        (range(3), "range(0, 3)"),
        (dict, "<class dict>"),
    ],
)
def test_everyday_values_read_like_themselves(value: object, text: str) -> None:
    assert walk(value).text.replace(f"{__name__}.", "").replace("test_walker.", "") == text


def test_attributes_come_from_dict_and_slots_and_empty_slots_are_left_out() -> None:
    assert [name for name, _ in walk(Slotted()).children] == ["filled"]
    assert [name for name, _ in walk(Item(1)).children] == ["number", "password"]


def test_a_secret_attribute_is_redacted_and_its_place_listed() -> None:
    node, redactions = walked([Item(1)])

    assert node.children[0][1].children[1][1].text == PLACEHOLDER
    assert redactions == ["f.x[0].password"]
    assert b"hunter2" not in encode_value(node)


@pytest.mark.parametrize(
    "value",
    [
        [("x-api-key", "hunter2"), ("accept", "*/*")],
        [[b"x-api-key", b"hunter2"]],
        [{"Key": "DB_PASSWORD", "Value": "hunter2"}],
        [{"k": "x-api-key", "v": "hunter2"}],
        ["mysql", "--password", "hunter2"],
        {"name": "DB_PASSWORD", "value": "hunter2"},
        [{"key": "client_secret", "value": "hunter2"}],
        collections.namedtuple("Header", "name value")("x-api-key", "hunter2"),
        collections.deque(["x-api-key", "hunter2"]),
        {"ghp_" + "hunter2x" * 5: 1},
    ],
)
def test_a_secret_whose_name_stands_beside_it_is_redacted(value: object) -> None:
    for depth in (0, 1, 2, 3):
        node, redactions = walked(value, depth=depth)

        assert b"hunter2" not in encode_value(node)
        assert len(redactions) <= 1
    assert len(redactions) == 1


def test_a_secret_that_lies_across_the_cut_is_redacted() -> None:
    node = walk("x" * 190 + " Bearer " + "s3cr3t" * 20)

    assert "s3cr3t" not in node.text


def test_a_million_entries_cost_no_more_than_sixteen() -> None:
    for make in (dict.fromkeys, list, set):
        few, many = make(range(17)), make(range(1_000_000))
        node = walk(many)
        assert (node.length, len(node.children), node.more) == (1_000_000, 16, 999_984)
        # As long as for 17; to look at each of them takes a hundred times as long
        assert cost(many) < 20 * cost(few), make


def cost(value: object) -> int:
    """CPU time of a walk, the best of several: what else the machine does makes it longer only. ns."""
    costs = []
    for _ in range(10):
        begin = time.thread_time_ns()
        walk(value)
        costs.append(time.thread_time_ns() - begin)
    return min(costs)


def test_giant_texts_and_numbers_are_cut() -> None:
    assert len(walk("x" * 10_000_000).text) < 210
    assert len(walk("x" * 70, text=40).text) < 50
    assert walk("x" * 10_000_000).length == 10_000_000
    assert walk(1 << 10_000_000).text == "<int of 10000001 bits>"
    assert len(walk(b"x" * 10_000_000).text) < 210


def test_a_cycle_ends_in_a_reference() -> None:
    value: list[Any] = [1]
    value.append(value)

    node = walk(value)

    assert node.children[1][1].ref
    assert node.children[1][1].id == node.id


def test_depth_breadth_and_nodes_are_bounded() -> None:
    deep: list[Any] = []
    for _ in range(1000):
        deep = [deep]
    wide = [[[list(range(100)) for _ in range(100)] for _ in range(100)] for _ in range(2)]

    assert count(walk(deep)) == 4
    assert count(walk(wide)) <= 301


def test_numpy_and_pandas_show_their_shape_and_values() -> None:
    numpy = pytest.importorskip("numpy")
    pandas = pytest.importorskip("pandas")

    assert walk(numpy.zeros((1000, 1000))).text.startswith("ndarray shape=(1000, 1000) dtype=<f8 [0.0")
    assert walk(numpy.float32(1.5)).text == "numpy.float32(1.5)"
    assert walk(numpy.empty(2, dtype=object)).text == "ndarray shape=(2,) dtype=|O [None, None]"
    table = walk(pandas.DataFrame({"a": [1, 2], "password": ["hunter2", "x"]}))
    assert table.text.startswith("DataFrame 2 rows x 2 columns {'a': ndarray shape=(2,) dtype=<i8 [1, 2], ")
    assert [(name, node.redacted) for name, node in table.children] == [("a", False), ("password", True)]


def test_a_dict_that_changes_meanwhile_gives_what_was_read() -> None:
    stop = threading.Event()
    value: dict[int, int] = dict.fromkeys(range(100), 0)

    def change() -> None:
        number = 100
        while not stop.is_set():
            value[number] = 0
            value.pop(number - 50, None)
            number += 1

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(200):
            assert walk(value).type == "dict"
    finally:
        stop.set()
        thread.join()


def test_what_goes_through_all_frames_is_walked_once_and_referred_to() -> None:
    budget = Budget()
    walker = Walker(budget, Meter(budget), Redactor(), [])
    event = {"items": [1, 2, 3]}

    first, _ = walker.frame_locals([("event", event)], "a")
    second, _ = walker.frame_locals([("request", event), ("again", event)], "b")

    assert not first[0][1].ref
    assert [(node.ref, node.id, node.text) for _, node in second] == [
        (True, id(event), "{'items': [1, 2, 3]}")
    ] * 2


def frame(*items: tuple[str, object], near: bool = True, **limits: Any) -> dict[str, ValueNode]:
    budget = Budget(**{"cpu_ns": 10_000_000_000, **limits})
    nodes, _ = Walker(budget, Meter(budget), Redactor(), []).frame_locals(items, "f", near=near)
    return dict(nodes)


def test_a_local_that_an_earlier_one_holds_has_its_own_children() -> None:
    address = {"street": "Lane 3", "city": "Ulm"}
    cart = {"customer": "ada", "address": address}

    found = frame(("event", {"cart": cart}), ("cart", cart), ("address", address))

    assert [name for name, _ in found["cart"].children] == ["customer", "address"]
    assert found["address"].text == "{'street': 'Lane 3', 'city': 'Ulm'}"
    assert not any(node.ref for node in found.values())


def test_lines_show_the_head_of_what_is_not_walked() -> None:
    address = {"street": "Lane 3", "city": "Ulm", "zip": 89073, "country": "de", "password": "hunter2"}

    node = frame(("address", address), depth=0)["address"]
    secret = frame(("x", {"password": "hunter2"}), depth=0)["x"]

    assert (node.text, node.more, node.children) == (
        "{'street': 'Lane 3', 'city': 'Ulm', 'zip': 89073, …}",
        5,
        [],
    )
    assert secret.text == "{'password': [redacted]}"


def test_a_line_that_would_be_too_long_shows_the_head_of_its_parts() -> None:
    node = walk({"note": "a very long note " * 10, "lines": [{"sku": "A" * 60, "count": 1}], "total": 7})

    assert node.text == "{'note': 'a very long note a very l…', 'lines': […], 'total': 7}"


def test_outer_frames_get_smaller_trees_and_every_local_is_there() -> None:
    history = [(number, f"step {number}") for number in range(30)]
    items = [("history", history), *((f"x{number}", {"a": [number]}) for number in range(20))]

    near, outer = frame(*items), frame(*items, near=False)

    assert (len(near["history"].children), len(outer["history"].children)) == (16, 8)
    assert near.keys() == outer.keys()
    assert sum(count(node) for node in outer.values()) <= Budget().outer_nodes
    assert outer["x19"].text == "{'a': […]}"


def test_a_smaller_tree_of_an_outer_frame_does_not_stand_for_the_whole() -> None:
    budget = Budget(cpu_ns=10_000_000_000)
    walker = Walker(budget, Meter(budget), Redactor(), [])
    value = {"a": {"b": {"c": 1}}}

    walker.frame_locals([("value", value)], "outer", near=False)
    nodes, _ = walker.frame_locals([("value", value)], "near")

    assert not nodes[0][1].ref
    assert nodes[0][1].children[0][1].children[0][1].children[0][1].text == "1"


def test_the_byte_budget_ends_the_walk_and_every_local_is_named() -> None:
    budget = Budget(total_bytes=2_000)
    meter = Meter(budget)
    walker = Walker(budget, meter, Redactor(), [])

    nodes, unnamed = walker.frame_locals([(f"x{i}", "y" * 100) for i in range(60)], "f")

    assert (len(nodes), unnamed) == (60, 0)
    assert len(nodes[0][1].text) == 102
    assert nodes[-1][1].text == "'" + "y" * 23 + "…"
    assert {node.length for _, node in nodes} == {100}
    assert meter.over == Reason(Why.SIZE_LIMIT, (2000,))


def test_every_local_is_named_with_its_line_where_the_time_is_over_before_it_began() -> None:
    items: list[tuple[str, object]] = [(f"big{i}", {"a": list(range(50))}) for i in range(20)]

    found = frame(*items, ("last", 7), ("name", "Mia"), cpu_ns=0, least_bytes=0)

    assert list(found) == [name for name, _ in items] + ["last", "name"]
    assert (found["last"].text, found["name"].text) == ("7", "'Mia'")
    assert {(node.type, node.text, node.more) for name, node in found.items() if "big" in name} == {
        ("dict", "{…}", 1)
    }


def test_one_value_takes_half_of_the_time_at_most_while_another_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Given a clock that goes on by 50 us each time that it is read: the first value would take all there is
    ticks = itertools.count(0, 50_000)
    monkeypatch.setattr(time, "thread_time_ns", lambda: next(ticks))

    class Endless:
        """Each level has another class, so that each costs a look at its class."""

    def grow(level: int) -> object:
        value = type(f"C{level}", (Endless,), {})()
        for number in range(12 if level < 3 else 0):
            setattr(value, f"a{number}", grow(level + 1))
        return value

    big = grow(0)
    budget = Budget(cpu_ns=5_000_000, frame_nodes=1_000_000)
    walker = Walker(budget, Meter(budget), Redactor(), [])
    nodes, _ = walker.frame_locals([("big", big), ("small", {"a": {"b": [1]}})], "f")

    found = dict(nodes)
    assert found["big"].children
    assert found["small"].children[0][1].children[0][1].text == "[1]"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text() | st.integers(), inner)
        | st.tuples(inner)
        | st.frozensets(st.integers())
    ),
    max_leaves=60,
)


@given(values)
def test_any_value_gives_a_bounded_tree_that_survives_its_encoding(value: object) -> None:
    node = walk(value)

    assert count(node) <= 301
    assert decode_value(encode_value(node)) == node
    assert cells(render(node, 60)) <= 60
    assert all("\x1b" not in line for line in render_lines(node, "x"))
