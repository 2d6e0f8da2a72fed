"""Unified diffs, as models write them: the lines count, the numbers are a hint."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from relive_agents.diffs import Edit, edits_of, replaced
from relive_base.errors import UsageError

DIFF = """\
diff --git a/app/main.py b/app/main.py
index 1..2 100644
--- a/app/main.py
+++ b/app/main.py
@@ -1,3 +1,4 @@ def handler
 a = 1
-b = 2
+b = 3
+c = 4

--- /dev/null
+++ b/app/new.py
@@ -0,0 +1,2 @@
+x = 1
+--y
"""


def test_each_hunk_is_an_edit() -> None:
    assert edits_of(DIFF) == [
        Edit("app/main.py", "a = 1\nb = 2\n", "a = 1\nb = 3\nc = 4\n", 1),
        Edit("app/new.py", "", "x = 1\n--y\n"),
    ]


def test_the_end_of_a_file_without_a_newline() -> None:
    (edit,) = edits_of("--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+c\n")
    assert edit == Edit("f", "a\nb", "a\nc\n", 1)
    assert replaced("a\nb", edit) == "a\nc\n"
    assert replaced("a\nb", Edit("f", "b\n", "c\n", 1)) == "a\nc\n"


def test_of_several_places_the_nearest_is_meant() -> None:
    text = "x\n" * 3 + "y\n" + "x\n" * 3
    assert replaced(text, Edit("f", "x\n", "z\n", 6)) == "x\nx\nx\ny\nx\nz\nx\n"
    with pytest.raises(UsageError, match="6 times"):
        replaced(text, Edit("f", "x\n", "z\n"))


@pytest.mark.parametrize(
    "diff", ["", "no diff", "--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-x", "--- a\n+++ b\n@@ -1 +1 @@\n?x"]
)
def test_what_is_none_is_said(diff: str) -> None:
    with pytest.raises(UsageError):
        edits_of(diff)


lines = st.lists(st.text("ab +@", max_size=3), min_size=1, max_size=12)


@given(lines, lines)
def test_what_difflib_writes_is_read(old: list[str], new: list[str]) -> None:
    before, after = ("".join(f"{line}\n" for line in text) for text in (old, new))
    diff = list(difflib.unified_diff(before.splitlines(True), after.splitlines(True), "a/f", "b/f", n=20))
    if diff:
        (edit,) = edits_of("".join(diff))
        assert replaced(before, edit) == after
