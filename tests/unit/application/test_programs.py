"""What relive.toml says of functions of kind "custom"."""

from __future__ import annotations

from pathlib import Path

import pytest
from relive_platform.registry.application import ConfigError, from_folder, load


def folder(tmp_path: Path, text: str, *, executable: bool = True) -> Path:
    (tmp_path / "relive.toml").write_text(text)
    (tmp_path / "index.mjs").write_text("export const handler = () => 1;")
    bootstrap = tmp_path / "bootstrap"
    bootstrap.write_text("#!/bin/sh\n")
    bootstrap.chmod(0o755 if executable else 0o644)
    return tmp_path


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("", ("custom", "bootstrap", (), "")),
        ('handler = "index.handler"\nruntime = "nodejs"', ("custom", "index.handler", (), "nodejs")),
        (
            'kind = "custom"\ncommand = ["./bootstrap", "-v"]',
            ("custom", "bootstrap", ("./bootstrap", "-v"), ""),
        ),
        ('kind = "custom"\nhandler = "any thing"', ("custom", "any thing", (), "")),
    ],
)
def test_a_program_is_described(
    tmp_path: Path, keys: str, expected: tuple[str, str, tuple[str, ...], str]
) -> None:
    found = load(folder(tmp_path, f"[functions.f]\n{keys}\n")).functions["f"]
    assert (found.kind, found.handler, found.command, found.runtime) == expected


@pytest.mark.parametrize(
    ("keys", "said", "line"),
    [
        ('runtime = "nodejs"', "is not module.function", 1),
        ('runtime = "nodejs"\nhandler = "other.handler"', "other.mjs", 3),
        ('runtime = "nodejs"\nhandler = "../index.handler"', "is not module.function", 3),
        ('runtime = "nodejs"\nhandler = "index.handler"\ncommand = ["x"]', "own bootstrap", 4),
        ('kind = "custom"\ncommand = []', "command is empty", 3),
        ('kind = "custom"\ncommand = [""]', "names no program", 3),
        ('runtime = "java"', "runtime = 'java' is not known", 2),
        ('handler = "a:b"\ninit_timeout_s = 0', "out of range", 3),
        ('kind = "event"\nhandler = "main:handler"\nruntime = "provided"', 'is for kind = "custom"', 4),
        ('kind = "event"', "has no handler", 1),
    ],
)
def test_what_does_not_fit_is_named_with_its_line(tmp_path: Path, keys: str, said: str, line: int) -> None:
    with pytest.raises(ConfigError) as raised:
        load(folder(tmp_path, f"[functions.f]\n{keys}\n"))
    assert any(said in problem.message and problem.line == line for problem in raised.value.problems), (
        raised.value.problems
    )


def test_a_folder_with_an_executable_bootstrap_needs_no_more(tmp_path: Path) -> None:
    root = folder(tmp_path, "")
    (root / "relive.toml").unlink()
    found = from_folder(root, name="f", handler=None).functions["f"]
    assert (found.kind, found.handler) == ("custom", "bootstrap")

    (root / "bootstrap").chmod(0o644)
    with pytest.raises(ConfigError, match="give --handler"):
        from_folder(root, name="f", handler=None)


def test_a_bootstrap_that_cannot_be_executed_is_named(tmp_path: Path) -> None:
    root = folder(tmp_path, '[functions.f]\nkind = "custom"\n', executable=False)
    with pytest.raises(ConfigError) as raised:
        load(root)
    assert "chmod +x" in raised.value.problems[0].hint
