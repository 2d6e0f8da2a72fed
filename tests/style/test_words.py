"""One word for one thing, in plain English: docs/glossary.md and CONTRIBUTING.md, as a test can read them."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = sorted(path.parent.parent for path in ROOT.glob("*/relive*/__init__.py"))

INSTEAD = {
    r"\b[Mm]end(s|ed|ing)?\b": "fix",
    r"\b[Rr]emed(y|ies)\b": "hint",
    r"\b[Tt]idings\b": "news, message",
    r"\bis no setting of\b": "unknown setting ...",
    r"\b(on|own) desk\b": "machine",
    r"\b(have|had) it again\b": "reproduce it",
    r"\bhas not its\b": "if ... is not here",
    r"\b([Rr]aises \w+|None|False|True|[Ee]mpty|[Oo]nly|[Aa]lso|-?\d) where\b": "if",
    r"\b[Ww]here (there (is|are|was)|none|nobody|neither|possible|known|unknown|needed|given)\b": "if",
    r"\b[Ww]here (it|that|this) (is|was|has|had|does|did|can|could) (not|no|none)\b": "if",
    r"\b[Cc]assettes?\b(?!\.json| =|`)": "recording",
    r"\b(tape|deck)s?\b": "recording, recorded calls",
}
"""What no text says -> what it says."""


def pages() -> Iterator[tuple[str, str]]:
    """The documentation, line by line, with where it is."""
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]:
        if path.name in (
            "CHANGELOG.md",
            "ARCHITECTURE.md",
            "benchmarks.md",
            "stability.md",
        ):  # old names are said
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            yield f"{path.relative_to(ROOT)}:{number}", line


def texts(room: Path) -> Iterator[tuple[str, str]]:
    """Comments, docstrings, help and messages of a package, line by line, with where they are."""
    kinds = (tokenize.COMMENT, tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING))
    for path in sorted(room.rglob("*.py")):
        if "_pb2" in path.name:
            continue
        for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
            if token.type in kinds and " " in token.string.strip("\"' "):
                for offset, line in enumerate(token.string.splitlines()):
                    yield f"{path.relative_to(ROOT)}:{token.start[0] + offset}", line


def _wrong(lines: Iterator[tuple[str, str]]) -> list[str]:
    return [
        f"{place}: {found.group(0)!r}; write: {instead}"
        for place, line in lines
        for pattern, instead in INSTEAD.items()
        if (found := re.search(pattern, line))
    ]


def test_the_pages_use_the_words_of_the_glossary() -> None:
    assert not _wrong(pages())


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_the_code_uses_the_words_of_the_glossary(room: Path) -> None:
    assert not _wrong(texts(room))


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("fails until it is mended", True),
        ("None where nobody knows", True),
        ("the line where it failed", False),
        ("where the time went", False),
        ("amended by the function", False),
    ],
)
def test_what_is_found(line: str, wrong: bool) -> None:
    assert bool(_wrong(iter([("here", line)]))) == wrong
