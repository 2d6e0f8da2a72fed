"""Different bugs are different groups; the same bug stays one, wherever its line and its data move."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from conftest import caught
from hypothesis import given
from hypothesis import strategies as st
from relive_base.wire.messages import FunctionSpec, Scene
from relive_capture.record import capture_exception
from relive_capture.record.exceptions.signatures import message_shape
from relive_runtime.adapters.results import BadResult, encode_result, limit_size

Capture = Callable[..., Scene]
Load = Callable[..., ModuleType]

SHOP = """
import json, os, subprocess
FIELDS = ["country", "city"]

class Refused(Exception):
    pass

def get(mapping, key):
    return mapping[key]

def two(event):
    street = event["address"]["street"]
    country = event["address"]["country"]
    return street, country

def fields(event):
    return [event[name] for name in FIELDS]

def stock(event):
    rows = {"A1": 3}
    return rows[event["sku"]]

def helper_country(event):
    return get(event, "country")

def refuse(event):
    if event["n"] > 3:
        raise Refused(f"order {event['n']} of {event['who']} is too large")
    raise Refused(f"order {event['n']} of {event['who']} is unpaid")

def prepared(event):
    error = Refused(event["text"] + " went wrong")
    raise error

def number(event):
    return int(event["n"])

def parse(event):
    return json.loads(event["text"])

def variable(event):
    return os.environ["SHOP_" + "URL"], os.environ["SHOP_URL"]

def wrapped(event):
    try:
        return event["a"] / event["b"]
    except Exception as error:
        raise Refused("no price") from error

def group(event):
    found = []
    for action in event["actions"]:
        try:
            action()
        except Exception as error:
            found.append(error)
    raise ExceptionGroup("several", found)

def none(event):
    return event["match"].group(1) + event["match"].start()
"""


@pytest.fixture
def group_of(capture: Capture) -> Callable[..., str]:
    """The fingerprint of a failing call."""
    return lambda action, event, **options: capture(action, event, **options).error.fingerprint


def test_another_missing_key_is_another_failure(load: Load, group_of: Any) -> None:
    app = load(SHOP)
    # Given an event that lacks one thing, then another, in the same function
    no_street = group_of(app.two, {"address": {}})
    no_country = group_of(app.two, {"address": {"street": "x"}})
    assert no_street != no_country
    # Then also where the key comes from a table of the program's, or from a caller
    assert group_of(app.fields, {}) != group_of(app.fields, {"country": "DE"})
    assert group_of(app.helper_country, {}) != group_of(app.two, {"address": {"street": "x"}})


def test_keys_of_the_data_are_one_failure(load: Load, group_of: Any) -> None:
    app = load(SHOP)
    keys = ["A2", "anna", "x y", 17, ("a", 1), None, "caf\udce9"]
    assert len({group_of(app.stock, {"sku": key}) for key in keys}) == 1


def test_messages_count_without_their_data(load: Load, group_of: Any) -> None:
    app = load(SHOP)
    large = [group_of(app.refuse, {"n": n, "who": who}) for n, who in ((4, "Anna"), (99, "Bob Ross"))]
    unpaid = [group_of(app.refuse, {"n": n, "who": who}) for n, who in ((1, "Anna"), (2, "Bob Ross"))]
    assert len({*large}) == len({*unpaid}) == 1
    assert large[0] != unpaid[0]
    assert len({group_of(app.prepared, {"text": text}) for text in ("Anna", "Bob")}) == 1
    assert len({group_of(app.number, {"n": text}) for text in ("x", "anna", "1.5")}) == 1
    assert group_of(app.parse, {"text": "{"}) != group_of(app.parse, {"text": "nope"})
    assert group_of(app.parse, {"text": "nope"}) == group_of(app.parse, {"text": "   what"})


def test_what_it_was_raised_from_counts(load: Load, group_of: Any) -> None:
    app = load(SHOP)
    events = ({"a": 1, "b": 0}, {"a": 1}, {"b": 1}, {"a": 2, "b": 0})
    groups = [group_of(app.wrapped, event) for event in events]
    assert len(set(groups)) == 3
    assert groups[0] == groups[3]


def test_the_members_of_a_group_count_in_any_order(load: Load, group_of: Any) -> None:
    app = load(SHOP)
    number, country = lambda: app.number({"n": "x"}), lambda: app.two({"address": {"street": 1}})
    both = group_of(app.group, {"actions": [number, country]})
    assert both == group_of(app.group, {"actions": [country, number, number]})
    assert both != group_of(app.group, {"actions": [number]})
    assert group_of(app.group, {"actions": [country]}) != group_of(app.group, {"actions": [number]})


def test_results_that_cannot_be_sent_differ(spec: FunctionSpec, load: Load) -> None:
    load('def handler(event):\n    return {"tags": set(event), "rows": [set(event)]}\n')

    def group(result: object) -> str:
        error = caught(lambda: limit_size(len(encode_result(result)), 20))
        assert isinstance(error, BadResult)
        scene = capture_exception(error, kind="bad_result", spec=spec, invocation_id="i", result=result)
        return scene.error.fingerprint

    groups = {
        "large": group("x" * 30),
        "nan": group(float("nan")),
        "set": group({1}),
        "set under a name": group({"tags": {1}}),
        "object under a name": group({"tags": object()}),
        "set under another": group({"rows": {1}}),
    }
    assert len(set(groups.values())) == len(groups)
    assert group("x" * 400) == groups["large"]
    assert group([1, {1}]) == group([1, 2, {1}])
    assert group({"anna": {1}}) == group({"bob": {1}}) == groups["set"]


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: "# a line more\n" * 7 + text,
        lambda text: text.replace('event["address"]["country"]', "event['address'][ 'country' ]"),
        lambda text: text.replace('event["address"]["country"]', '(\n event["address"]["country"]\n)'),
        lambda text: text.replace("return street, country", "return country, street, 17"),
    ],
    ids=["moved", "formatted", "wrapped", "elsewhere"],
)  # fmt: skip
def test_a_redeploy_with_other_lines_is_the_same_failure(edit: Any, load: Load, group_of: Any) -> None:
    event = {"address": {"street": "x"}}
    before = group_of(load(SHOP).two, event)

    assert group_of(load(edit(SHOP)).two, event) == before


@pytest.mark.parametrize(
    ("message", "other"),
    [
        ("'NoneType' object has no attribute 'group'", "'NoneType' object has no attribute 'start'"),
        ("No module named 'yaml'", "No module named 'toml'"),
        ("f() missing 1 positional argument: 'a'", "f() missing 1 positional argument: 'b'"),
        ("no such table: users", "no such table: orders"),
        ("404 Client Error: Not Found for url: http://x/1", "401 Client Error: Forbidden for url: http://x/1"),
        ("unsupported type(s) for +: 'int' and 'str'", "unsupported type(s) for +: 'int' and 'list'"),
    ],
)  # fmt: skip
def test_shapes_that_differ(message: str, other: str) -> None:
    assert message_shape(message) != message_shape(other)


@pytest.mark.parametrize(
    ("message", "other"),
    [
        ("[Errno 2] No such file or directory: '/tmp/a'", "[Errno 2] No such file or directory: '/srv/b c'"),
        ("invalid literal for int() with base 10: 'x'", "invalid literal for int() with base 10: 'anna'"),
        ("RetryError[<Future at 0x7f01 state=finished>]", "RetryError[<Future at 0x7fee state=finished>]"),
        ("no order 018f3a5e-1111-7222-8333-123456789abc", "no order 018f3a5e-2222-7222-8333-123456789abc"),
        ("mail to anna@example.org failed", "mail to bob@example.org failed"),
        ("took 1.5 s of 3", "took 17.25 s of 30"),
    ],
)
def test_shapes_that_are_the_same(message: str, other: str) -> None:
    assert message_shape(message) == message_shape(other)


@given(st.text(max_size=600), st.none() | st.frozensets(st.text(max_size=8), max_size=4))
def test_every_message_has_a_shape(text: str, words: frozenset[str] | None) -> None:
    shape = message_shape(text, words)
    assert message_shape(text, words) == shape
    assert len(shape) <= 2 * len(text) + 10
