"""How `relive logs` shows a line that has a traceback."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from relive.commands.records import logs
from relive.group import cli
from relive.output.log_lines import LineForm
from relive_base.errors import UsageError
from relive_tracer.explore.models import LogRow

TRACE = "Traceback (most recent call last):\n" + "".join(
    f'  File "main.py", line {n}, in f\n    call({n})\n' for n in range(40)
)


def shown(stacktrace: str, capsys: pytest.CaptureFixture[str], **options: bool) -> list[str]:
    row = LogRow(
        timestamp_ns=1,
        severity="ERROR",
        body="it failed",
        function="shop",
        invocation_id="0192b0a0-0000-7000-8000-000000000007",
        trace_id="",
        span_id="",
        source="logging",
        attributes={"exception.stacktrace": stacktrace},
    )
    form = LineForm(tracebacks=options.get("tracebacks", True))
    logs._print([logs._row(row)], None if options.get("as_json") else form)
    return capsys.readouterr().out.splitlines()


def test_a_traceback_stands_under_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown("Traceback (most recent call last):\nValueError: \x1b[31mx\n", capsys)

    assert lines[0].endswith("it failed")
    assert lines[1:] == ["    Traceback (most recent call last):", "    ValueError: \\x1b[31mx"]


def test_a_long_one_is_folded_in_the_middle(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(TRACE + "ValueError: x\n", capsys)

    assert len(lines) == 1 + 40 + 1
    assert "… 42 more lines (--json has all) …" in lines[7]
    assert lines[-1] == "    ValueError: x"


def test_without_and_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(shown(TRACE, capsys, tracebacks=False)) == 1
    assert len(shown("", capsys)) == 1
    assert json.loads(shown(TRACE, capsys, as_json=True)[0])["stacktrace"] == TRACE


@pytest.mark.parametrize("given", ["zz", "4bf92f35", "4bf92f3577b34da6a3ce929d0e0e4736"])
def test_what_cannot_be_a_span_has_no_lines_to_look_for(given: str) -> None:
    done = CliRunner().invoke(cli, ["--home", "/nowhere/at/all", "logs", "--span", given])
    assert isinstance(done.exception, UsageError)
    assert done.exception.message == f"{given!r} is no span id"
