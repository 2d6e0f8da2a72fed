"""The failure scene: frames, chain, source, locals, event."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from relive_base.values import ValueNode
from relive_tui.models.failure.code import SourceRows
from relive_tui.models.failure.completeness import completeness_line, detail_lines
from relive_tui.models.failure.event import difference_lines, event_lines
from relive_tui.models.failure.frames import FrameRows
from relive_tui.models.failure.page import FailureModel, headline, history_line, preview_of
from relive_tui.models.failure.stacks import StackRows
from relive_tui.models.failure.syntax import highlight_json, highlight_python
from relive_tui.models.failure.values import ValueRows, open_what_fits
from relive_tui.models.layout.text import clean, line_text
from relive_tui.models.lists.logs import logs_around
from relive_views.failures import GroupView
from relive_views.records import LogRow
from relive_views.scenes.differences import EventChange, EventDiff
from relive_views.scenes.model import ExceptionView, FrameView, SceneFacts, SceneView, StackView
from relive_views.scenes.relevance import names_in, relevant_first

CODE = ("def price(item, plist):", "    total = 0", "    total += plist[item['sku']]", "    return total")


def scene() -> SceneView:
    item = ValueNode(
        type="dict",
        text="{'id': 7}",
        length=1,
        children=(("['id']", ValueNode(type="int", text="7")),),
        more=3,
    )
    frames = (
        FrameView("/srv/app.py", 12, "handler"),
        FrameView("/lib/a.py", 1, "lib_a", in_app=False),
        FrameView("/lib/b.py", 2, "lib_b", in_app=False),
        FrameView(
            "/srv/cart.py",
            88,
            "price",
            True,
            (("item", item), ("n", ValueNode(type="int", text="1"))),
            CODE,
            86,
        ),
        FrameView("/lib/c.py", 3, "lib_c", in_app=False),
    )
    return SceneView(
        "019ab1f2-7c1d-7b3e-9d2f-4bf92f35aa01", 1, "checkout", "exception",
        (
            ExceptionView("KeyError", "'sku'", "", frames),
            ExceptionView("LookupError", "stale", "cause", frames[:1]),
        ),
        parts=(
            ("exception", "ok", ""), ("heap", "missing", "not captured"), ("event", "missing", "not JSON"),
        ),
    )  # fmt: skip


def test_the_innermost_frame_of_ones_own_code_is_selected() -> None:
    model = FailureModel(scene())
    assert model.current is not None
    assert model.current.function == "price"


def test_library_frames_are_folded_until_they_are_asked_for() -> None:
    model = FailureModel(scene())
    rows = FrameRows(model)
    assert [line_text(rows.line(i, 40, False)).split()[0] for i in range(len(rows))] == [
        "…",
        "price",
        "…",
        "handler",
    ]
    assert "2 library frames" in line_text(rows.line(2, 40, False))
    assert rows.row_of_current() == 1
    model.show_library = True
    assert len(FrameRows(model)) == 5


def test_the_chain_is_walked_and_ends() -> None:
    model = FailureModel(scene())
    assert "caused by LookupError: stale" in "".join(line_text(line) for line in headline(model))
    assert model.move_stack(1)
    assert model.current is not None
    assert model.current.function == "handler"
    assert not model.move_stack(1)


def test_the_failing_line_is_marked_in_its_source() -> None:
    rows = SourceRows(FailureModel(scene()).current)
    assert rows.row_of_line() == 2
    assert line_text(rows.line(2, 80, False)).startswith("❱   88 ")
    assert not line_text(rows.line(1, 80, False)).startswith("❱")


def test_a_scene_without_frames_says_so() -> None:
    bare = replace(scene(), exceptions=(ExceptionView("MemoryLimit", "over 256 MB"),), kind="memory")
    model = FailureModel(bare)
    assert model.current is None
    assert len(FrameRows(model)) == 0
    assert "no frame" in line_text(SourceRows(model.current).line(0, 80, False))
    assert preview_of(bare).title == "MemoryLimit: over 256 MB"
    assert FailureModel(replace(bare, exceptions=())).exception is None


def test_values_open_step_by_step_and_say_what_was_cut() -> None:
    rows = ValueRows(FailureModel(scene()).current.locals)  # type: ignore[union-attr]
    assert len(rows) == 2
    assert rows.toggle(0)
    assert [line_text(rows.line(i, 80, False)).strip()[:6] for i in range(len(rows))][1:3] == [
        "['id']",
        "… 3 mo",
    ]
    assert not rows.toggle(1)
    assert rows.set_open(0, False)
    assert len(rows) == 2
    assert rows.text_of(0) == "item = {'id': 7}"


def test_redacted_values_carry_a_sign() -> None:
    rows = ValueRows((("password", ValueNode(type="str", text="[redacted]", redacted=True)),))
    assert "⊘" in line_text(rows.line(0, 80, False))


def test_parts_that_are_missing_say_why() -> None:
    text = line_text(completeness_line(scene()))
    assert "○ event (not JSON)" in text
    assert "○ heap" in text
    assert text.endswith("✔ exception")


def test_parts_that_this_failure_cannot_have_are_not_missing() -> None:
    parts = (("exception", "ok", ""), ("heap", "not_applicable", "tier T1"), ("event", "ok", ""))
    text = line_text(completeness_line(replace(scene(), parts=parts)))
    assert text == "scene ✔ event exception"


def test_values_are_opened_as_far_as_they_fit() -> None:
    child = ("['a']", ValueNode(type="int", text="1"))
    values = (
        ("n", ValueNode(type="int", text="1")),
        ("big", ValueNode(type="list", text="[…]", children=(child,) * 9)),
        ("small", ValueNode(type="dict", text="{…}", children=(child, child))),
    )
    assert open_what_fits(values, 12) == {(1,)}
    assert open_what_fits(values, 8) == {(2,)}
    assert open_what_fits(values, 2) == set()


def test_search_goes_around_the_frames_and_their_locals() -> None:
    frames = (
        FrameView("app.py", 1, "handler", locals=(("cart", ValueNode(type="dict", text="{'sku': 1}")),)),
        FrameView(
            "cart.py",
            9,
            "price",
            locals=(("n", ValueNode(type="int", text="4")), ("sku", ValueNode(type="", text=""))),
        ),
        FrameView("lib.py", 3, "inner", in_app=False),
    )
    shown = FailureModel(replace(scene(), exceptions=(ExceptionView("E", "", "", frames),)))
    assert shown.frame == 1
    assert shown.find("sku", 1, here=True) == (1, 1)
    assert shown.find("sku", 1) == (0, 0)
    assert shown.find("inner", -1) == (2, -1)
    assert shown.find("nowhere", 1) is None


def test_the_preview_is_the_failing_line_with_its_locals() -> None:
    preview = preview_of(scene())
    assert preview.source.strip() == "total += plist[item['sku']]"
    assert preview.locals[0] == ("item", "{'id': 7}")
    assert preview.place == "cart.py:88 in price"
    assert 88 in [number for number, _ in preview.around]


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=5),
        lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=3), x, max_size=3),
        max_leaves=8,
    )
)
def test_an_event_is_shown_whole_and_clean(value: object) -> None:
    lines = event_lines(json.dumps(value))
    text = "".join(line_text(line) for line in lines)
    expected = json.dumps(value, indent=2, ensure_ascii=False).replace("\n", "")
    assert text == clean(expected)


def test_an_event_that_is_no_json_is_shown_as_it_came() -> None:
    assert line_text(event_lines("{broken\x1b[31m")[0]) == "{broken\\x1b[31m"
    assert "no event" in line_text(event_lines("")[0])
    assert "more lines" in line_text(event_lines(json.dumps(list(range(2_000))))[-1])


@given(st.lists(st.text(max_size=40), max_size=5))
def test_colouring_source_changes_no_character(source: list[str]) -> None:
    flat = [line.replace("\t", " ").replace("\r", "").replace("\n", "") for line in source]
    for line, colored in zip(flat, highlight_python(flat), strict=True):
        assert line_text(colored).strip() == clean(line).strip()
    for line in flat:
        assert line_text(highlight_json(line)) == clean(line)


def a_group() -> SceneView:
    """A group of two, one of which is a group; the raised group has a cause; a thread beside them."""

    def frame(name: str) -> FrameView:
        return FrameView(f"/srv/{name}.py", 7, name, source=(f"{name}()",), source_first_line=7)

    return SceneView(
        "019ab1f2-7c1d-7b3e-9d2f-4bf92f35aa01", 1, "batch", "exception",
        (
            ExceptionView("ExceptionGroup", "two failed", "", (frame("gather"),), members=2),
            ExceptionView("ExceptionGroup", "inner", "group", (), depth=1, members=1, members_cut=3),
            ExceptionView("KeyError", "'sku'", "group", (frame("price"),), depth=2, notes=("retried twice",)),
            ExceptionView("ValueError", "qty", "group", (frame("check"),), depth=1),
            ExceptionView("OSError", "gone", "cause", (frame("read"),)),
        ),
        stacks=(StackView("thread", "writer", (frame("drain"),)),),
    )  # fmt: skip


def test_a_group_opens_on_its_first_member_that_has_frames() -> None:
    # Given a group whose own frames only say where it was put together
    model = FailureModel(a_group())
    # Then what failed in it is looked at, and the headline says what it belongs to and what was noted
    assert model.current is not None
    assert model.current.function == "price"
    text = [line_text(line) for line in headline(model)]
    assert text[0] == "✖ KeyError: 'sku'"
    assert "1 of 4 in ExceptionGroup: inner" in text[1]
    assert text[2] == "✎ retried twice"


def test_the_tree_shows_what_belongs_to_what_and_is_walked_to_the_threads() -> None:
    rows = StackRows(a_group())
    assert [line_text(rows.line(index, 60, False))[2:] for index in range(len(rows))] == [
        "⊞ 2 in ExceptionGroup: two failed",
        "├ ⊞ 4, 3 not kept in ExceptionGroup: inner",
        "│ └ ✖ KeyError: 'sku'",
        "└ ✖ ValueError: qty",
        "↳ cause: OSError: gone",
        "≈ thread writer drain.py:7",
    ]
    model = FailureModel(a_group())
    seen = [model.current.function if model.current else "" for _ in range(2, 6) if model.move_stack(1)]
    assert seen == ["check", "read", "drain"]
    assert not model.move_stack(1)
    assert "showing thread writer" in line_text(headline(model)[1])
    assert line_text(headline(model)[0]) == "✖ ExceptionGroup: two failed"


def test_what_a_member_was_raised_from_stands_below_it() -> None:
    # Given a group of which each member was raised from something else
    raised, inner, price, check, gone = a_group().exceptions
    stale, late = (replace(gone, type=name, depth=1, relation="context") for name in ("Stale", "Late"))
    group = replace(a_group(), exceptions=(raised, inner, price, stale, check, late, gone))

    rows = StackRows(group)
    assert [line_text(rows.line(index, 60, False))[2:] for index in range(7)] == [
        "⊞ 2 in ExceptionGroup: two failed",
        "├ ⊞ 4, 3 not kept in ExceptionGroup: inner",
        "│ └ ✖ KeyError: 'sku'",
        "│ ↳ handling: Stale: gone",
        "└ ✖ ValueError: qty",
        "  ↳ handling: Late: gone",
        "↳ cause: OSError: gone",
    ]
    model = FailureModel(group)
    said = [line_text(headline(model)[1]) for index in range(3, 6) if model.select_stack(index)]
    assert [text.split("moves  ")[1] for text in said] == [
        "behind 1 of 2 in ExceptionGroup: two failed",
        "2 of 2 in ExceptionGroup: two failed, while handling Late: gone",
        "behind 2 of 2 in ExceptionGroup: two failed",
    ]


def test_the_failing_expression_is_underlined_and_its_names_come_first() -> None:
    source = ("def price(item, plist):", "\ttotal = naïve(0) + plist[item['sku']] * item.qty")
    raw = source[1].encode()
    frame = FrameView(
        "/srv/cart.py", 2, "price", source=source, end_line=2,
        column=raw.index(b"plist["), end_column=raw.index(b" * item"),
    )  # fmt: skip
    rows = SourceRows(frame)
    code, carets = (line_text(rows.line(row, 80, False)).rstrip() for row in (1, 2))
    assert code[carets.index("^") : len(carets)] == "plist[item['sku']]"
    assert names_in(frame) == {"plist", "item"}
    values = [(name, ValueNode(type="int", text="1")) for name in ("a", "plist", "b", "item")]
    assert [name for name, _ in relevant_first(values, names_in(frame))] == ["plist", "item", "a", "b"]
    shown = ValueRows(values, None, names_in(frame))
    assert [line_text(shown.line(row, 40, False))[1] for row in range(4)] == [" ", "❱", " ", "❱"]


def test_a_block_is_not_the_failing_expression() -> None:
    source = ("with lock:", "    sleep(30)", "    done()")
    rows = SourceRows(FrameView("/a.py", 1, "f", source=source, end_line=3, column=0, end_column=10))
    assert [line_text(rows.line(row, 40, False))[0] for row in range(3)] == ["❱", " ", " "]


def test_what_ran_elsewhere_says_where() -> None:
    seen = replace(scene(), version=0, host="uvicorn\x1b[2J")
    text = line_text(history_line(seen, None, 0))
    assert text.startswith("elsewhere, uvicorn")
    assert "\x1b" not in text


def test_the_history_says_since_when_how_often_and_in_which_versions() -> None:
    day = 86_400_000_000_000
    now = 1_795_435_451_204_000_000
    seen = replace(scene(), captured_ns=now, version=31)
    group = GroupView(
        fingerprint="f",
        function="checkout",
        error_type="KeyError",
        count=14,
        first_at=now - 3 * day,
        versions=(29, 31),
    )
    text = line_text(history_line(seen, replace(group, spark=(1, 3)), now))
    assert text.startswith("v31 · ")
    assert "first seen 3d ago · ×14 ▃█ in v29 v31" in text
    assert "the first of its kind" in line_text(history_line(seen, replace(group, count=1), now))
    # In a narrow terminal the trend goes first; how often stays
    for width, kept in ((55, "first seen 3d ago · ×14 in v29 v31"), (46, "3d ago · ×14"), (25, "204 · ×14")):
        narrow = line_text(history_line(seen, replace(group, spark=(1, 3)), now, width))
        assert narrow.endswith(kept)
        assert len(narrow) <= width


def test_frames_that_were_not_kept_are_a_row_of_their_own() -> None:
    frames = (FrameView("/srv/a.py", 7, "again"),) * 4
    deep = ExceptionView("RecursionError", "too deep", "", frames, frames_cut=900, frames_cut_at=2)
    rows = FrameRows(FailureModel(replace(scene(), exceptions=(deep,))))
    shown = [line_text(rows.line(row, 60, False)).strip() for row in range(len(rows))]
    assert shown[0].startswith("again")
    assert shown[1:3] == ["↻ 1 more of the same line (u)", "⋮ 900 frames in between were not kept"]
    assert shown[4:] == ["↻ 1 more of the same line (u)"]


def test_details_say_the_whole_reason_of_every_part_missing_ones_first() -> None:
    full = replace(scene(), facts=SceneFacts(peak_rss_bytes=91 << 20), exceptions=a_group().exceptions)
    text = [line_text(line) for line in detail_lines(full, 60)]
    parts = text[text.index("Parts") + 1 :]
    assert parts[0].startswith("  ○ event")
    assert "missing: not JSON" in parts[0]
    assert any("retried twice" in row for row in text)
    assert any("peak 91M" in row for row in text)


def test_a_message_that_no_bar_has_room_for_can_be_read_to_its_end() -> None:
    words = " ".join(f"word{number}" for number in range(60))
    long = replace(
        scene(), exceptions=(ExceptionView("app.Refused", words), ExceptionView("KeyError", "'sku'"))
    )
    text = [line_text(line) for line in detail_lines(long, 60)]
    assert text[0] == "Error"
    assert " ".join(" ".join(text[1 : text.index("")]).split()) == f"✖ Refused: {words} ✖ KeyError: 'sku'"
    assert max(map(len, text[: text.index("Parts")])) <= 60


def test_the_event_differs_from_the_last_success_in_what_is_absent_new_and_changed() -> None:
    changes = (
        EventChange("sku", "removed", '"A1"'),
        EventChange("qty", "changed", "1", "2"),
        EventChange("id", "added", "", "7"),
        EventChange("on", "type", "true", '"yes"'),
    )
    text = [
        line_text(line)
        for line in difference_lines(EventDiff(changes=changes, more=3, invocation_id="019ab1f2-7c1d-x-y-z"))
    ]
    assert text == [
        "last success 019ab1f2-7c1d",
        '- sku  was "A1", absent here',
        "~ qty  2  was 1",
        "+ id  7, only here",
        '≠ on  "yes"  was true, of another type',
        "… 3 more differences",
    ]
    assert "the same" in line_text(difference_lines(EventDiff())[1])


def test_logs_around_come_from_the_scene_and_the_store_once_each() -> None:
    second = 1_000_000_000
    early, before, after = (
        LogRow(timestamp_ns=n * second, severity="INFO", body=f"line {n}") for n in (1, 9, 11)
    )
    rows, earlier, upto = logs_around(([early, before], [before, after]), 10 * second, 2 * second, least=1)
    assert ([row.body for row in rows], earlier, upto) == (["line 9", "line 11"], 1, 1)


def test_the_last_lines_before_a_failure_are_shown_however_old_they_are() -> None:
    # Given a function that was silent for a minute before its timeout
    second = 1_000_000_000
    lines = [LogRow(timestamp_ns=n * second, severity="INFO", body=f"line {n}") for n in range(20)]
    late = LogRow(timestamp_ns=81 * second, severity="ERROR", body="after")
    # When the lines around the failure are asked for
    rows, earlier, upto = logs_around([[*lines, late]], 80 * second, 2 * second)
    # Then the last ones before it are there, and how many are not
    assert [row.body for row in rows] == [*(f"line {n}" for n in range(8, 20)), "after"]
    assert (earlier, upto) == (8, 12)


def test_what_a_type_has_to_tell_and_where_the_syntax_is_wrong_can_be_read() -> None:
    # Given an error with details, its message in two lines, and one that has a place
    told = ExceptionView("CalledProcessError", "failed\nand how", details=(("stderr", "bad header\nbye"),))
    place = ('  File "plugin.py", line 1', "    def f(:", "          ^")
    syntax = ExceptionView("SyntaxError", "invalid syntax", place=place)
    both = replace(scene(), exceptions=(told, syntax))
    # Then the details screen has all of it, a line for each line
    text = [line_text(line).rstrip() for line in detail_lines(both, 60)]
    for wanted in ("  ✖ CalledProcessError: failed", "    and how", "    stderr: bad header", "      bye"):
        assert wanted in text
    assert any("def f(:" in line for line in text)
    # Then the headline of the other names the place
    model = FailureModel(replace(both, exceptions=(syntax,)))
    assert 'File "plugin.py", line 1 def f(:' in " ".join(map(line_text, headline(model)))


def test_a_message_of_several_lines_is_a_headline_without_escapes() -> None:
    error = ExceptionView("pydantic.ValidationError", "1 error for Cart\nsku\n  Field required\n")
    model = FailureModel(replace(scene(), exceptions=(error,)))
    assert line_text(headline(model)[0]) == "✖ ValidationError: 1 error for Cart ↵ sku ↵ Field required"


def test_source_is_scrolled_until_its_carets_are_seen_and_only_then() -> None:
    # Given a failing expression at the end of a long line
    line = "    return " + "first_of_all(" * 4 + "plist[item['sku']]" + ")" * 4
    column = line.index("plist")
    frame = FrameView(
        "/srv/cart.py", 3, "price", source=("def f():", line, ""), source_first_line=2, column=column,
        end_column=column + 18, end_line=3,
    )  # fmt: skip
    rows = SourceRows(frame)
    # When the panel is narrow, Then all carets are within it
    carets = line_text(rows.line(2, 40, False))
    pan = rows.pan_for(40)
    assert carets[pan : pan + 40].count("^") == 18
    # And where it is wide, or even the carets have no room, they begin within it
    assert rows.pan_for(len(carets)) == 0
    assert carets[rows.pan_for(10) :][:10].strip(" ") == "^^^"
