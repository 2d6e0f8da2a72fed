from __future__ import annotations

import json
import re

import pytest
from relive_profiler.explore.export import (
    FORMATS,
    export,
    to_collapsed,
    to_html,
    to_session,
    to_speedscope,
    to_text,
)
from relive_profiler.explore.folding import Folded
from relive_profiler.explore.tree import build

HOSTILE = "</script><script>alert(1)</script>\x1b[31m\0\x01;\u2028\ud800\n"


@pytest.fixture
def tree(stack, folded):
    return build(folded(stack("h b", ms=20), stack("h a c", ms=50), stack("h a", ms=30)), title="checkout")


@pytest.fixture
def hostile(stack, folded):
    return build(folded(stack(HOSTILE.replace(" ", "").replace("\n", ""), ms=5)), title=HOSTILE)


def test_a_session_has_the_trees_times(tree):
    session = to_session(tree)
    root = session.root_frame()
    assert root.function == "checkout"
    assert root.time == pytest.approx(0.1)
    handler = root.children[0]
    assert [(child.function, round(child.time, 3)) for child in handler.children] == [
        ("a", 0.08),
        ("b", 0.02),
    ]
    assert session.duration == pytest.approx(0.1)


def test_text_is_pyinstruments_tree(tree):
    text = to_text(tree)
    assert re.search(r"0\.080 a", text)
    assert re.search(r"0\.050 c", text)
    assert "checkout" in text


def _check_speedscope(document):
    """The rules of speedscope's evented profiles."""
    assert document["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    frames = document["shared"]["frames"]
    for profile in document["profiles"]:
        assert profile["type"] == "evented"
        open_frames = []
        at = profile["startValue"]
        for event in profile["events"]:
            assert at <= event["at"] <= profile["endValue"]
            at = event["at"]
            assert 0 <= event["frame"] < len(frames)
            if event["type"] == "O":
                open_frames.append(event["frame"])
            else:
                assert event["type"] == "C"
                assert open_frames.pop() == event["frame"]
        assert open_frames == []
    return document


def test_speedscope_reads_what_is_written(tree):
    document = _check_speedscope(json.loads(to_speedscope(tree)))
    assert document["profiles"][0]["endValue"] == pytest.approx(0.1)
    assert {frame["name"] for frame in document["shared"]["frames"]} >= {"h", "a", "b", "c"}


def test_collapsed_is_a_line_per_stack(tree):
    assert to_collapsed(tree).splitlines() == [
        "checkout;h (h.py:1);a (a.py:1) 30000",
        "checkout;h (h.py:1);a (a.py:1);c (c.py:1) 50000",
        "checkout;h (h.py:1);b (b.py:1) 20000",
    ]


def test_html_cannot_be_broken_out_of_by_a_name(hostile):
    page = to_html(hostile)
    assert "<script>alert" not in page
    assert "\\u003c/script\\u003e\\u003cscript\\u003ealert(1)" in page
    assert page.count("<script>") == to_html(build(Folded())).count("<script>")
    page.encode("utf-8")


def test_html_holds_the_data_as_json(tree):
    page = to_html(tree)
    start = page.rindex("const sessionData = ") + len("const sessionData = ")
    data = json.loads(page[start : page.index(";\n", start)])
    assert data["frame_tree"]["time"] == pytest.approx(0.1)


@pytest.mark.parametrize("format_", FORMATS)
def test_hostile_names_and_empty_trees_are_written_in_every_format(hostile, format_):
    for tree in (hostile, build(Folded())):
        text = export(tree, format_)
        assert "\x1b" not in text
        text.encode("utf-8")
        if format_ == "speedscope":
            _check_speedscope(json.loads(text))


def test_a_large_tree_is_cut_to_its_heaviest_nodes_and_keeps_its_sum(stack, folded):
    big = build(folded(*(stack(f"h f{number}", ms=1 + number % 50) for number in range(2000))))
    session = to_session(big, max_nodes=100)
    assert len(session.frame_records) <= 200
    assert session.duration == pytest.approx(big.value[0] / 1e9)


def test_depth_two_hundred_is_no_problem(stack, folded):
    deep = build(folded(stack(" ".join(f"f{number}" for number in range(201)), ms=5)))
    for format_ in FORMATS:
        assert "f200" in export(deep, format_)
