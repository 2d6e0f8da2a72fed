"""When schedules fire."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_platform.triggers.timer import ScheduleError, parse_schedule


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


def firings(schedule: str, start: str, count: int, zone: str = "UTC") -> list[str]:
    parsed = parse_schedule(schedule, zone)
    at, found = ns(start), []
    for _ in range(count):
        following = parsed.next_after(at, ns(start))
        assert following is not None
        at = following
        found.append(datetime.fromtimestamp(at / 1e9, UTC).strftime("%Y-%m-%dT%H:%M"))
    return found


@pytest.mark.parametrize(
    ("schedule", "wanted"),
    [
        ("cron(*/5 * * * *)", ["2026-11-23T12:05", "2026-11-23T12:10"]),
        ("cron(0 9 * * 1)", ["2026-11-30T09:00", "2026-12-07T09:00"]),
        ("rate(1 minute)", ["2026-11-23T12:03", "2026-11-23T12:04"]),
        ("rate(2 days)", ["2026-11-25T12:02", "2026-11-27T12:02"]),
        # AWS: six fields, ? in one of the day fields, Sunday is 1
        ("cron(0 10 * * ? *)", ["2026-11-24T10:00", "2026-11-25T10:00"]),
        ("cron(15 12 ? * MON-FRI *)", ["2026-11-23T12:15", "2026-11-24T12:15"]),
        ("cron(0 8 ? * 1 *)", ["2026-11-29T08:00", "2026-12-06T08:00"]),
        ("cron(0 8 ? * FRI-MON *)", ["2026-11-27T08:00", "2026-11-28T08:00"]),
        ("cron(0 8 ? * 6#3 *)", ["2026-12-18T08:00", "2027-01-15T08:00"]),
        ("cron(0 8 ? * 6L *)", ["2026-11-27T08:00", "2026-12-25T08:00"]),
        ("cron(0 8 L * ? *)", ["2026-11-30T08:00", "2026-12-31T08:00"]),
        ("cron(0 8 1 1 ? 2030-2031)", ["2030-01-01T08:00", "2031-01-01T08:00"]),
        ("cron(0 8 1 1 ? 2028/2)", ["2028-01-01T08:00", "2030-01-01T08:00"]),
    ],
)
def test_it_fires_at(schedule: str, wanted: list[str]) -> None:
    assert firings(schedule, "2026-11-23T12:02:00", 2) == wanted


def test_it_is_read_in_its_time_zone_across_the_change_to_summer_time() -> None:
    assert firings("cron(0 9 * * *)", "2026-03-27T12:00:00", 3, "Europe/Berlin") == [
        "2026-03-28T08:00",
        "2026-03-29T07:00",
        "2026-03-30T07:00",
    ]


def test_a_schedule_that_is_over_has_no_next_firing() -> None:
    assert parse_schedule("cron(0 8 1 1 ? 2020)").next_after(ns("2026-01-01T00:00:00"), 0) is None


@pytest.mark.parametrize(
    ("schedule", "zone", "says"),
    [
        ("every 5 minutes", "UTC", "neither cron"),
        ("cron(* * *)", "UTC", "3 fields"),
        ("cron(61 * * * *)", "UTC", "minute"),
        ("cron(0 0 31 2 *)", "UTC", "day-of-month"),
        ("cron(0 8 * * * *)", "UTC", "has to be \\?"),
        ("cron(0 8 ? * 9 *)", "UTC", "day of the week"),
        ("cron(0 8 ? * MON 20)", "UTC", "not a year"),
        ("cron(0 8 15W * ? *)", "UTC", "W is not supported"),
        ("cron(0 8 1 1 ? 1969)", "UTC", "never fires"),
        ("rate(0 minutes)", "UTC", "out of range"),
        ("rate(5 weeks)", "UTC", "cannot be read"),
        ("rate(99999999999 days)", "UTC", "out of range"),
        ("cron(* * * * *)", "Mars/Base", "time zone"),
        ("cron(* * * * *)", "../etc/passwd", "time zone"),
    ],
)
def test_a_bad_schedule_says_what_is_wrong_and_what_to_write(schedule: str, zone: str, says: str) -> None:
    with pytest.raises(ScheduleError, match=says) as caught:
        parse_schedule(schedule, zone)

    assert caught.value.hint


@given(text=st.text(alphabet="0123456789*/,-?L#W MONFRIcronate()", max_size=40))
def test_whatever_is_written_is_a_schedule_or_a_schedule_error(text: str) -> None:
    for schedule in (text, f"cron({text})", f"rate({text})"):
        try:
            parsed = parse_schedule(schedule)
        except ScheduleError:
            continue
        following = parsed.next_after(ns("2026-01-01T00:00:00"), 0)
        assert following is None or following > ns("2026-01-01T00:00:00")
