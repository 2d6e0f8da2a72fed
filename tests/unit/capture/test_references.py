"""Locals that were stored once come back in every frame that had them."""

from __future__ import annotations

from relive_base.values import ValueNode, render
from relive_capture.explore.scene.references import expand_references
from relive_capture.model import ExceptionView, FrameView


def view(*frames: list[tuple[str, ValueNode]]) -> ExceptionView:
    return ExceptionView(
        type="E", frames=[FrameView(file="a.py", line=1, function="f", locals=found) for found in frames]
    )


def test_a_local_under_two_names_has_its_children_under_both() -> None:
    tree = ValueNode("dict", "{'a': 1}", id=7, length=1, children=[("a", ValueNode("int", "1"))])
    again = ValueNode("dict", "{'a': 1}", id=7, length=1, ref=True)
    found = view([("best", tree), ("cart", again)])

    expand_references([found])

    assert [node.children for _, node in found.frames[0].locals] == [tree.children] * 2


def test_the_largest_tree_of_a_value_is_the_one_that_is_shown() -> None:
    leaf = ("a", ValueNode("int", "1"))
    small = ValueNode("dict", "{…}", id=7, length=1)
    large = ValueNode("dict", "{'a': 1}", id=7, length=1, children=[leaf])
    found = view([("x", ValueNode("dict", id=7, ref=True))], [("x", large)], [("x", small)])

    expand_references([found])

    assert found.frames[0].locals[0][1] is large


def test_a_ref_reads_like_its_value_where_that_is_known() -> None:
    assert render(ValueNode("dict", "{'a': 1}", id=7, ref=True)) == "{'a': 1}"
    assert render(ValueNode("dict", "<dict>", id=7, ref=True)) == "<dict> (see 0x7)"
