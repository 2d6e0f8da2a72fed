"""The documentation, as far as a test can read it: links lead somewhere, settings exist."""

from __future__ import annotations

import re
from pathlib import Path

from relive_platform.settings import CLIENT_VARIABLES, settings

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(([^)#\s]+)")
VARIABLE = re.compile(r"\bRELIVE_[A-Z_]*[A-Z]\b")
IN_FUNCTIONS = {"RELIVE_FUNCTION"}


def pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/**/*.md")]


def test_links_between_pages_lead_somewhere() -> None:
    links = [(page, link) for page in pages() for link in LINK.findall(page.read_text())]
    local = [(page, link) for page, link in links if "://" not in link]
    assert local
    assert not [f"{page.name}: {link}" for page, link in local if not (page.parent / link).exists()]


def test_settings_that_the_pages_name_exist() -> None:
    known = {item.variable for item in settings()} | set(CLIENT_VARIABLES) | IN_FUNCTIONS
    named = {(page.name, name) for page in pages() for name in VARIABLE.findall(page.read_text())}
    assert named
    assert not {f"{page}: {name}" for page, name in named if name not in known}
