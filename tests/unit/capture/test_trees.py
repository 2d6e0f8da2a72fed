"""Value trees made in C are those made in Python, to the last byte."""

from __future__ import annotations

import collections
import dataclasses
import decimal
import enum
import itertools
import subprocess
import sys
from typing import Any

import hostile
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from relive_base.redaction.memory import SecretMemory
from relive_base.redaction.redactor import Redactor
from relive_base.values import ValueNode
from relive_capture.record.budget import Budget, Meter
from relive_capture.record.extensions import native_trees
from relive_capture.record.values import KnownTexts, Walker

pytestmark = pytest.mark.skipif(native_trees() is None, reason="the extension was not built")


class Kind(enum.IntEnum):
    GOOD = 1


class Text(str):
    __slots__ = ()


@dataclasses.dataclass
class Order:
    number: Any
    password: Any
    lines: Any


class Own(dict):  # type: ignore[type-arg]
    pass


Pair = collections.namedtuple("Pair", "name value")

CARD = "4111 1111 1111 1111"
words = st.sampled_from(
    ["a", "\U0001f600" * 40, "a" * 27 + "\U0001f600" * 9, "value", "name", "key", "password", "x-api-key",
     "tokens", "--password", "-", "'", '"', "ä…", "",
     "Bearer abcdefghijklmnop", CARD, "4111111111111111", "[redacted]", "x" * 27, "x" * 29, "y" * 81,
     "z" * 700, "\ud800", "\x1b[0m"]
)  # fmt: skip
leaves = st.one_of(
    words,
    st.text(max_size=90),
    st.integers(),
    st.sampled_from([10**9, -(10**9), 10**9 - 1, 2**63, -(2**63) - 1, 4111111111111111, 10**400, 0]),
    st.floats(),
    st.booleans(),
    st.none(),
    st.binary(max_size=30),
    st.sampled_from([decimal.Decimal("9.50"), Kind.GOOD, Text("abc"), int, Ellipsis, range(3), print]),
)
keys = st.one_of(words, st.integers(), st.none(), st.tuples(words, st.integers()), st.just(Text("password")))


def grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    values = st.lists(inner, max_size=20)
    return st.one_of(
        values,
        values.map(tuple),
        st.tuples(words, inner),
        st.dictionaries(keys, inner, max_size=20),
        st.dictionaries(keys, inner, max_size=3).map(Own),
        values.map(collections.deque),
        st.builds(Order, inner, inner, values),
        st.tuples(words, inner).map(lambda pair: Pair(*pair)),
        values.map(lambda found: [*found, found, found]),
    )


everything = st.recursive(leaves, grown, max_leaves=60)
limits = st.fixed_dictionaries(
    {},
    optional={
        "depth": st.integers(0, 4),
        "breadth": st.integers(1, 70),
        "frame_nodes": st.integers(1, 60),
        "total_bytes": st.integers(1, 3_000),
        "text": st.integers(1, 100),
    },
)


def made(values: list[Any], given_limits: dict[str, int], *, pure: bool) -> Any:
    """All that a walker says of some locals."""
    budget = Budget(**{"cpu_ns": 10**12, **given_limits})  # type: ignore[arg-type]
    meter, memory, redactions = Meter(budget), SecretMemory(), []  # type: ignore[var-annotated]
    walker = Walker(budget, meter, Redactor().remembering(memory), redactions, None, memory, pure=pure)
    items = [(f"v{number}", value) for number, value in enumerate(values)]
    near, far = walker.frame_locals(items, "f"), walker.frame_locals(items, "g", near=False)
    return (
        [msgspec.to_builtins(one) for one in (near, far, walker.value(values, "result"))],
        redactions,
        memory.values,
        (meter.bytes_used, meter.over, meter.stop),
    )


def endless() -> list[Any]:
    ring: list[Any] = [1]
    ring.append({"ring": ring})
    return ring


@settings(max_examples=300, deadline=None)
@given(st.lists(everything, min_size=1, max_size=4), limits)
@example([endless()], {})
@example([list(range(100)), {number: number for number in range(100)}], {"breadth": 70})
@example(
    [["--password", "abcdefgh"], ("x-api-key", "abcdefgh"), {"name": "x-api-key", "value": "abcdefgh"}], {}
)
def test_both_walkers_say_the_same(values: list[Any], given_limits: dict[str, int]) -> None:
    assert made(values, given_limits, pure=False) == made(values, given_limits, pure=True)


@pytest.mark.parametrize(
    "make",
    [
        hostile.Hostile,
        lambda: {hostile.HostileKey(): hostile.Hostile()},
        lambda: hostile.HostileDict(a=1),
        lambda: hostile.HostileList([1]),
        lambda: [hostile.HostileStr("abc"), hostile.WithHostileMeta, hostile.endless()],
    ],
)
def test_both_say_the_same_of_hostile_values(make: Any) -> None:
    values = [make()]
    hostile.calls.clear()
    in_c, in_python = made(values, {}, pure=False), made(values, {}, pure=True)
    assert in_c == in_python
    assert hostile.calls == []


def test_a_type_that_cannot_be_read_is_said() -> None:
    class Broken(Walker):
        def _shape(self, *_: Any) -> Any:
            raise ValueError("odd")

    budget = Budget()
    for pure in (True, False):
        walker = Broken(budget, Meter(budget), Redactor(), [], pure=pure)
        node = walker.value({"a": Order(1, 2, 3), "b": 1}, "x")
        shown = [child.text for _, child in node.children] or [node.text]
        assert any(text.endswith("not readable, ValueError>") for text in shown)


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_error_on_the_way_leaves_nothing_half_done(error: type[BaseException]) -> None:
    # Given an interrupt in the middle of a tree
    class Interrupted(Walker):
        count = itertools.count()

        def _shape(self, *arguments: Any) -> Any:
            if next(self.count) == 1:
                raise error
            return super()._shape(*arguments)

    budget = Budget()
    walker = Interrupted(budget, Meter(budget), Redactor(), [], pure=False)
    value = [Order(1, 2, [3]), Order(4, 5, [Order(6, 7, 8)])]
    # When it comes, it goes on or is shown; then the walker still works
    try:
        first = walker.value(value, "x")
    except KeyboardInterrupt:
        assert error is KeyboardInterrupt
    else:
        assert error is MemoryError
        assert "not readable, MemoryError" in first.children[1][1].text
    assert walker.value([1, 2], "y").text == "[1, 2]"


def test_what_captures_share_gives_the_same_trees_and_notes() -> None:
    # Given texts, numbers and names that earlier captures have left, some of them secret
    values = {
        "password": "hunter2!",
        "sku": "a-1",
        CARD: 3,
        "note": f"card {CARD}",
        "n": 17,
        "x": (1.5, "a-1"),
    }
    shared, seen = KnownTexts(), []

    def capture(texts: KnownTexts | None) -> Any:
        budget, redactions = Budget(), []  # type: ignore[var-annotated]
        walker = Walker(budget, Meter(budget), Redactor(), redactions, texts=texts)
        locals_, _ = walker.frame_locals([*values.items(), ("all", values)], "f")
        return msgspec.to_builtins(locals_), redactions

    # When captures share them, each says what one of its own says
    for _ in range(3):
        seen.append(capture(shared))
    assert seen == [capture(None)] * 3
    # Then what is kept holds no secret, and has a bound
    kept = msgspec.to_builtins([shared.strings, shared.ints, shared.names])
    assert CARD not in str(kept)
    assert "hunter2!" not in str(kept)
    shared.strings.update((f"text {number}", ValueNode("str")) for number in range(5_000))
    assert not shared.current().strings


def test_shorter_texts_are_not_taken_from_what_is_shared() -> None:
    shared, long = KnownTexts(), "abc " * 10
    for limit, shown in ((200, repr(long)), (8, "'abc abc '…")):
        budget = Budget(text=limit)
        nodes, _ = Walker(budget, Meter(budget), Redactor(), [], texts=shared).frame_locals(
            [("a", long)], "f"
        )
        assert nodes[0][1].text == shown


LEAK = """
import gc, sys
from relive_base.redaction.redactor import Redactor
from relive_capture.record.budget import Budget, Meter
from relive_capture.record.values.walker import Walker

class Order:
    def __init__(self, number):
        self.number, self.more = number, {"self": self}
        self.lines = [{"sku": f"sku-{number}", "n": (number, 1.5)}]

def once():
    budget = Budget()
    value = {"orders": [Order(n) for n in range(12)], "long": "x" * 300, "none": None, "pair": ("name", "v")}
    Walker(budget, Meter(budget), Redactor(), [], pure=False).value(value, "x")
    gc.collect()

for _ in range(20):
    once()
before = sys.getallocatedblocks()
for _ in range(200):
    once()
print(sys.getallocatedblocks() - before)
"""


def test_no_memory_is_lost() -> None:
    done = subprocess.run([sys.executable, "-c", LEAK], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 100


def test_texts_of_a_dict_under_a_secret_name_are_remembered() -> None:
    # Given a local of a secret name whose entries have none
    memory = SecretMemory()
    budget = Budget()
    walker = Walker(budget, Meter(budget), Redactor().remembering(memory), [], None, memory, pure=True)
    # When it is walked
    found = {"token_map": {"bob": "q7Zk-41xvLw"}, "credentials": {"value": "p0Qm-77tyRe"}}
    walker.frame_locals(list(found.items()), "f")
    # I expect both texts to be known
    assert memory.values == ["q7Zk-41xvLw", "p0Qm-77tyRe"]
