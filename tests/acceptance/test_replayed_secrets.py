"""What a replay shows, hands on and writes has the secrets no more than the scene that it is of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kept_files import kept_files
from relive_cli import Relive, laboratory, toml

SECRET = "Tr0ub4dor&3xyz"
GIVEN = "hunter22!x"

SOURCE = """
import os

SEEN = {}

def handler(event, context):
    value = os.environ["DB_PASSWORD"]
    SEEN["last"] = value
    print("logs in with", value)
    raise PermissionError(f"bad login for {event['user']} with {event['password']} {value}")
"""
PASSES = SOURCE.replace("    raise PermissionError(", "    return (")
FAILS_OTHERWISE = SOURCE.replace("PermissionError(", "ValueError('again', ")
CONFIG = toml(
    {"secret": f'handler = "app:handler"\nenvironment = {{ DB_PASSWORD = "{SECRET}", LEVEL = "info" }}'}
)


@dataclass
class Failed:
    lab: Relive
    ident: str
    code: Path

    def said(self, *command: str) -> str:
        done = self.lab.run(*command, check=False)
        return done.stdout + done.stderr

    def copy(self, source: str) -> str:
        folder = self.code.with_name(f"copy-{abs(hash(source))}")
        folder.mkdir(exist_ok=True)
        (folder / "app.py").write_text(source)
        (folder / "relive.toml").write_text(CONFIG)
        return str(folder)


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Failed]:
    with laboratory({"app.py": SOURCE, "relive.toml": CONFIG}) as lab:
        row = lab.invoke("secret", {"user": "bob", "password": GIVEN})
        lab.scene(row["invocation_id"])
        code = tmp_path_factory.mktemp("code") / "app"
        found = Failed(lab, row["invocation_id"], code)
        found.code = Path(found.copy(SOURCE))
        yield found


@pytest.mark.parametrize("flags", [(), ("--json",), ("--times", "2")])
def test_the_same_failure_is_told_without_the_secret(failed: Failed, flags: tuple[str, ...]) -> None:
    said = failed.said("replay", failed.ident, *flags)
    assert "bad login for bob" in said
    assert SECRET not in said
    _nothing_kept(failed)


@pytest.mark.parametrize("flags", [(), ("--json",)])
@pytest.mark.parametrize("source", [PASSES, FAILS_OTHERWISE], ids=["passes", "fails otherwise"])
def test_neither_a_result_nor_another_failure_has_it(
    failed: Failed, source: str, flags: tuple[str, ...]
) -> None:
    said = failed.said("replay", failed.ident, "--code", failed.copy(source), *flags)
    assert "bad login for bob" in said
    assert SECRET not in said
    _nothing_kept(failed)


def test_a_result_that_is_no_secret_stays(failed: Failed) -> None:
    source = SOURCE.replace("    raise PermissionError(", "    return os.environ['LEVEL'], (")
    (row,) = failed.lab.json("replay", failed.ident, "--code", failed.copy(source))
    assert row["runs"][0]["result"] == ["info", "bad login for bob with [redacted] [redacted]"]


def test_a_written_test_has_stand_ins(failed: Failed, tmp_path: Path) -> None:
    said = failed.said("scene", failed.ident, "--to-test", f"{tmp_path}/", "--code", str(failed.code))
    (written,) = tmp_path.glob("*.py")
    assert "It was run once, and failed with the recorded error" in said
    assert SECRET not in said + written.read_text()


def test_why_tells_of_the_line_without_it(failed: Failed) -> None:
    failed.said("why", failed.ident)
    _nothing_kept(failed)


def _nothing_kept(failed: Failed) -> None:
    """The note of the replay is there, and no file beside the scene has the secret."""
    kept = {path.name: data for path, data in kept_files(failed.lab.home / "scenes")}
    assert any(name.endswith(".replays.jsonl") for name in kept)
    leaks = [name for name, data in kept.items() if SECRET.encode() in data or GIVEN.encode() in data]
    assert leaks == []


def test_a_logpoint_says_no_secret_that_its_expression_names(failed: Failed) -> None:
    # Given a logpoint whose text asks for a secret, and the event that has it
    failed.lab.run("logpoint", "secret", "app.py:10", "asked: {event['password']} {event['user']}")
    row = failed.lab.invoke("secret", {"user": "bob", "password": GIVEN})
    # I expect its line in the logs without it
    logs = failed.lab.eventually(
        lambda: [line for line in _logs(failed, row["invocation_id"]) if line.startswith("asked:")]
    )
    assert logs == ["asked: [redacted] bob"]


def _logs(failed: Failed, ident: str) -> list[str]:
    rows = failed.lab.json("logs", "--invocation", ident, check=False)
    return [str(row.get("body", "")) for row in rows]
