"""Locals as they are read: value before type and size, tables by rows; what can be done with a failure."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from relive_base.redaction.redactor import Redactor
from relive_base.values import ValueNode
from relive_capture.record.budget import Budget, Meter
from relive_capture.record.values import Walker
from relive_tui.models.failure.acts import ActsState, acts_line
from relive_tui.models.failure.frames import FrameRows
from relive_tui.models.failure.page import FailureModel, headline
from relive_tui.models.failure.table_values import table_of
from relive_tui.models.failure.values import ValueRows, open_what_fits
from relive_tui.models.layout.text import line_text, line_width
from relive_tui.models.lists.logs import call_row, log_line
from relive_views.kept import KeptView
from relive_views.scenes.model import CallView, ExceptionView, FrameView, SceneView, StackView
from relive_views.scenes.replays import ReplayNote

S = 1_000_000_000
NOW = 1_795_435_451 * S


def shown(name: str, value: ValueNode, width: int = 80, **more: object) -> str:
    return line_text(ValueRows(((name, value),), **more).line(0, width, False)).strip()  # type: ignore[arg-type]


def test_the_value_comes_first_and_its_type_once() -> None:
    assert shown("n", ValueNode(type="int", text="7")) == "n  7"
    request = ValueNode(type="web.Request", text="web.Request(method='POST')", id=5)
    assert shown("r", request, sizes={5: 3 << 20}) == "r  web.Request(method='POST')  3.0M ▸heap"
    assert shown("c", ValueNode(type="lib.Color", text="<RED>")) == "c  <RED>  lib.Color"
    big = ValueNode(
        type="list",
        text="[1, 2, …]",
        length=9_000,
        children=(("[0]", ValueNode(type="int", text="1")),),
        more=8_999,
    )
    assert shown("l", big) == "▹ l  [1, 2, …]  9,000 items"


@pytest.mark.parametrize("width", [40, 60, 80])
def test_of_a_long_value_the_value_is_cut_and_not_what_is_said_of_it(width: int) -> None:
    text = shown(
        "r", ValueNode(type="dict", text="{" + "x" * 200, length=500, id=5), width, sizes={5: 2_000_000}
    )
    assert text.endswith("1.9M ▸heap")
    assert "…" in text
    assert line_width([(text, "")]) <= width


def test_what_the_failing_expression_uses_is_open_however_much_there_is() -> None:
    child = ("['a']", ValueNode(type="int", text="1"))
    values = (("a", ValueNode(type="dict", text="{…}", children=(child,) * 3)),
              ("culprit", ValueNode(type="list", text="[…]", children=(child,) * 30)))  # fmt: skip
    assert open_what_fits(values, 10, {"culprit"}) == {(1,)}
    assert open_what_fits(values, 40, {"culprit"}) == {(0,), (1,)}


def column(*texts: str) -> ValueNode:
    return ValueNode(
        type="numpy.ndarray",
        text="ndarray shape=(36,)",
        length=36,
        children=tuple(
            (f"[{number}]", ValueNode(type="int", text=text)) for number, text in enumerate(texts)
        ),
    )


def frame_of_data() -> ValueNode:
    arrow = ValueNode(
        type="Array",
        text="Array(…)",
        children=(("_pa", ValueNode(type="C", text='(string, [["A1",null]])', length=36)),),
    )
    unseen = ValueNode(type="DatetimeArray", text="DatetimeArray()")
    return ValueNode(
        type="pandas.DataFrame",
        text="DataFrame 36 rows x 3 columns {'qty': …}",
        length=3,
        children=(("qty", column("1", "nan")), ("sku", arrow), ("day", unseen)),
    )


def test_a_data_frame_is_read_by_rows() -> None:
    # Given a frame of 36 rows of which two were captured, When it is opened
    rows = ValueRows((("df", frame_of_data()),), {(0,)})
    texts = [line_text(rows.line(row, 80, False)).split() for row in range(len(rows))]
    # Then its rows are rows, and what was not captured is said
    assert texts[1:4] == [["qty", "sku", "day"], ["0", "1", "'A1'", "·"], ["1", "nan", "None", "·"]]
    assert "34 more were not captured" in line_text(rows.line(4, 80, False))
    assert len(rows) == 5
    assert not rows.toggle(2)


def test_a_data_frame_as_the_recorder_takes_it_has_its_rows() -> None:
    pandas = pytest.importorskip("pandas")
    meter_budget = Budget(cpu_ns=10_000_000_000)
    walker = Walker(meter_budget, Meter(meter_budget), Redactor(), [])
    data = pandas.DataFrame({"sku": ["A1", None] * 20, "quantity": [1, 2] * 20, "password": ["hunter2"] * 40})
    table = table_of(walker.frame_locals([("df", data)], "f")[0][0][1])
    assert table is not None
    assert table.total == 40
    assert line_text(table.header()).split() == ["sku", "quantity", "password"]
    assert line_text(table.row(0)).split() == ["0", "'A1'", "1", "·"]
    assert table.count > 10


def test_what_is_no_table_or_has_no_cell_stays_a_tree() -> None:
    assert table_of(ValueNode(type="dict", text="{…}", length=1, children=(("a", column("1")),))) is None
    bare = msgspec.structs.replace(
        frame_of_data(), children=(("day", ValueNode(type="DatetimeArray", text="DatetimeArray()")),)
    )
    assert table_of(bare) is None
    hostile = ValueNode(type="A", text="A([[" + "[" * 50_000 + "]])")
    assert table_of(msgspec.structs.replace(frame_of_data(), children=(("x", hostile),))) is None
    secret = msgspec.structs.replace(
        frame_of_data(),
        children=(("q", column("1")), ("pw", msgspec.structs.replace(column("2"), redacted=True))),
    )
    table = table_of(secret)
    assert table is not None
    assert "2" not in line_text(table.row(0))


# ---------------------------------------------------------------- acts, calls, threads


def scene(**more: object) -> SceneView:
    frames = (FrameView("/srv/cart.py", 88, "price", source=("    total += x",), source_first_line=88),)
    parts = (("replay", "ok", ""), ("live", "ok", "kept"))
    base = SceneView("01", 1, "checkout", "exception", (ExceptionView("KeyError", "'sku'", "", frames),))
    return replace(base, parts=parts, **more)  # type: ignore[arg-type]


def told(view: SceneView, state: ActsState, width: int = 0) -> str:
    return line_text(acts_line(view, state, NOW, width)[0])


def test_the_acts_say_how_they_stand() -> None:
    asked = ActsState(asked=True)
    assert "replay ✔ ready, 1 recorded call" in told(scene(calls=(CallView(1, "call x"),)), asked)
    assert "debug on the scene, its process has ended" in told(scene(), asked)
    assert "debug …" in told(scene(), ActsState())
    kept = told(scene(), ActsState(kept=KeptView(pid=7, left_s=480.0, attached=True), asked=True))
    assert "✔ process kept 8m00s more, in use" in kept
    again = told(
        scene(), ActsState(ReplayNote(outcome="passed", at_ns=NOW - 180 * S, code="working copy"), asked=True)
    )
    assert "replay ✔ passed 3m ago (working copy)" in again
    further = told(scene(), ActsState(ReplayNote(outcome="past", at_ns=NOW - 180 * S), asked=True))
    assert "replay → past the failing line 3m ago" in further
    assert "not recorded" in told(replace(scene(), parts=()), asked)


def test_the_acts_are_where_they_can_be_clicked_and_fit_into_eighty_columns() -> None:
    state = ActsState(
        ReplayNote(outcome="unrecorded", at_ns=NOW - 180 * S, code="a working copy somewhere"), asked=True
    )
    line, spots = acts_line(scene(), state, NOW, 80)
    assert line_width(line) <= 80
    assert [line_text(line)[first] for first, _, _ in spots] == ["R", "b", "x"]


def test_a_call_stands_among_the_log_lines_with_its_status_and_time() -> None:
    ok = call_row(CallView(NOW, "GET https://example.org/a", 200, 38_600_000))
    assert line_text(log_line(ok, with_function=False)).endswith("GET https://example.org/a  200  38.6ms")
    bad = log_line(
        call_row(CallView(NOW, "call pricing", 500, 0, "KeyError: 'percent'")), with_function=False
    )
    assert line_text(bad).endswith("call pricing  500  KeyError: 'percent'")
    assert bad[1][1] == "error"
    assert "no answer" in line_text(log_line(call_row(CallView(NOW, "GET https://example.org/a"))))


def test_what_failed_in_a_thread_is_shown_as_fully_as_what_was_raised() -> None:
    frames = (FrameView("/srv/writer.py", 3, "run"),)
    error = ExceptionView("HTTPError", "503", "", frames, notes=("try later",), details=(("body", "busy"),))
    view = scene(stacks=(StackView("thread", "writer", frames, "✖ HTTPError: 503", error),))
    model = FailureModel(view)
    assert model.move_stack(1)
    text = "\n".join(line_text(line) for line in headline(model))
    assert "✖ HTTPError: 503" in text
    assert "failed in thread writer" in text
    assert "✎ try later" in text
    assert model.exception is not None
    assert model.exception.details == (("body", "busy"),)
    assert "✖" in line_text(FrameRows(model).line(0, 100, True))


def test_a_strip_has_each_frames_line_and_a_list_has_not() -> None:
    rows = FrameRows(FailureModel(scene()))
    assert line_text(rows.line(0, 100, True)).rstrip() == "▸ price  cart.py:88 ✖  total += x"
    assert "total" not in line_text(rows.line(0, 40, True))
