"""Reading pystack's text, which has the user's values in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from relive_capture.explore.outside import parse_pystack, stack_lines

TEXT = """Traceback for thread 4711 (worker) [Has the GIL] (most recent call last):
    (C) File "Modules/main.c", line 734, in Py_BytesMain (/usr/lib/libpython3.11.so)
    (Python) File "/code/cart.py", line 21, in handler
        return price(event)
      Arguments:
        event: {"sku": "A1"}
    (Python) File "/code/cart.py", line 9, in price
        return sum(range(n))
      Locals:
        n: 1000000
        password: hunter2
    (C) File "Python/bltinmodule.c", line 2548, in builtin_sum_impl (inlined) (/usr/lib/libpython3.11.so)
Traceback for thread 4712 [] (most recent call last):
    (Python) File "/code/cart.py", line 40, in listen
"""


def test_python_frames_come_innermost_first_with_their_locals() -> None:
    main, other = parse_pystack(TEXT, 4711)

    assert (main["thread_name"], other["thread_name"]) == ("MainThread", "?")
    assert [(frame["name"], frame["line"]) for frame in main["frames"]] == [("price", 9), ("handler", 21)]
    assert main["frames"][0]["locals"][0] == {"name": "n", "repr": "1000000"}
    assert main["frames"][1]["locals"] == [{"name": "event", "repr": '{"sku": "A1"}'}]


def test_the_text_that_is_kept_has_no_values() -> None:
    kept = stack_lines(TEXT)

    assert "builtin_sum_impl" in kept
    assert "listen" in kept
    for hidden in ("hunter2", "A1", "return price"):
        assert hidden not in kept


@given(st.text() | st.lists(st.sampled_from([*TEXT.splitlines(), "        a: b", ""])).map("\n".join))
def test_any_text_is_read(text: str) -> None:
    assert all(isinstance(thread["frames"], list) for thread in parse_pystack(text))
