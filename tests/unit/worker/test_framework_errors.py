"""Frameworks that are loaded tell of the exception behind their 500."""

from __future__ import annotations

import sys
import types
from typing import Any

import flask
import pytest
from relive_runtime.adapters.http.framework_errors import FrameworkErrors
from werkzeug.test import Client


def test_flask_signals_what_it_answers_with_500() -> None:
    # Given a Flask application whose logger is silent
    app = flask.Flask("shop")
    app.logger.disabled = True

    @app.get("/")
    def fail() -> str:
        return {}["sku"]  # type: ignore[no-any-return]

    heard: list[BaseException] = []
    errors = FrameworkErrors(lambda error, rank: heard.append(error))
    errors.watch()
    errors.watch()
    # When it fails
    try:
        assert Client(app).get("/").status_code == 500
    finally:
        errors.close()
    # Then the exception is known, and no other, with its frames
    assert {type(error) for error in heard} == {KeyError}
    assert heard[0].__traceback__ is not None


def test_django_sends_while_the_exception_is_handled(monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a module with the signal that Django has (which the tests do not install)
    module: Any = types.ModuleType("django.core.signals")
    receivers: list[Any] = []
    module.got_request_exception = types.SimpleNamespace(
        connect=lambda receiver, weak: receivers.append(receiver), disconnect=receivers.remove
    )
    monkeypatch.setitem(sys.modules, "django.core.signals", module)
    heard: list[BaseException] = []
    errors = FrameworkErrors(lambda error, rank: heard.append(error))
    errors.watch()
    # When it is sent
    error = ValueError("x")
    try:
        raise error
    except ValueError:
        receivers[0](sender=object, request=object())
    receivers[0](sender=object)
    # Then the exception at hand was heard
    assert heard == [error]
    # Then it can be left again
    errors.close()
    assert receivers == []


def test_a_module_that_is_only_called_so_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "quart.signals", types.ModuleType("quart.signals"))

    FrameworkErrors(lambda error, rank: None).watch()
