"""A cold start's profile as a tree of modules."""

from __future__ import annotations

import json

import pytest
from relive_profiler.explore.export import export
from relive_profiler.explore.folding import Folded, Stack
from relive_profiler.explore.hot import fold_rows
from relive_profiler.explore.imports import by_module, module_of
from relive_profiler.explore.tree import build

MS = 1_000_000


def cold(*stacks: tuple[str, int], starts: int = 1) -> Folded:
    """`stacks`: files from the outermost by blanks, and ms; `f()` stands for a function's frame."""
    made = []
    for path, ms in stacks:
        frames = [(part, "x.py") if part.endswith("()") else ("<module>", part) for part in path.split()]
        made.append(
            Stack(
                "fn", tuple(name for name, _ in frames), tuple(file for _, file in frames),
                (1,) * len(frames), ms, ms * MS, ms * MS,
            )
        )  # fmt: skip
    samples = sum(ms for _, ms in stacks)
    return Folded(made, phase="init", samples=samples, profiles=starts, invocations=starts)


APP = cold(
    ("app.py site-packages/pandas/__init__.py site-packages/pandas/core/frame.py", 30),
    ("app.py site-packages/pandas/__init__.py site-packages/pandas/core/frame.py make()", 10),
    ("app.py site-packages/pandas/__init__.py", 6),
    ("app.py connect()", 8),
    ("app.py lazily() python3.11/json/decoder.py", 4),
    ("find()", 2),
    starts=2,
)


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("app.py", "app"),
        ("shop/cart.py", "shop.cart"),
        ("site-packages/yaml/__init__.py", "yaml"),
        ("python3.11/json/decoder.py", "json.decoder"),
        ("python3.11/site-packages/six.py", "six"),
        ("__init__.py", "__init__"),
    ],
)
def test_a_file_has_the_name_that_it_is_imported_by(file, module):
    assert module_of(file) == module


def test_what_a_module_calls_is_its_own_time_up_to_the_next_import():
    tree = build(by_module(APP), title="fn")
    found = {
        ".".join(tree.name[at] + ">" for at in tree.path(node)[1:]): (
            tree.self_value[node] // MS,
            tree.value[node] // MS,
        )
        for node in range(len(tree))
    }
    assert found == {
        "": (2, 60),
        "app>": (8, 58),
        "app>.pandas>": (6, 46),
        "app>.pandas>.pandas.core.frame>": (40, 40),
        "app>.json.decoder>": (4, 4),
    }


def test_modules_are_listed_by_their_own_time():
    rows = fold_rows(by_module(APP).stacks, "function")
    assert [(row.name, round(row.self_s * 1e3), round(row.total_s * 1e3)) for row in rows] == [
        ("pandas.core.frame", 40, 40),
        ("app", 8, 58),
        ("pandas", 6, 46),
        ("json.decoder", 4, 4),
    ]


def test_the_text_is_a_tree_with_the_time_of_one_cold_start():
    lines = export(build(by_module(APP), title="fn"), "imports").splitlines()
    assert lines[0].startswith("fn · 2 cold starts: mean of each")
    assert [line.rstrip() for line in lines[3:]] == [
        "      1.0      30.0  (all)",
        "      4.0      29.0    app",
        "      3.0      23.0      pandas",
        "     20.0      20.0        pandas.core.frame",
        "      2.0       2.0      json.decoder",
    ]


def test_programs_get_the_nodes_with_their_parents():
    document = json.loads(export(build(by_module(APP), title="fn"), "json"))
    assert (document["samples"], document["invocations"]) == (60, 2)
    names = [
        (node["name"], document["nodes"][node["parent"]]["name"] if node["parent"] >= 0 else "")
        for node in document["nodes"]
    ]
    assert names == [
        ("fn", ""),
        ("app", "fn"),
        ("pandas", "app"),
        ("pandas.core.frame", "pandas"),
        ("json.decoder", "app"),
    ]
