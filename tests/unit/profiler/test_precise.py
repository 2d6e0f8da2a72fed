from __future__ import annotations

import sys

from relive_profiler.record import Sampler
from relive_profiler.record.precise import PreciseProfiler, parse_frame


def test_a_frame_of_pyinstrument_is_a_function_a_file_and_the_line_that_ran():
    assert parse_frame("Cart.total\0/x/cart.py\0" + "10\x01cCart\x01l17\x01h1") == (
        "Cart.total",
        "/x/cart.py",
        17,
    )
    assert parse_frame("sum\0<built-in>\0" + "0") == ("sum", "<built-in>", 0)
    assert parse_frame("odd") == ("odd", "", 0)
    assert parse_frame("odd\0file\0nan") == ("odd", "file", 0)


def test_a_profile_hook_of_the_users_own_is_left_alone(sampler_bench):
    # Given user code with its own hook
    def hook(frame, event, arg):
        return None

    bench = sampler_bench()
    sys.setprofile(hook)
    try:
        # When a precise profile is asked for
        bench.sampler.start("i", mode="precise")
        # Then the invocation is sampled instead, with a reason, and the hook is still there
        assert sys.getprofile() is hook
        assert len(bench.timer.armed) == 1
    finally:
        sys.setprofile(None)
        bench.sampler.stop()


def test_a_hook_that_the_function_sets_meanwhile_survives():
    def hook(frame, event, arg):
        return None

    sampler = Sampler("precise")
    sampler.start("i")
    try:
        sys.setprofile(hook)
        sampler.stop()
        assert sys.getprofile() is hook
    finally:
        sys.setprofile(None)
        sampler.close()


def test_an_error_inside_pyinstrument_never_reaches_the_function(monkeypatch):
    import pyinstrument

    def broken(*args, **kwargs):
        raise RuntimeError("no hook today")

    monkeypatch.setattr(pyinstrument.Profiler, "start", broken)
    sampler = Sampler("precise")
    try:
        sampler.start("i")
        sampler.stop()
    finally:
        sampler.close()
    assert sys.getprofile() is None


def test_the_platforms_own_frames_above_the_handler_are_left_out(monkeypatch):
    # Given a precise profile whose stacks begin in the platform
    stack = [("call", "<relive>/relive_runtime/adapters/handlers.py", 60), ("handler", "cart.py", 5)]
    monkeypatch.setattr(PreciseProfiler, "start", lambda *_: "")
    monkeypatch.setattr(PreciseProfiler, "stop", lambda *_: ([(stack, 3, 3_000_000, 1_000_000)], 0))
    sampler = Sampler("precise")
    try:
        sampler.start("i")
        # When it ends
        profile = sampler.stop()
    finally:
        sampler.close()
    # Then it begins with the handler
    assert profile is not None
    assert [told.functions for told in profile.new_stacks] == [["handler"]]
