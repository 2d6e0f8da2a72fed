"""Messages are what the traceback module prints; code of the user's that makes them is asked last, and
guarded."""

from __future__ import annotations

import asyncio
import concurrent.futures
import configparser
import datetime
import decimal
import email.errors
import http.client
import json
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import traceback
import urllib.error
import xml.etree.ElementTree
import zipfile
from collections.abc import Callable
from types import ModuleType
from typing import Any

import hostile
import httpx
import jinja2
import msgspec
import pydantic
import pytest
import werkzeug.exceptions
from conftest import caught
from relive_base.wire.messages import FunctionSpec, Scene
from relive_capture.model import ExceptionView
from relive_capture.record import Budget, capture_exception, error_info
from relive_capture.record.exceptions.suggestions import suggestion
from relive_capture.record.guard import Guard, TimeIsUp

Capture = Callable[..., Scene]
Views = Callable[[Scene], list[ExceptionView]]
Load = Callable[..., ModuleType]


class ApiError(Exception):
    """An own `__init__`, so that `args` is empty."""

    def __init__(self, *, status: int, body: str) -> None:
        self.status, self.body = status, body

    def __str__(self) -> str:
        return f"API answered {self.status}: {self.body}"


class Text(str):
    """Exceptions may have such texts, too."""

    __slots__ = ()


class Numbered:
    def __repr__(self) -> str:
        return "<number 17>"


def _raise(error: BaseException) -> None:
    raise error


def _request() -> httpx.Request:
    return httpx.Request("GET", "https://api.example.org/orders?page=2")


RAISED: dict[str, Callable[[], object]] = {
    "own": lambda: _raise(ApiError(status=409, body="already shipped")),
    "process": lambda: subprocess.run(["sh", "-c", "exit 3"], check=True, capture_output=True),
    "killed": lambda: subprocess.run(["sh", "-c", "kill -9 $$"], check=True),
    "timeout": lambda: subprocess.run(["sleep", "9"], check=False, timeout=0.001),
    "url": lambda: _raise(urllib.error.URLError(ConnectionRefusedError(111, "Connection refused"))),
    "http": lambda: _raise(urllib.error.HTTPError("http://x/", 404, "Not Found", None, None)),  # type: ignore[arg-type]
    "decode": lambda: b"caf\xe9".decode(),
    "decode range": lambda: _raise(UnicodeDecodeError("utf-8", b"abcdef", 1, 4, "bad")),
    "encode": lambda: "\udce9".encode(),
    "json": lambda: json.loads('{"a": }'),
    "key": lambda: {}["a"],
    "key of a tuple": lambda: {}["a", 1],
    "no key": lambda: _raise(KeyError()),
    "two args": lambda: _raise(ValueError("a", 1)),
    "object": lambda: _raise(ValueError(Numbered())),
    "dict": lambda: _raise(ValueError({"a": [1, {"b": 2}]})),
    "text of its own": lambda: _raise(ValueError(Text("text"))),
    "error in an error": lambda: _raise(RuntimeError(KeyError("a"))),
    "file": lambda: open("/nowhere/at/all"),  # noqa: SIM115
    "two files": lambda: shutil.move("/nowhere/a", "/nowhere/b"),
    "two files of os": lambda: _raise(FileNotFoundError(2, "No such file", "/a", None, "/b")),
    "shutil": lambda: _raise(shutil.Error([("a", "b", "why")])),
    "socket": lambda: __import__("socket").create_connection(("127.0.0.1", 1), 1),
    "import": lambda: __import__("nowhere_at_all"),
    "stop": lambda: next(iter(())),
    "exit": lambda: sys.exit(3),
    "group": lambda: _raise(BaseExceptionGroup("bad", [ValueError(1), KeyError("a")])),
    "one in a group": lambda: _raise(ExceptionGroup("bad", [ValueError(1)])),
    "xml": lambda: xml.etree.ElementTree.fromstring("<a>"),
    "sqlite": lambda: sqlite3.connect(":memory:").execute("SELECT * FROM nowhere"),
    "zip": lambda: zipfile.ZipFile(__file__),
    "config": lambda: configparser.ConfigParser().get("a", "b"),
    "config syntax": lambda: configparser.ConfigParser().read_string("x"),
    "decimal": lambda: decimal.Decimal("x"),
    "incomplete": lambda: _raise(asyncio.IncompleteReadError(b"ab", 5)),
    "http client": lambda: _raise(http.client.IncompleteRead(b"ab", 5)),
    "bad status": lambda: _raise(http.client.BadStatusLine("")),
    "email": lambda: _raise(email.errors.HeaderParseError("x")),
    "future": lambda: concurrent.futures.Future[int]().result(timeout=0),
    "pydantic": lambda: Order.model_validate({"sku": "Z1", "count": "many"}),
    "httpx": lambda: httpx.Response(503, request=_request(), text="busy").raise_for_status(),
    "jinja": lambda: jinja2.Template("{% if %}"),
    "jinja undefined": lambda: jinja2.Template("{{ a.b }}").render(),
    "werkzeug": lambda: _raise(werkzeug.exceptions.NotFound()),
    "int": lambda: int("x" * 50),
    "long int": lambda: _raise(ValueError(10**5000)),
    "no text": lambda: _raise(hostile.HostileError("x")),
    "not a text": lambda: _raise(type("Odd", (Exception,), {"__str__": lambda self: 7})()),
}


class Order(pydantic.BaseModel):
    sku: str
    count: int


@pytest.mark.parametrize("name", RAISED)
def test_the_message_is_what_the_traceback_module_prints(
    name: str, capture: Capture, views: Views, spec: FunctionSpec
) -> None:
    # Given an exception of the standard library, of a common one, or with an own __str__
    error = caught(RAISED[name])
    # When it is captured
    scene = capture_exception(error, kind="exception", spec=spec, invocation_id="i")
    # Then scene, short form and traceback read as Python's
    printed = "".join(traceback.format_exception_only(type(error), error)).rstrip("\n")
    view = views(scene)[0]
    kind = view.type if view.module in ("builtins", "__main__") else f"{view.module}.{view.type}"
    printed = printed.encode("utf-8", "backslashreplace").decode()
    assert (f"{kind}: {view.message}" if view.message else kind) == printed
    assert (scene.error.type, scene.error.message) == (kind, view.message)
    assert scene.error.traceback.rstrip("\n").endswith(printed) or view.group
    assert error_info(error, kind="exception", spec=spec).message == view.message


def test_messages_are_bounded_and_redacted(spec: FunctionSpec) -> None:
    def message(error: BaseException) -> str:
        return error_info(error, kind="exception", spec=spec).message

    assert message(ValueError("password=hunter2")) == "password=[redacted]"
    assert message(ValueError("x" * 100_000)) == "x" * 2_000
    assert message(KeyError("x" * 1_000_000)).startswith("'xxx")
    assert message(ValueError([0] * 10_000_000)) == "<list of 10000000>"
    assert message(ValueError("caf\udce9")) == "caf\\udce9"


def test_notes_are_what_python_prints(spec: FunctionSpec, views: Views) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError

    for notes in (["one", "two"], ("one", 2), ["one", Broken()], 17, ["lone \udce9"]):
        error = ValueError("x")
        error.__notes__ = notes  # type: ignore[assignment]
        scene = capture_exception(error, kind="exception", spec=spec, invocation_id="i")
        printed = "".join(traceback.format_exception_only(ValueError, error)).splitlines()[1:]
        assert views(scene)[0].notes == [line.replace("\udce9", "\\udce9") for line in printed]


# ---------------------------------------------------------------- syntax


SYNTAX = {
    "call": "def f(:\n    pass\n",
    "indentation": "def f():\npass\n",
    "tabs": "if 1:\n        a = 1\n\tb = 2\n",
    "range": "x = 1\ny = (a for a in b, c)\n",
    "unicode": 'text = "größe" name\n',
    "not closed": "x = [1,\n",
}


@pytest.mark.parametrize("name", SYNTAX)
def test_a_syntax_error_has_its_place(name: str, spec: FunctionSpec, views: Views) -> None:
    # Given a module that Python cannot compile
    error = caught(lambda: compile(SYNTAX[name], "plugin.py", "exec"))
    # When the failure is captured
    scene = capture_exception(error, kind="init", spec=spec, invocation_id="i")
    # Then file, line, text and caret are there as Python prints them
    printed = "".join(traceback.format_exception_only(type(error), error)).rstrip("\n")
    view = views(scene)[0]
    assert "\n".join([*view.place, f"{view.type}: {view.message}"]) == printed
    assert scene.error.traceback.rstrip("\n").endswith(printed)
    assert (scene.error.file, scene.error.line) == ("plugin.py", error.lineno)  # type: ignore[attr-defined]


def test_a_syntax_error_with_odd_fields(spec: FunctionSpec) -> None:
    for details in (
        (None, None, None, None),
        ("f.py", None, None, None),
        ("f.py", 3, 99, "x = 1", 3, -5),
        ("f.py", 3, 1, "x" * 100_000),
        ("f\udce9.py", 3, 1, "\udce9"),
    ):
        error = SyntaxError("odd", details)
        info = capture_exception(error, kind="init", spec=spec, invocation_id="i").error
        printed = traceback.format_exception_only(SyntaxError, error)[-1].rstrip("\n")
        assert f"SyntaxError: {info.message}" == printed.replace("\udce9", "\\udce9")


# ---------------------------------------------------------------- did you mean


class Shop:
    def __init__(self) -> None:
        self.basket: list[int] = []

    def total(self) -> int:
        return sum(self.baskets)  # type: ignore[attr-defined]


def _misspelt() -> int:
    customer = 1
    assert customer
    return custumer  # type: ignore[name-defined]  # noqa: F821


@pytest.mark.parametrize(
    ("fail", "says"),
    [
        (lambda: Shop().total(), "'Shop' object has no attribute 'baskets'. Did you mean: 'basket'?"),
        (lambda: [].appnd, "'list' object has no attribute 'appnd'. Did you mean: 'append'?"),
        (_misspelt, "name 'custumer' is not defined. Did you mean: 'customer'?"),
        (lambda: lenn("x"), "name 'lenn' is not defined. Did you mean: 'len'?"),  # type: ignore[name-defined]  # noqa: F821
        (lambda: zzzzzz, "name 'zzzzzz' is not defined"),  # type: ignore[name-defined]  # noqa: F821
        (lambda: [].zzzzzzzz, "'list' object has no attribute 'zzzzzzzz'"),
    ],
)
def test_what_python_suggests(fail: Callable[[], object], says: str, spec: FunctionSpec) -> None:
    assert error_info(caught(fail), kind="exception", spec=spec).message == says


def test_pythons_own_suggestions_from_3_12_on(spec: FunctionSpec) -> None:
    def wanted() -> object:
        from json import lods  # type: ignore[attr-defined]

        return lods

    for fail in (wanted, lambda: ZipFile, lambda: bisect.x):  # type: ignore[name-defined]  # noqa: F821
        error: Any = caught(fail)
        shown = traceback.TracebackException(type(error), error, error.__traceback__)
        printed = "".join(shown.format_exception_only()).rstrip("\n")
        message = error_info(error, kind="exception", spec=spec).message
        if sys.version_info >= (3, 12):
            assert f"{type(error).__name__}: {message}" == printed
        else:  # the traceback module of 3.11 adds nothing, Python itself does
            assert f"{type(error).__name__}: {message}".startswith(printed)


def test_suggestions_of_names_that_are_alike() -> None:
    class Fields:
        def __dir__(self) -> list[str]:
            return ["Colour", "colours", "x" * 60]

    for name, found in (("color", "Colour"), ("colour", "Colour"), ("colours", ""), ("y" * 60, "")):
        error = AttributeError("no", name=name, obj=Fields())
        expected = f". Did you mean: '{found}'?" if found else ""
        if name == "colours":  # it is there: its property has failed
            assert "'colours'" not in suggestion(error)
        else:
            assert suggestion(error) in (expected, ". Did you mean: 'colours'?")


# ---------------------------------------------------------------- guarded


class Endless(Exception):
    def __str__(self) -> str:
        while True:
            pass


class Sleeping(Exception):
    def __str__(self) -> str:
        time.sleep(60)
        return "late"


class Stubborn(Exception):
    """Swallows the first interruptions."""

    def __str__(self) -> str:
        for _ in range(3):
            try:
                time.sleep(60)
            except BaseException:
                continue
        time.sleep(60)
        return "late"


class Huge(Exception):
    def __str__(self) -> str:
        return "x" * 1_000_000


QUICK = Budget(text_ns=30_000_000)


class SlowRepr:
    def __repr__(self) -> str:
        time.sleep(5)
        return "late"


SLOW_ARGS = [(1, 2, 3, 4, 5, 6, 7, 8, SlowRepr()), ((1, [SlowRepr()]), 2), ({"a": {"b": SlowRepr()}}, 2)]


@pytest.mark.parametrize("args", SLOW_ARGS, ids=["ninth", "in a tuple", "in a dict"])
def test_a_slow_repr_of_an_argument_is_not_waited_for(
    args: tuple[object, ...], spec: FunctionSpec, views: Views
) -> None:
    # Given an exception of a built-in class, whose text asks an argument anywhere in it
    error = caught(lambda: _raise(ValueError(*args)))
    # When it is captured
    scene = capture_exception(error, kind="exception", spec=spec, invocation_id="i", budget=QUICK)
    # Then its time is up
    assert views(scene)[0].details == [("message", "str() took too long: the message is made of its args")]


PLAIN_ARGS = [
    ("sku", decimal.Decimal("9.50"), 3),
    (datetime.date(2026, 11, 29), datetime.timedelta(hours=2)),
    ([1, {"a": (None, b"x", 1.5)}], True),
]


@pytest.mark.parametrize("args", PLAIN_ARGS)
def test_arguments_of_c_types_need_no_watch(
    args: tuple[object, ...], spec: FunctionSpec, views: Views
) -> None:
    # Given no time at all for the user's code
    error = caught(lambda: _raise(ValueError(*args)))
    scene = capture_exception(error, kind="exception", spec=spec, invocation_id="i", budget=Budget(text_ns=0))
    # Then what C code makes of the arguments is there all the same
    assert views(scene)[0].message == str(error)
    assert views(scene)[0].details == []


@pytest.mark.parametrize("kind", [Endless, Sleeping, Stubborn])
def test_a_text_that_does_not_come_is_made_of_the_args(
    kind: type[Exception], spec: FunctionSpec, views: Views
) -> None:
    # Given an exception whose __str__ does not end
    error = caught(lambda: _raise(kind("order", 17)))
    # When it is captured
    scene = capture_exception(error, kind="exception", spec=spec, invocation_id="i", budget=QUICK)
    # Then there is a message, with a word on why it is not Python's, and the scene is whole
    view = views(scene)[0]
    assert view.message == "('order', 17)"
    assert view.details == [("message", "str() took too long: the message is made of its args")]
    assert scene.parts["exception"].state == "ok"


def test_the_guard_holds_in_threads_too(spec: FunctionSpec, views: Views) -> None:
    # Given a thread whose exception has an endless __str__
    scenes: list[Scene] = []

    def work() -> None:
        error = caught(lambda: _raise(Endless("order")))
        scenes.append(capture_exception(error, kind="background", spec=spec, invocation_id="i", budget=QUICK))
        for _ in range(1_000):  # nothing is raised here any more
            time.sleep(0)

    capture_exception(ValueError("x"), kind="exception", spec=spec, invocation_id="i")
    Guard(10**11).call(str, "installs the signal's handler on the main thread")
    thread = threading.Thread(target=work)
    # When it is captured there, while the main thread waits
    thread.start()
    thread.join()
    # Then it ends
    assert views(scenes[0])[0].message == "order"


def test_a_guard_that_is_used_up_calls_nothing() -> None:
    guard = Guard(20_000_000)
    called: list[int] = []
    with pytest.raises(TimeIsUp):
        guard.call(time.sleep, 60)
    with pytest.raises(TimeIsUp):
        guard.call(called.append, 1)
    assert called == []


def test_texts_that_fail_or_are_huge(spec: FunctionSpec, views: Views) -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            return str(self.nowhere)  # type: ignore[attr-defined]

    scene = capture_exception(Broken(1), kind="exception", spec=spec, invocation_id="i")
    view = views(scene)[0]
    assert view.message == "<exception str() failed>"
    assert "'Broken' object has no attribute 'nowhere'" in dict(view.details)["message"]
    assert error_info(Huge(), kind="exception", spec=spec).message == "x" * 2_000


def test_the_locals_are_known_before_the_exception_is_asked(spec: FunctionSpec, views: Views) -> None:
    # Given an exception whose __str__ changes what the frames hold
    class Meddling(Exception):
        def __str__(self) -> str:
            basket.clear()
            return "cleared"

    basket = [1, 2, 3]

    def fail(held: list[int]) -> None:
        raise Meddling

    # When it is captured
    scene = capture_exception(caught(fail, basket), kind="exception", spec=spec, invocation_id="i")
    # Then the locals are those of the failure
    view = views(scene)[0]
    assert view.message == "cleared"
    assert dict(view.frames[-1].locals)["held"].text == "[1, 2, 3]"


# ---------------------------------------------------------------- details


def details(error: BaseException, spec: FunctionSpec) -> dict[str, str]:
    scene = capture_exception(error, kind="exception", spec=spec, invocation_id="i")
    view = msgspec.json.decode(scene.members["exception.json"], type=list[ExceptionView])[0]
    return dict(view.details)


def test_a_process_tells_its_status_and_its_stderr(spec: FunctionSpec) -> None:
    command = ["sh", "-c", "echo token=abc123secret4; echo bad header >&2; exit 3"]
    found = details(caught(lambda: subprocess.run(command, check=True, capture_output=True, text=True)), spec)
    assert (found["exit status"], found["stderr"]) == ("3", "bad header")
    assert found["stdout"] == "token=[redacted]"
    killed = details(caught(lambda: subprocess.run(["sh", "-c", "kill -9 $$"], check=True)), spec)
    assert killed["exit status"] == "-9 (SIGKILL)"
    long = details(subprocess.CalledProcessError(1, "x", stderr=b"a" * 9_000 + b"the end"), spec)
    assert long["stderr"].startswith("…")
    assert long["stderr"].endswith("the end")


def test_a_validation_error_tells_its_fields_and_hides_secret_ones(spec: FunctionSpec) -> None:
    class Login(pydantic.BaseModel):
        user: str
        password: str = pydantic.Field(min_length=20)
        ports: list[int]

    error = caught(lambda: Login.model_validate({"password": "hunter2hunter2", "ports": [1, "x"]}))
    scene = capture_exception(error, kind="exception", spec=spec, invocation_id="i")
    found = details(error, spec)
    assert found["user"].startswith("Field required [missing], got ")
    assert found["ports[1]"].endswith("[int_parsing], got 'x'")
    assert found["password"].endswith("[string_too_short], got [redacted]")
    assert "input_value=[redacted]" in scene.error.message
    assert "hunter2" not in str(scene.error) + str(found)


def test_an_http_error_tells_status_and_body(spec: FunctionSpec) -> None:
    response = httpx.Response(503, request=_request(), json={"error": "busy", "api_key": "abc123secret4"})
    found = details(caught(response.raise_for_status), spec)
    assert found["request"] == "GET https://api.example.org/orders?page=2"
    assert found["status"] == "503 Service Unavailable"
    assert found["body"] == '{"error":"busy","api_key":"[redacted]"}'


def test_what_looks_like_botocore_and_sqlalchemy_tells_code_and_sql(spec: FunctionSpec) -> None:
    # Given exceptions with the fields of these libraries' (which the tests do not install)
    client: Any = type("ClientError", (Exception,), {"__module__": "botocore.exceptions"})("x")
    client.operation_name = "GetObject"
    client.response = {
        "Error": {"Code": "NoSuchKey", "Message": "gone", "Key": "a.csv"},
        "ResponseMetadata": {"HTTPStatusCode": 404, "RequestId": "R1"},
    }
    statement = "INSERT INTO users (name, password) VALUES (?, ?)"
    text = f"no such table\n[SQL: {statement}]\n[parameters: ('bob', 'hunter2')]"
    database: Any = type("StatementError", (Exception,), {"__module__": "sqlalchemy.exc"})(text)
    database.statement, database.params = statement, ("bob", "hunter2")
    database.orig = caught(lambda: sqlite3.connect(":memory:").execute("SELECT * FROM users"))
    # When they are captured
    found = details(client, spec)
    assert (found["operation"], found["code"], found["status"]) == ("GetObject", "NoSuchKey", "404")
    assert found["error"] == "{'Message': 'gone', 'Key': 'a.csv'}"
    found = details(database, spec)
    assert found["SQL"] == statement
    assert found["parameters"] == "{'name': 'bob', 'password': '[redacted]'}"
    assert found["code"] == "SQLITE_ERROR"
    # Then the message hides what the statement names as a secret, too
    message = error_info(database, kind="exception", spec=spec).message
    assert message.endswith("[parameters: ('bob', [redacted])]")


def test_values_that_are_switched_off_are_in_no_detail(spec: FunctionSpec) -> None:
    quiet = msgspec.structs.replace(spec, capture="off")
    assert details(subprocess.CalledProcessError(1, "x", stderr="Jane Roe"), quiet) == {}


def test_a_place_in_a_text(spec: FunctionSpec) -> None:
    found = details(caught(lambda: json.loads('{"rows": [1, 2, nope]}')), spec)
    assert found["text there"] == "'{\"rows\": [1, 2, nope]}'"
    found = details(caught(lambda: b"caf\xe9 au lait".decode()), spec)
    assert (found["at"], found["text there"]) == ("position 3 of 12", "b'caf\\xe9 au lait'")
