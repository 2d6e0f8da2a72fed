"""The log tail, the rows of Home, copying."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

import pytest
from relive_tui.models.functions import FunctionRows
from relive_tui.models.health import Health, health_line, lateness, live_badge
from relive_tui.models.home import FailureRows, preview_lines
from relive_tui.models.layout.text import line_text, line_width
from relive_tui.models.lists.invocations import InvocationRows, invocation_preview
from relive_tui.models.lists.logs import LogPanelRows, LogTail, log_line
from relive_tui.models.lists.pager import Pager
from relive_tui.outside.yank import MAX_OSC52_BYTES, osc52, save_yank
from relive_views.failures import GroupView
from relive_views.records import FunctionStats, InvocationRow, LogRow

S = 1_000_000_000


def rows(first: int, last: int) -> list[LogRow]:
    return [
        LogRow(timestamp_ns=number * S, severity="INFO", body=f"line {number}")
        for number in range(first, last)
    ]


def test_the_tail_follows_until_the_reader_moves_up() -> None:
    # Given a tail that follows
    tail = LogTail()
    tail.add(rows(0, 10))
    assert tail.following
    # When the reader moves up and more arrives
    tail.moved(3)
    tail.add(rows(10, 14))
    # Then it does not follow, and counts what the reader has not seen
    assert not tail.following
    assert tail.unseen == 4
    # And at the end it follows again
    tail.moved(13)
    assert tail.following
    assert tail.unseen == 0


def test_lines_that_come_twice_are_kept_once_and_old_ones_fall_off() -> None:
    tail = LogTail(limit=5)
    assert tail.add(rows(0, 4)) == (4, 0)
    assert tail.add(rows(2, 6)) == (2, 1)
    assert [row.body for row in tail.rows] == [f"line {n}" for n in range(1, 6)]
    assert tail.newest_ns == 5 * S


def test_a_traceback_is_one_row_until_it_is_opened() -> None:
    # Given a line with a traceback between two others
    tail = LogTail()
    failed = replace(
        LogRow(timestamp_ns=2 * S, severity="ERROR", body="KeyError: 'sku'\n  hint"),
        attributes={"exception.stacktrace": "Traceback:\n  cart.py"},
    )
    tail.add([*rows(1, 2), failed, *rows(3, 4)])
    assert len(tail) == 3
    assert "▹ KeyError" in line_text(tail.line(1, 80, False))
    # When it is opened, Then its lines stand below it, and what follows stays in order
    assert tail.set_open(1, True) == 1
    texts = [line_text(tail.line(row, 80, False)).split("│ ")[-1] for row in range(len(tail))]
    assert texts[2:5] == ["  hint", "Traceback:", "  cart.py"]
    assert texts[5].endswith("line 3")
    # And it folds from any of its lines
    assert tail.set_open(3, False) == 1
    assert len(tail) == 3
    assert tail.set_open(0, True) == -1


def test_what_falls_off_is_counted_in_rows_that_were_shown() -> None:
    tail = LogTail(limit=2)
    tail.add(
        [
            replace(
                LogRow(timestamp_ns=S, severity="ERROR", body="x"),
                attributes={"exception.stacktrace": "a\nb"},
            ),
            *rows(2, 3),
        ]
    )
    tail.set_open(0, True)
    assert len(tail) == 4
    assert tail.add(rows(3, 4)) == (1, 3)
    assert len(tail) == 2


def test_a_line_has_its_invocation_and_attempt() -> None:
    row = LogRow(
        timestamp_ns=S,
        severity="INFO",
        body="x",
        invocation_id="01a22840-0587-795a-9eab-408d9fdc27b3",
        attributes={"relive.attempt": "3"},
    )
    assert "01a22840-0587#3" in line_text(log_line(row, with_invocation=True))
    assert "#" not in line_text(log_line(replace(row, attributes={}), with_invocation=True))


def test_a_severity_has_a_sign_of_its_own() -> None:
    signs = {
        severity: line_text(log_line(LogRow(timestamp_ns=S, severity=severity, body="x"))).split()[1]
        for severity in ("ERROR", "WARN")
    }
    assert signs == {"ERROR": "✖", "WARN": "!"}


def test_hostile_text_in_any_row_is_harmless() -> None:
    bad = "\x1b]52;c;AAAA\x07[bold red]\n\u202e"
    group = GroupView(fingerprint="f", function=bad, error_type=bad, message=bad, file=bad, captured_at=S)
    function = FunctionStats(name=bad, invocations=1, errors=1)
    pager: Pager[InvocationRow] = Pager()
    pager.put(
        0,
        [InvocationRow(invocation_id=bad, function=bad, error_type=bad, error_message=bad, status=bad)],
        pager.reset(1),
    )
    lines = [
        FailureRows([group], S).line(0, 120, True),
        FunctionRows([function], S).line(0, 120, True),
        InvocationRows(pager).line(0, 120, True),
        log_line(LogRow(timestamp_ns=S, severity=bad, body=bad, function=bad)),
        *invocation_preview(pager.get(0)),  # type: ignore[arg-type]
        *preview_lines(None, group),
    ]
    for line in lines:
        text = line_text(line)
        assert not any(char in text for char in "\x1b\x07\n\u202e")


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_rows_fill_at_most_the_width(width: int) -> None:
    group = GroupView(
        fingerprint="f",
        function="checkout",
        error_type="KeyError",
        message="'sku'",
        file="cart.py",
        line=8,
        captured_at=S,
        spark=(1,) * 20,
    )
    assert line_width(FailureRows([group], S).line(0, width, True)) <= width
    assert (
        line_width(FunctionRows([FunctionStats(name="f", invocations=10, errors=1)], S).line(0, width, True))
        <= width
    )


def test_the_worst_function_stands_first() -> None:
    functions = FunctionRows(
        [
            FunctionStats(name="a", invocations=5),
            FunctionStats(name="b", invocations=5, errors=1, last_failure_ns=S),
        ],
        2 * S,
    )
    assert [row.name for row in functions.functions] == ["b", "a"]
    assert "✖" in line_text(functions.line(0, 120, False))


def test_hottest_line_is_kept_at_eighty_columns() -> None:
    functions = FunctionRows([FunctionStats(name="a", invocations=5)], S, {"a": "cart.py:88 31%"})
    assert "cart.py:88 31%" in line_text(functions.line(0, 78, False))


def test_the_live_line_says_what_it_knows() -> None:
    assert "LIVE" in line_text(health_line(None, paused=False, new=0))
    assert "3 new" in line_text(health_line(None, paused=True, new=3))
    assert line_text(health_line(Health(False), paused=False, new=0)).startswith("○ no server")
    late = line_text(health_line(Health(True, 9.0, 5), paused=False, new=0))
    assert "! 9.0s" in late
    assert "! 5" in late

    assert "LIVE" not in late
    assert "✖ 2 alerts (8)" in line_text(health_line(Health(True, firing=2), paused=False, new=0))


def test_the_badge_says_live_only_where_what_is_shown_follows() -> None:
    def badge(health: Health | None, **state: bool) -> str:
        given = {"paused": False, "failing": False, "follows": True, **state}
        return line_text(live_badge(health, new=0, **given))

    assert badge(Health(True, 0.1)) == badge(None) == "▶ LIVE "
    assert badge(Health(True, 0.1), follows=False) == ""
    assert "LIVE" not in badge(Health(True, 0.1), failing=True)
    assert badge(Health(False)) == "○ no server "
    assert badge(Health(True, 9.0)) == "! BEHIND 9s "
    assert "PAUSED" in badge(Health(True, 9.0), paused=True)


@pytest.mark.parametrize("width", [78, 118, 158])
def test_the_failure_gets_the_width(width: int) -> None:
    group = GroupView(
        fingerprint="f",
        function="checkout",
        error_type="KeyError",
        message="x" * 200,
        file="cart.py",
        line=8,
        captured_at=S,
        spark=(1,) * 20,
    )
    shown = line_text(FailureRows([group], S).line(0, width, False))
    assert "checkout" in shown
    assert shown.count("x") >= width // 3


def test_calls_stand_before_the_rate_and_the_last_failure_has_a_name() -> None:
    header = line_text(FunctionRows([FunctionStats(name="a", invocations=5)], S).header(118))
    assert header.index("CALLS") < header.index("RPS") < header.index("LAST FAILED")
    failed = FunctionRows([FunctionStats(name="a", invocations=5, errors=1, last_failure_ns=S)], 61 * S)
    assert "1m ago" in line_text(failed.line(0, 78, False))


def test_a_row_whose_page_is_on_its_way_is_shown_as_such() -> None:
    pager: Pager[InvocationRow] = Pager()
    pager.reset(1_000)
    assert "· · ·" in line_text(InvocationRows(pager).line(700, 80, False))


def test_osc52_is_wrapped_for_tmux_and_left_out_where_it_cannot_work() -> None:
    plain = osc52("relive tui", {"TERM": "xterm-256color"})
    assert base64.b64decode(plain[7:-1]) == b"relive tui"
    wrapped = osc52("x", {"TERM": "tmux-256color", "TMUX": "/tmp/t,1,0"})
    assert wrapped.startswith("\x1bPtmux;\x1b\x1b]52;c;")
    assert wrapped.endswith("\x1b\\")
    assert osc52("x", {"TERM": "screen"}).startswith("\x1bP\x1b]52")
    assert osc52("x", {"TERM": "linux"}) == ""
    assert osc52("x" * (MAX_OSC52_BYTES + 1), {}) == ""


def test_the_file_for_copied_text_is_private_and_never_follows_a_link(tmp_path: Path) -> None:
    path = save_yank("secret", tmp_path / "relive" / "yank.txt")
    assert path.read_text() == "secret"
    assert path.stat().st_mode & 0o077 == 0
    target = tmp_path / "victim"
    target.write_text("mine")
    link = tmp_path / "link"
    link.symlink_to(target)
    with pytest.raises(OSError):
        save_yank("evil", link)
    assert target.read_text() == "mine"


def test_a_list_without_rows_says_how_far_the_store_is_behind() -> None:
    assert lateness(None) == lateness(Health(False, 99.0)) == lateness(Health(True, 0.4)) == ""
    assert "behind by 377 s" in lateness(Health(True, 377.2, spooled=92))
    assert "92 rows wait" in lateness(Health(True, 377.2, spooled=92))
    assert "starting: \\x1b[31m" in lateness(Health(True, store="starting: \x1b[31m"))


def test_a_narrow_panel_has_its_room_for_what_was_said() -> None:
    # Given a warning, and a line that marks the failure
    mark = [("─── ✖ failed here ───", "error")]
    panel = LogPanelRows([LogRow(timestamp_ns=S, severity="WARN", body="no price"), mark])
    # I expect the level in words where there is room, and its sign everywhere
    assert "! WARN  no price" in line_text(panel.line(0, 60, False))
    assert line_text(panel.line(0, 36, False)).endswith(" ! no price")
    assert panel.line(1, 36, False) == mark
