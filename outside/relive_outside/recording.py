"""`relive.record`: a function, a handler or an application whose failures are recorded wherever it runs."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Final, TypeVar, overload

import msgspec
from relive_base.unseen import without_this_frame

from relive_outside.record.attempts import Attempt
from relive_outside.record.recipes import Recipe, recipe_of
from relive_outside.record.recorder import Recorder
from relive_outside.record.settings import read_settings

__all__ = ["encoded_call", "inside_relive", "own_recorder", "record", "recorded_by"]

T = TypeVar("T", bound=Callable[..., Any])
_INSIDE: Final = "RELIVE_FUNCTION"
_MARK: Final = "__relive_recorded__"
_NODES: Final = 1_000
_PLAIN: Final = (str, int, float, bool, type(None))


@overload
def record(function: T) -> T: ...
@overload
def record(*, name: str = "") -> Callable[[T], T]: ...


def record(function: Any = None, *, name: str = "") -> Any:
    """Record the failures of a function, a handler of AWS Lambda, or an application of ASGI or WSGI: as a
    decorator, with or without a name, or called with it.

    What it gives behaves like what it was given: same results, same exceptions. Inside of a function that
    Relive runs, and in a replay, it is what it was given.
    """
    if function is None:
        return lambda found: recorded_by(found, own_recorder("call"), name) if not inside_relive() else found
    if inside_relive():
        return function
    return recorded_by(function, own_recorder("call"), name)


def recorded_by(function: Any, recorder: Recorder, name: str = "") -> Any:
    """The same, by a recorder. Never raises."""
    if not recorder.on or getattr(function, _MARK, False):
        return function
    try:
        return _recorded(function, name, recorder)
    except Exception as error:  # whatever it is, it works as before
        recorder.say(f"{function!r:.100} is not recorded: {type(error).__name__}: {error}")
        return function


def own_recorder(host: str, wait_s: float = 0.0) -> Recorder:
    """Of this process; the first one that asks says which host it is."""
    held = _held()
    if not held:
        held.append(_made(host, wait_s))
    return held[0]


@lru_cache(maxsize=1)
def _held() -> list[Recorder]:
    return []


def _made(host: str, wait_s: float) -> Recorder:
    settings, problems = read_settings(os.environ)
    recorder = Recorder(settings, host, wait_s=wait_s)
    for problem in problems:
        recorder.say(problem)
    recorder.install()
    atexit.register(recorder.close)
    return recorder


def inside_relive() -> bool:
    """Whether a worker of Relive, a replay or a test of it runs the code: it is recorded there."""
    return _INSIDE in os.environ


def _recorded(function: Any, name: str, recorder: Recorder) -> Any:
    import inspect  # here: who is recorded without a change of its code needs none of it

    if not callable(function):
        return function
    if not _is_handler(function):
        from relive_outside.hosts.applications import is_recorded, recorded_application

        if is_recorded(function):
            return function
        made = recorded_application(function, recorder, name)
        if made is not None:
            return made
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        recorder.say(f"{function.__qualname__} gives its values one by one: it is not recorded")
        return function
    kind = "event" if _is_handler(function) else "call"
    recipe = recipe_of(function, kind, recorder.host, recorder.settings)
    if name:
        recipe = msgspec.structs.replace(recipe, name=name)
    wrapped = (
        _awaited(function, recipe, recorder)
        if inspect.iscoroutinefunction(function)
        or inspect.iscoroutinefunction(getattr(type(function), "__call__", None))  # noqa: B004
        else _called(function, recipe, recorder)
    )
    setattr(wrapped, _MARK, True)
    return wrapped


def _called(function: Any, recipe: Recipe, recorder: Recorder) -> Any:
    @wraps(function)
    def recorded(*args: Any, **kwargs: Any) -> Any:
        attempt = None
        try:
            attempt = _begin(recorder, recipe, args, kwargs)
        except Exception:
            pass  # no stack is left, or no memory: what follows is the function's own, and so is its error
        try:
            value = function(*args, **kwargs)
        except BaseException as error:
            try:
                without_this_frame(error)
            except Exception:  # the same without a call
                kind = type(error)  # nothing of the user's is asked
                if kind is RecursionError or kind is MemoryError:
                    error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            try:
                recorder.failed(attempt, error)
            except Exception:
                pass
            raise
        try:
            recorder.ended(attempt)
        except Exception:
            pass
        return value

    return recorded


def _awaited(function: Any, recipe: Recipe, recorder: Recorder) -> Any:
    @wraps(function)
    async def recorded(*args: Any, **kwargs: Any) -> Any:
        attempt = None
        try:
            attempt = _begin(recorder, recipe, args, kwargs)
        except Exception:
            pass  # no stack is left, or no memory: what follows is the function's own, and so is its error
        try:
            value = await function(*args, **kwargs)
        except BaseException as error:
            try:
                without_this_frame(error)
            except Exception:  # the same without a call
                kind = type(error)  # nothing of the user's is asked
                if kind is RecursionError or kind is MemoryError:
                    error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
            try:
                recorder.failed(attempt, error)
            except Exception:
                pass
            raise
        try:
            recorder.ended(attempt)
        except Exception:
            pass
        return value

    return recorded


def _begin(
    recorder: Recorder, recipe: Recipe, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Attempt | None:
    value = args[0] if recipe.kind == "event" and args else {"args": args, "kwargs": kwargs}
    data, lost = encoded_call(value)
    attempt = recorder.begin(recipe, data)
    if attempt is not None:
        attempt.event_lost = lost
    return attempt


def encoded_call(value: Any) -> tuple[bytes, str]:
    """What a function is called with, as JSON that gives the same again; or why there is none: a type. Never
    raises."""
    try:
        strange = _strange(value)
        return (b"", strange) if strange else (msgspec.json.encode(value), "")
    except Exception as error:
        return b"", type(error).__name__


def _strange(value: Any) -> str:
    """The first type in it that JSON would not give back; "" if there is none, or none among the first
    thousand values."""
    waiting = [value]
    for number, one in enumerate(waiting):
        kind = type(one)
        if kind in (list, tuple):
            waiting.extend(one)
        elif kind is dict:
            waiting.extend(one.keys())
            waiting.extend(one.values())
        elif kind not in _PLAIN:
            return kind.__name__
        if number >= _NODES:
            break
    return ""


def _is_handler(function: Any) -> bool:
    """Whether it is written as AWS Lambda has it: handler(event, context)."""
    import inspect

    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return False
    return names[:2] == ["event", "context"] and len(names) == 2
