"""ARCHITECTURE.md names files: each of them is there."""

from __future__ import annotations

import re
from pathlib import Path

from longest_first import LONGEST_FIRST

ROOT = Path(__file__).resolve().parents[2]
PLATFORM = ROOT / "platform" / "relive_platform"
ROOMS = [path.parent for path in ROOT.glob("*/relive*/__init__.py")]
NAMED = re.compile(r"`([\w./]+(?:\.py|\.c|/))`")


def test_every_file_that_the_walks_name_exists() -> None:
    # Given the text, where a path is below platform/ or a room, or beside the one before it
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    walks = text[text.index("## The same, file by file") : text.index("## A heap, taken")]
    missing = []
    beside = PLATFORM
    for name in NAMED.findall(walks):
        if "NAME" in name:
            continue
        places = [ROOT, PLATFORM, beside, *ROOMS, *(room / "record" for room in ROOMS)]
        found = next((place / name for place in places if (place / name).exists()), None)
        if found is None:
            missing.append(name)
        else:
            beside = found.parent
    assert missing == []


def test_every_file_of_the_order_of_tests_exists() -> None:
    assert [name for name in LONGEST_FIRST if not (ROOT / "tests" / name).is_file()] == []
    assert len(set(LONGEST_FIRST)) == len(LONGEST_FIRST)
