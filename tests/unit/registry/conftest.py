"""A registry in a fresh home, with a trial that says yes unless told otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from relive_platform.registry import FunctionVersion, Registry, TrialResult


class Trial:
    """Records what it was asked, answers what it was told."""

    def __init__(self) -> None:
        self.answer = TrialResult(ok=True)
        self.seen: list[FunctionVersion] = []

    def __call__(self, version: FunctionVersion) -> TrialResult:
        self.seen.append(version)
        return self.answer


@pytest.fixture
def trial() -> Trial:
    return Trial()


@pytest.fixture
def registry(tmp_path: Path, trial: Trial) -> Iterator[Registry]:
    opened = Registry(tmp_path / "home", trial=trial)
    yield opened
    opened.close()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write an application: function name -> (code, more lines of its table)."""

    def put(folder: str = "app", app: str = "shop", **functions: tuple[str, str]) -> Path:
        root = tmp_path / folder
        text = f'[app]\nname = "{app}"\n'
        for name, (code, more) in functions.items():
            (root / name).mkdir(parents=True, exist_ok=True)
            (root / name / "main.py").write_text(code)
            text += f'[functions.{name}]\nsource = "{name}"\nhandler = "main:handler"\n{more}\n'
        (root / "relive.toml").write_text(text)
        return root

    return put
