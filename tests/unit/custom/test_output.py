"""What a program writes, as lines with their levels."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_runtime.custom.output import LineCutter, RecordCutter, severity_of


def record(level: int, text: bytes) -> bytes:
    head = (0xA55A0003 | level << 2).to_bytes(4, "big") + len(text).to_bytes(4, "big")
    return head + int(time.time() * 1e6).to_bytes(8, "big") + text


@given(st.lists(st.integers(0, 20), max_size=5))
def test_lines_are_the_same_in_whatever_pieces(cuts: list[int]) -> None:
    data = b"one\ntw\xc3\xb6\r\nthree"
    cutter = LineCutter("stdout", "INFO")
    places = [0, *sorted(cuts), len(data)]

    found = [line.body for start, end in itertools.pairwise(places) for line in cutter.feed(data[start:end])]

    assert [*found, *(line.body for line in cutter.flush())] == ["one", "twö", "three"]


def test_a_line_that_never_ends_is_cut() -> None:
    cutter = LineCutter("stdout", "INFO")
    found = cutter.feed(b"x" * 40_000)
    assert sum(len(line.body) for line in [*found, *cutter.flush()]) == 40_000
    assert max(len(line.body) for line in found) == 16_384


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ('{"level": "error", "a": 1}', "ERROR"),
        ('{"severity": "WARNING"}', "WARN"),
        ('{"level": 30}', "INFO"),
        ('{"level": [1]}', "INFO"),
        ('{"level": "error"', "INFO"),
        ("plain", "INFO"),
        ("[ERROR]\t2026-01-01T00:00:00Z\tid\tsaid", "ERROR"),
        ("2026-01-01T00:00:00Z\tid\tWARN\tsaid", "WARN"),
        ("[1, 2]", "INFO"),
        ("a\tb\tc\td", "INFO"),
    ],
)
def test_a_line_of_json_has_its_own_level(text: str, severity: str) -> None:
    assert severity_of(text, "INFO") == severity


@given(st.integers(0, 60))
def test_records_keep_level_and_lines_in_whatever_pieces(cut: int) -> None:
    data = record(4, b"a\nb") + record(0, b'{"level":"fatal"}')
    cutter = RecordCutter()
    found = cutter.feed(data[:cut]) + cutter.feed(data[cut:])
    assert [(line.severity, line.body) for line in found] == [
        ("WARN", "a\nb"),
        ("FATAL", '{"level":"fatal"}'),
    ]


@given(st.binary(max_size=100))
def test_what_is_no_record_is_text(data: bytes) -> None:
    cutter = RecordCutter()
    cutter.feed(record(3, b"x") + b"plain\n" + data)
    cutter.flush()
