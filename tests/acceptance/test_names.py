"""A name that nobody knows is an error that says which one was meant; a known one without rows is none."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from relive_cli import Relive, laboratory, toml


@pytest.fixture(scope="module")
def lab() -> Iterator[Relive]:
    code = "def handler(event, context):\n    return 1\n"
    with laboratory({"app.py": code, "relive.toml": toml({"checkout": 'handler = "app:handler"'})}) as home:
        yield home


COMMANDS = [
    ["failures", "chekout"],
    ["failures", "chekout", "--group", "--json"],
    ["invocations", "chekout", "--since", "1h"],
    ["logs", "chekout"],
    ["logs", "chekout", "--follow"],
    ["hot", "chekout", "--json"],
    ["flame", "chekout"],
    ["heap", "chekout"],
    ["events", "chekout"],
    ["events", "retry", "--all", "--function", "chekout"],
    ["invoke", "chekout"],
    ["invoke", "chekout", "--async"],
    ["profile", "chekout"],
]


def test_a_name_that_nobody_knows_is_an_error_everywhere(lab: Relive) -> None:
    for command in COMMANDS:
        done = lab.run(*command, check=False)
        assert done.returncode == 1, command
        assert "there is no function" in done.stderr, command
        assert "did you mean checkout?" in done.stderr, command
        assert done.stdout == "", command


def test_a_function_without_rows_is_no_error_of_the_name(lab: Relive) -> None:
    for command, says in {
        "failures": "no failures of checkout",
        "invocations": "no invocations of checkout",
        "logs": "no lines",
        "hot": "no samples",
        "events": "no event of checkout",
    }.items():
        done = lab.run(command, "checkout")  # which ends with 0: nothing is no error
        assert (done.stdout, says in done.stderr) == ("", True), command
    assert "no failure of checkout is known" in lab.run("failure", "checkout", check=False).stderr
    assert "no invocation of checkout is known" in lab.run("trace", "checkout", check=False).stderr
