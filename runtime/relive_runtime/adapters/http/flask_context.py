"""HTTP functions that use Flask: they run within an application of it, as under functions-framework.

Relive itself does not need Flask. If the function's dependencies have it, `jsonify`, `render_template`,
`stream_with_context`, `url_for` and `after_this_request` find the application and the request that they want.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from types import CoroutineType
from typing import Any, Final

from relive_base.wire.messages import HttpRequest

from relive_runtime.adapters.base import Attempt
from relive_runtime.adapters.http.function import (
    HttpAnswer,
    HttpCall,
    Sender,
    each_of,
    environ_of,
    take_headers,
)
from relive_runtime.adapters.results import BadResult, encode_result

__all__ = ["flask_caller"]

_NEEDED: Final = ("Flask", "request", "jsonify")


def flask_caller(handler: Callable[..., object], sender: Sender, name: str) -> HttpCall | None:
    """What calls `handler` with the request of Flask; None if the function does not have Flask."""
    flask = _flask()
    if flask is None:
        return None
    folder = _folder_of(handler)
    app = flask.Flask(
        name, root_path=folder, template_folder=os.path.join(folder, "templates"), static_folder=None
    )
    failed: list[BaseException] = []

    def dispatch(*_: object) -> object:
        """In place of Flask's own, which looks for a route."""
        request = flask.request._get_current_object()
        try:
            value = handler(request)
            if type(value) is CoroutineType:
                value = sender.awaited(value)
            return app.make_response(_for_flask(value, app, sender))
        except _answers() as error:
            sender.refused(error)
            raise  # abort(404) and the like
        except BaseException as error:
            failed.append(error)  # Flask would make an answer of it
            return ""

    app.dispatch_request = dispatch

    def call(request: HttpRequest, trace: tuple[str, str], attempt: Attempt) -> HttpAnswer:
        started: list[Any] = []
        parts = app.wsgi_app(environ_of(request, trace), lambda *head: started.append(head))
        if failed:
            _close(parts)
            raise failed.pop()
        status, headers = started[-1][:2]
        answer = HttpAnswer(b"", int(status.split(" ", 1)[0]), "")
        take_headers(answer, headers)
        answer.parts, answer.close = iter(parts), lambda: _close(parts)
        return sender.send(answer, attempt)

    return call


def _flask() -> Any:
    """The module, if it is there and is Flask."""
    try:
        from importlib.util import find_spec  # only HTTP functions need it

        if find_spec("flask") is None:
            return None
        module = importlib.import_module("flask")
    except Exception:  # it is broken: the function is told when it imports it itself
        return None
    return module if all(hasattr(module, name) for name in _NEEDED) else None


def _answers() -> type[BaseException]:
    from werkzeug.exceptions import HTTPException

    return HTTPException


def _folder_of(handler: Callable[..., object]) -> str:
    """Where the handler's module is: its templates are beside it."""
    module = sys.modules.get(getattr(handler, "__module__", ""))
    file = getattr(module, "__file__", None)
    return os.path.dirname(os.path.abspath(file)) if file else os.getcwd()


def _for_flask(value: object, app: Any, sender: Sender) -> object:
    """The value, if Flask can make an answer of it. Raises BadResult."""
    if value is None:
        raise BadResult("the handler returned None", hint="return text, a dict or a Response")
    if hasattr(value, "__anext__"):
        return each_of(value, sender.awaited)
    if isinstance(value, dict | list):
        try:
            return app.make_response(value)
        except (TypeError, ValueError, RecursionError) as error:
            encode_result(value)  # it says where
            hint = "return what Flask's jsonify takes"
            raise BadResult(f"the result is not JSON: {error}", hint=hint) from None
    return value


def _close(parts: Any) -> None:
    close = getattr(parts, "close", None)
    if close is not None:
        close()
