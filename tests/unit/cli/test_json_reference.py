"""docs/reference/json.md names every field that a row has, and all moments have one form."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from relive.commands.failures import debug
from relive_platform.server.backup import BackupTold
from relive_store import TableSize
from relive_tracer.explore.health.functions import Figures
from relive_tracer.explore.health.platform import PlatformSeries
from relive_views.events import EventView
from relive_views.failures import FailureView, GroupView
from relive_views.functions import FunctionView
from relive_views.health.alerts import AlertChangeView, AlertView
from relive_views.invocations import FIELDS
from relive_views.profiles.hot import HotView
from relive_views.usage import Usage

TEXT = (Path(__file__).resolve().parents[3] / "docs/reference/json.md").read_text()
NOT_IN_JSON = {"short", "spark"}
UNKNOWN_WITHOUT_STORE = {"last_failure"}


def section(title: str) -> set[str]:
    """The words in backquotes below a heading."""
    text = TEXT.split(f"\n## {title}\n", 1)[1].split("\n## ")[0]
    return set(re.findall(r"`([a-z0-9_]+)`", text))


@pytest.mark.parametrize(
    ("title", "fields"),
    [
        ("functions", FunctionView.__dataclass_fields__),
        ("failures", FailureView.__dataclass_fields__),
        ("failures", GroupView.__dataclass_fields__),
        ("invocations", FIELDS),
        ("events", EventView.__dataclass_fields__),
        ("hot", HotView.__dataclass_fields__),
        ("usage", Usage.__dataclass_fields__),
        ("debug --list", debug.FIELDS),
        ("metrics", Figures.__dataclass_fields__),
        ("metrics", PlatformSeries.__dataclass_fields__),
        ("store", TableSize.__dataclass_fields__),
        ("store", BackupTold.__dataclass_fields__),
        ("alerts", AlertView.__dataclass_fields__),
        ("alerts", AlertChangeView.__dataclass_fields__),
    ],
)
def test_every_field_is_documented(title: str, fields: list[str]) -> None:
    assert set(fields) - NOT_IN_JSON <= section(title)


def test_moments_are_told_by_their_names() -> None:
    moments = re.compile(r"(_at|_ns|^last_failure)$")
    for view in (FunctionView, FailureView, GroupView, EventView):
        for name, field in view.__dataclass_fields__.items():
            if moments.search(name):
                unknown = " | None" if name in UNKNOWN_WITHOUT_STORE else ""
                assert field.type == f"int{unknown}", name
