"""`relive export --headers`: what is not a header is an error that names the line, not the secret."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from relive.arguments.otlp_headers import headers_of_lines, headers_of_variable
from relive_base.errors import ExitCode, UsageError


def test_names_and_values_are_found_between_comments_and_empty_lines() -> None:
    lines = ["# of the tenant\n", "\n", " x-team = green \n", "authorization=Basic YTpi==\n", "x-empty=\n"]
    expected = {"x-team": "green", "authorization": "Basic YTpi==", "x-empty": ""}
    assert headers_of_lines(lines, "f") == expected
    assert headers_of_variable("x-team=green, a=b=c,", "V") == {"x-team": "green", "a": "b=c"}


@pytest.mark.parametrize(
    "line", ["authorization: Bearer s3cr3t", "=s3cr3t", "two words=s3cr3t", "x=s3cr3t\x01", "x=s3cr3t ü"]
)
def test_a_line_that_is_no_header_is_named_by_its_number(line: str) -> None:
    with pytest.raises(UsageError) as caught:
        headers_of_lines(["# one\n", "x-team=green\n", f"{line}\n"], "secrets")
    assert caught.value.where == "secrets, line 3"
    assert "s3cr3t" not in str(caught.value)
    with pytest.raises(UsageError) as caught:
        headers_of_variable(f"x-team=green,{line}", "RELIVE_OTLP_HEADERS")
    assert caught.value.where == "RELIVE_OTLP_HEADERS, pair 2"


def test_a_file_that_is_no_text_is_said(tmp_path: Path) -> None:
    path = tmp_path / "secrets"
    path.write_bytes(b"x-team=\xff\n")
    with path.open(encoding="utf-8") as file, pytest.raises(UsageError, match="not UTF-8"):
        headers_of_lines(file, "secrets")


@pytest.mark.parametrize(
    ("flags", "message"),
    [(("--otlp", "http://127.0.0.1:1"), "--headers -, line 2"), ((), "--headers goes with --otlp")],
)
def test_the_command_refuses_them_and_sends_nothing(
    flags: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    # Given headers on stdin of which the second is none, When a trace is exported
    given = "x-team=green\nauthorization: Bearer s3cr3t\n"
    command = [
        sys.executable,
        "-m",
        "relive",
        "--home",
        str(tmp_path),
        "export",
        "trace",
        "last",
        "--headers",
        "-",
    ]
    done = subprocess.run([*command, *flags], input=given, capture_output=True, text=True, timeout=60)
    # Then that is a usage error that names the line, and does not repeat it
    assert done.returncode == ExitCode.USAGE, done
    assert message in done.stderr
    assert "s3cr3t" not in done.stderr


@pytest.mark.parametrize("flag", ["--protocol", "--certificate", "--client-certificate", "--client-key"])
def test_how_to_reach_an_endpoint_says_nothing_without_one(flag: str, tmp_path: Path) -> None:
    # Given an option for the endpoint of --otlp, When it is given without that
    value = tmp_path / "a.pem"
    value.write_text("")
    command = [sys.executable, "-m", "relive", "--home", str(tmp_path), "export", "trace", "last"]
    given = "grpc" if flag == "--protocol" else str(value)
    done = subprocess.run([*command, flag, given], capture_output=True, text=True, timeout=60)
    # Then it is refused, not ignored
    assert done.returncode == ExitCode.USAGE, done
    assert f"{flag} goes with --otlp" in done.stderr
