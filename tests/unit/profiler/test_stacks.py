from __future__ import annotations

import importlib
import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st
from relive_profiler.record.stacks import DEEP_FRAME, StackTable, stack_hash

_HERE = os.path.dirname(__file__)
CODE = """
from relive_profiler.record.stacks import stack_hash
print(stack_hash([("handler", "app.py", 3), ("Cart.total", "shop/cart.py", 17)]))
"""


def test_a_stacks_hash_is_the_same_in_every_process():
    own = stack_hash([("handler", "app.py", 3), ("Cart.total", "shop/cart.py", 17)])
    other = subprocess.run(
        [sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(other.stdout) == own
    assert 0 <= own < 2**64


location = st.tuples(st.text(max_size=20), st.text(max_size=20), st.integers(0, 10**6))


@given(st.lists(location, max_size=8), st.lists(location, max_size=8))
def test_different_stacks_have_different_hashes(one, other):
    assert (stack_hash(one) == stack_hash(other)) == (one == other)


@given(st.text(alphabet=st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF), min_size=1))
def test_names_that_are_no_valid_text_have_a_hash_too(name):
    assert stack_hash([(name, name, 1)]) > 0


def test_files_are_named_from_the_folder_they_lie_in(tmp_path):
    table = StackTable(str(tmp_path / "code"), ["", str(tmp_path / "code"), str(tmp_path / "deps")])
    import json.decoder

    version = f"python{sys.version_info.major}.{sys.version_info.minor}/"
    assert table.short(str(tmp_path / "code" / "shop" / "cart.py")) == "shop/cart.py"
    assert table.short(str(tmp_path / "deps" / "requests" / "api.py")) == "site-packages/requests/api.py"
    assert table.short(json.decoder.__file__) == version + "json/decoder.py"
    assert table.short("/elsewhere/x.py") == "/elsewhere/x.py"
    assert table.short("<string>") == "<string>"


def own(package, name):
    """The file of that name in one of Relive's packages, as its frames name it."""
    return os.path.join(os.path.dirname(importlib.import_module(package).__file__), name)


def test_a_users_project_that_is_called_relive_is_no_own_code(tmp_path):
    # Given a function in a folder, with a package, a home and a library called like Relive's own
    source = tmp_path / "relive" / "relive_runtime" / "code"
    table = StackTable(str(source), [str(tmp_path / "relive" / "relive_tracer")])
    files = [source / "relive" / "calls.py", tmp_path / "relive" / "relive_tracer" / "relive_base" / "x.py"]
    library = _frame_in(str(files[1]), "library", "return call(None)")
    user = _frame_in(str(files[0]), "handler")
    # When its stack is interned
    stack = table.look(library(user), sys._getframe(), 100)
    # Then all of it is there
    assert stack.functions == ["library", "handler"]
    assert stack.files == ["site-packages/relive_base/x.py", "relive/calls.py"]


def _frame_in(file, name="outer", inner="return __import__('sys')._getframe()"):
    namespace: dict = {}
    exec(compile(f"def {name}(call):\n    {inner}", file, "exec"), namespace)  # noqa: S102 - frames of files that do not exist
    return namespace[name]


def test_the_platforms_own_frames_are_cut_off_at_both_ends(tmp_path):
    # Given a worker that calls, through a standard library function, the user's code, which calls the client
    table = StackTable(str(tmp_path), [])
    client = _frame_in(own("relive_platform", "client.py"), "client")
    user = _frame_in(str(tmp_path / "app.py"), "handler", "return call(None)")
    worker = _frame_in(own("relive_runtime", "worker/main.py"), "worker", "return call[0](call[1])")
    bootstrap = _frame_in("<frozen runpy>", "bootstrap", "return call[0](call[1])")
    inner = _frame_in(own("relive_runtime", "worker/run.py"), "inner", "return call[0](call[1])")
    frame = bootstrap((worker, (inner, (user, client))))
    # When it is looked at
    stack = table.look(frame, sys._getframe(), 100)
    # Then only what the worker called is left, and the line of it that called the client
    assert stack.functions == ["handler"]


def test_waiting_for_another_function_is_the_time_of_the_line_that_calls_it(tmp_path):
    import selectors

    # Given a handler that invokes another function, which waits on Relive's channel in the standard library
    table = StackTable(str(tmp_path), [])
    calls = _frame_in(own("relive", "calls.py"), "invoke", "return call[0](call[1])")
    channel = _frame_in(own("relive_runtime", "worker/channel.py"), "readable", "return call(None)")
    select = _frame_in(selectors.__file__, "select")
    user = _frame_in(str(tmp_path / "cart.py"), "checkout", "return call[0](call[1])")
    # When it is looked at
    stack = table.look(user((calls, (channel, select))), sys._getframe(), 100)
    # Then it ends in the handler's line
    assert (stack.functions, stack.files, stack.lines) == (["checkout"], ["cart.py"], [2])


def test_user_code_that_relive_calls_back_keeps_its_whole_stack(tmp_path):
    table = StackTable(str(tmp_path), [])
    user = _frame_in(str(tmp_path / "app.py"), "handler", "return call[0](call[1])")
    sink = _frame_in(own("relive_tracer", "record/lines.py"), "write", "return call(None)")
    text = _frame_in(str(tmp_path / "text.py"), "to_text")
    stack = table.look(user((sink, text)), sys._getframe(), 100)
    assert stack.functions == ["handler", "write", "to_text"]


def test_only_relives_own_frames_is_no_stack(tmp_path):
    table = StackTable(str(tmp_path), [])
    worker = _frame_in(own("relive_runtime", "worker/main.py"), "worker")
    frame = worker(None)
    assert table.look(frame, frame.f_back, 100) is None


def test_the_standard_library_called_by_the_platform_is_no_stack_of_the_function(tmp_path):
    import json.decoder

    table = StackTable(str(tmp_path), [])
    worker = _frame_in(own("relive_runtime", "worker/main.py"), "worker", "return call(None)")
    library = _frame_in(json.decoder.__file__, "decode")
    assert table.look(worker(library), sys._getframe(), 100) is None
    assert table.look(library(None), sys._getframe(), 100).functions == ["decode"]


def test_import_machinery_is_left_out(tmp_path):
    table = StackTable(str(tmp_path), [])
    importer = _frame_in("<frozen importlib._bootstrap>", "_load", "return call(None)")
    module = _frame_in(str(tmp_path / "app.py"), "module")
    frame = importer(module)
    outer = sys._getframe()
    assert table.look(frame, outer, 100).functions == ["module"]


def _descend(table, outer, ways):
    """Looks from the end of a recursion that comes along by one of two calls in the same line."""
    if not ways:
        return table.look(sys._getframe(), outer, 100)
    return _descend(table, outer, ways[1:]) if ways[0] else _descend(table, outer, ways[1:])  # noqa: RUF034


def test_a_stack_is_worked_out_once_whichever_call_of_a_line_it_came_by(monkeypatch):
    # Given a table that has seen a recursion to a depth of eight
    table = StackTable(_HERE, [])
    first = _descend(table, sys._getframe(), [True] * 8)
    assert len(first.functions) == 9
    made = []
    monkeypatch.setattr(table, "stacks", _Noting(table.stacks, made))
    # When it is met again by every mixture of the two calls
    again = [
        _descend(table, sys._getframe(), [number >> bit & 1 for bit in range(8)]) for number in range(256)
    ]
    # Then it is the same stack, and was not worked out anew
    assert all(stack is first for stack in again)
    assert made == []


class _Noting(dict):
    def __init__(self, values, asked):
        super().__init__(values)
        self._asked = asked

    def get(self, key, default=None):
        self._asked.append(key)
        return super().get(key, default)


def test_a_cut_stack_is_another_one_than_the_whole_of_the_same_depth():
    table = StackTable(_HERE, [])
    whole = _descend(table, sys._getframe(), [True] * 99)
    cut = _descend(table, sys._getframe(), [True] * 100)
    assert len(whole.functions) == 100
    assert cut.functions[0] == DEEP_FRAME
    assert cut.functions[1:] == whole.functions


def test_code_that_is_made_anew_again_and_again_is_not_kept():
    # Given a function that compiles its code at each call
    table = StackTable("/app", [], cached=50)
    for _ in range(300):
        frame = _frame_in("/app/made.py", "made")(None)
        # When each is looked at
        assert table.look(frame, frame.f_back, 100).functions == ["made"]
    # Then only so many are kept alive
    assert len(table._codes) <= 50
    assert len(table._lines) <= 50
    assert len(table._seen) <= 50
