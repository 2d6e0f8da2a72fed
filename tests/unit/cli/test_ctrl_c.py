"""Ctrl-C is noted, and raised only where it is asked for."""

from __future__ import annotations

import signal

import pytest
from relive.debugging.ctrl_c import CtrlC


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def test_it_is_noted_once_while_nothing_is_read() -> None:
    with CtrlC() as ctrl_c:
        press()

        assert (ctrl_c.take(), ctrl_c.take()) == (True, False)


def test_it_ends_the_reading_of_a_line() -> None:
    with CtrlC() as ctrl_c:
        with pytest.raises(KeyboardInterrupt), ctrl_c.raising():
            press()
        press()  # after it, it is noted again

        assert ctrl_c.take()


def test_it_is_not_lost_on_the_way_to_the_prompt() -> None:
    with CtrlC() as ctrl_c:
        press()

        with pytest.raises(KeyboardInterrupt), ctrl_c.raising():
            pass
        assert not ctrl_c.take()


def test_afterwards_it_is_what_it_was() -> None:
    before = signal.getsignal(signal.SIGINT)

    with CtrlC():
        assert signal.getsignal(signal.SIGINT) != before

    assert signal.getsignal(signal.SIGINT) == before
