"""HTTP functions that use Flask."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import pytest
from worker_harness import ZygoteHandle, zygote

CODE = """
import flask
from flask import (abort, after_this_request, current_app, jsonify, render_template, render_template_string,
                   request as current, stream_with_context, url_for)

def handler(request):
    what = request.args["what"]
    if what == "json":
        return jsonify({"name": request.args.get("name", "you")}), 201
    if what == "template":
        return render_template("hello.html", name="<b>")
    if what == "context":
        return {"same": request is current._get_current_object(), "path": request.path,
                "root": request.root_path, "type": type(request).__module__, "app": current_app.name,
                "json": request.get_json(silent=True)}
    if what == "stream":
        @stream_with_context
        def parts():
            yield "a"
            yield current.args["name"]
        return parts()
    if what == "hook":
        @after_this_request
        def add(response):
            response.headers["x-hook"] = "yes"
            return response
        return "ok", 202, {"x-own": "1"}
    if what == "abort":
        abort(404)
    if what == "none":
        return None
    if what == "set":
        return {"tags": {1}}
    if what == "fails":
        raise KeyError("country")
    if what == "empty":
        return "", 204
"""
PACKAGES = ("flask", "werkzeug", "jinja2", "markupsafe", "itsdangerous", "click", "blinker")


@pytest.fixture(scope="module")
def with_flask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZygoteHandle]:
    """A zygote whose dependencies are Flask and what it needs."""
    deps = tmp_path_factory.mktemp("deps")
    for name in PACKAGES:
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or ()} - {"..", "bin"}:
            source = Path(str(found.locate_file(top)))
            (shutil.copytree if source.is_dir() else shutil.copy)(source, deps / top)
    with zygote(tmp_path_factory.mktemp("home"), deps_dir=str(deps)) as running:
        yield running


def test_what_flask_offers_works_as_under_functions_framework(with_flask: ZygoteHandle) -> None:
    # Given a function that uses Flask
    worker = with_flask.unloaded(CODE, kind="http")
    templates = Path(worker.spec.source) / "templates"
    templates.mkdir()
    (templates / "hello.html").write_text("Hello {{ name }}")
    worker.start()

    def ask(what: str, query: str = "", **more: object) -> tuple[int, bytes, str, dict[str, str]]:
        result = worker.request("GET", "//a b/", query=f"what={what}{query}", mount="/fn/f", **more).result
        return result.http_status, result.body, result.content_type, dict(result.headers)

    # I expect its helpers to find the application and the request
    assert ask("json", "&name=me")[:2] == (201, b'{"name":"me"}\n')
    assert ask("template")[1] == b"Hello &lt;b&gt;"
    assert ask("stream", "&name=b")[1] == b"ab"
    assert ask("hook")[0] == 202
    assert ask("hook")[3] == {"x-own": "1", "x-hook": "yes"}
    assert ask("abort")[0] == 404
    assert ask("empty")[:2] == (204, b"")
    context = worker.request(
        "POST",
        "//a b/",
        query="what=context",
        mount="/fn/f",
        body=b"[1]",
        headers=[("content-type", "application/json")],
    ).value
    assert context["same"]
    assert context["path"].strip("/") == "a b"
    assert (context["root"], context["type"], context["json"]) == ("/fn/f", "flask.wrappers", [1])


@pytest.mark.parametrize(
    ("what", "error", "says"),
    [
        ("fails", "KeyError", "country"),
        ("none", "BadResult", "None"),
        ("set", "BadResult", 'result["tags"]: set'),
    ],
)
def test_what_fails_fails_as_without_flask(
    with_flask: ZygoteHandle, what: str, error: str, says: str
) -> None:
    worker = with_flask.worker(CODE, kind="http")

    outcome = worker.request("GET", "/", query=f"what={what}")

    assert outcome.result.error is not None
    assert outcome.result.error.type == error
    assert says in outcome.result.error.message
    assert outcome.scene is not None
    if error == "KeyError":
        assert outcome.result.error.function == "handler"
        assert "flask" not in outcome.result.error.traceback.replace("flask_context", "")


def test_a_module_of_the_functions_own_called_flask_is_not_flask(running: ZygoteHandle) -> None:
    worker = running.unloaded("import flask\ndef handler(request):\n    return flask.NAME", kind="http")
    (Path(worker.spec.source) / "flask.py").write_text("NAME = 'mine'")
    worker.start()

    assert worker.request("GET", "/").result.body == b"mine"


APP = """
import flask
from werkzeug.wrappers import Response

app = flask.Flask("shop")

@app.errorhandler(Exception)
def sorry(error):
    return "sorry", 500

@app.get("/price")
def price():
    order = {"sku": 7}
    return str(order["price"])

@app.get("/busy/<int:number>")
def busy(number):
    return "busy", 503

@app.get("/full/<int:number>")
def full(number):
    return "busy", 503

def handler(request):
    return Response.from_app(app, request.environ)
"""


def test_an_error_handler_of_the_application_does_not_hide_the_exception(with_flask: ZygoteHandle) -> None:
    # Given a Flask application that answers for all of its exceptions itself, without logging them
    worker = with_flask.worker(APP, kind="http")
    # When one of its answers has no exception, and the next one has
    bare = worker.request("GET", "/busy/1").result
    worker.request("GET", "/full/1")
    outcome = worker.request("GET", "/price")
    # Then that is the failure, with its frames
    result, scene = outcome.result, outcome.scene
    assert (result.status, result.http_status, result.body) == ("error", 500, b"sorry")
    assert result.error is not None
    assert (result.error.type, result.error.kind, result.error.function) == ("KeyError", "exception", "price")
    assert scene is not None
    assert b'"order"' in scene.members["exception.json"]
    assert b"framework_errors" not in scene.members["exception.json"]
    assert bare.error is not None
    assert bare.error.kind == "response"


def test_answers_without_an_exception_are_one_failure_for_each_route(with_flask: ZygoteHandle) -> None:
    worker = with_flask.worker(APP, kind="http")

    errors = [worker.request("GET", path).result.error for path in ("/busy/1", "/busy/22", "/full/1")]

    first, same, other = [error.fingerprint for error in errors if error is not None]
    assert first == same
    assert first != other
