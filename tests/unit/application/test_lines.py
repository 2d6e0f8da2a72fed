"""The scanner finds the line of every key that tomllib finds."""

from __future__ import annotations

import json
import tomllib

from hypothesis import given
from hypothesis import strategies as st
from relive_platform.registry.application.lines import find_line, key_lines

TEXT = '''\
# a comment with [brackets] and = signs
top = 1
[a."b c".d]   # header
key = """
[not.a.header]
nope = 1 \\""" "quoted""""
other = [
  1, # ] not the end
  { x = "]" },
]
'single.quoted' = 1
dotted . key = 2
[[a.list]]
x = 1
[[a.list]]
x = \'\'\'
x = 3
\'\'\'
[a.list.sub]
y = 1
[[a.list.deep]]
z = 1
'''


def test_lines_of_every_kind_of_key() -> None:
    assert tomllib.loads(TEXT)
    lines = key_lines(TEXT)

    assert {path: lines[path] for path in lines if path[0] != "a"} == {("top",): 2}
    assert lines["a", "b c", "d", "key"] == 4
    assert lines["a", "b c", "d", "other"] == 7
    assert lines["a", "b c", "d", "single.quoted"] == 11
    assert lines["a", "b c", "d", "dotted", "key"] == 12
    assert (lines["a", "list", 0], lines["a", "list", 0, "x"]) == (13, 14)
    assert (lines["a", "list", 1], lines["a", "list", 1, "x"]) == (15, 16)
    assert lines["a", "list", 1, "sub", "y"] == 20
    assert lines["a", "list", 1, "deep", 0, "z"] == 22


def test_a_path_that_does_not_stand_there_is_at_its_nearest_ancestor() -> None:
    lines = key_lines("[a]\nb = { c = 1 }\n")

    assert find_line(lines, ("a", "b", "c")) == 2
    assert find_line(lines, ("a", "x")) == 1
    assert find_line(lines, ("x",)) == 0


KEYS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=6)
VALUES = st.one_of(
    st.integers().map(str),
    st.text(st.sampled_from("ab[]{}#='\\\" "), max_size=8).map(json.dumps),
    st.sampled_from(
        ["'''\n[x]\na = 1\n'''", '"""\n"" ] \\" """', "[\n1, # ]\n[2],\n]", "{ a = '}' }", "'['"]
    ),
)


PAIRS = st.lists(st.tuples(KEYS, VALUES), max_size=4, unique_by=lambda pair: pair[0])
TABLES = st.lists(st.tuples(KEYS, PAIRS), max_size=4, unique_by=lambda pair: pair[0])


@given(TABLES)
def test_the_scanner_agrees_with_where_keys_were_written(tables) -> None:
    text, wanted = "", {}
    for table, pairs in tables:
        wanted[(table,)] = text.count("\n") + 1
        text += f"[ {json.dumps(table, ensure_ascii=False)} ] # {{\n"
        for key, value in pairs:
            wanted[(table, key)] = text.count("\n") + 1
            text += f"  {json.dumps(key, ensure_ascii=False)} = {value}\n\n"
    assert {key: set(value) for key, value in tomllib.loads(text).items()} == {
        table: {key for key, _ in pairs} for table, pairs in tables
    }

    assert key_lines(text) == wanted


@given(st.text(alphabet="[]{}=.\"'#\\ \nab", max_size=40))
def test_the_scanner_ends_on_any_text(text: str) -> None:
    assert isinstance(key_lines(text), dict)
