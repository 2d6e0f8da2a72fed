"""relive.toml: what is right is read, what is wrong is named with file, line and hint."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from relive_platform.registry.application import (
    ConfigError,
    FunctionDefaults,
    from_folder,
    load,
)
from relive_platform.triggers.http.config import CorsConfig, HttpTrigger
from relive_platform.triggers.queue.config import QueueTrigger
from relive_platform.triggers.timer.config import TimerTrigger

GOOD = """\
[app]
name = "shop"
redact = ["iban"]

[functions.checkout]
source = "fn"
handler = "cart:handler"
kind = "event"
timeout_s = 2
memory_mb = 128
environment = { STAGE = "dev" }
dependencies = ["six"]

[[functions.checkout.triggers]]
type = "http"
path = "/checkout/{id}"
methods = ["post", "PUT"]

[[functions.checkout.triggers]]
type = "timer"
schedule = "rate(5 minutes)"
misfire = "once"

[[functions.checkout.triggers]]
type = "queue"
queue = "orders"
"""


def test_a_whole_application_is_read(write) -> None:
    root = write(GOOD)

    application = load(root, FunctionDefaults(retries=7, redact_keys=("pin",)))

    checkout = application.functions["checkout"]
    assert application.name == "shop"
    assert checkout.handler == "cart:handler"
    assert checkout.source == str(root / "fn")
    assert (checkout.timeout_s, checkout.memory_mb, checkout.retries) == (2, 128, 7)
    assert checkout.environment == {"STAGE": "dev"}
    assert checkout.redact_keys == ("pin", "iban")
    assert checkout.triggers == (
        HttpTrigger(path="/checkout/{id}", methods=("POST", "PUT")),
        TimerTrigger(schedule="rate(5 minutes)", misfire="once"),
        QueueTrigger(queue="orders"),
    )


def test_who_may_call_is_read(write) -> None:
    root = write(
        HEAD + "public = true\nerror_details = false\n"
        '[functions.f.cors]\norigins = ["https://*.shop.example"]\nmethods = ["post"]\nmax_age_s = 5\n'
        '[[functions.f.triggers]]\ntype = "http"\npath = "/x"\npayload = "1.0"\n'
    )

    found = load(root).functions["f"]

    assert (found.public, found.error_details) == (True, False)
    assert found.cors == CorsConfig(origins=("https://*.shop.example",), methods=("POST",), max_age_s=5)
    assert found.triggers == (HttpTrigger(path="/x", payload="1.0"),)


HEAD = '[functions.f]\nsource = "fn"\nhandler = "cart:handler"\n'
TRIGGER = f"{HEAD}[[functions.f.triggers]]\n"
CORS = f"{HEAD}[functions.f.cors]\n"


@pytest.mark.parametrize(
    ("manifest", "line", "says", "hint"),
    [
        (HEAD + "timout_s = 3", 4, "no key 'timout_s'", "did you mean timeout_s?"),
        (HEAD + "zzz = 3", 4, "no key 'zzz'", "the keys are"),
        (HEAD + '\ntimeout_s = "3"', 5, "timeout_s is a text", "a number"),
        (HEAD + "memory_mb = 1.5", 4, "memory_mb is a number", "a whole number"),
        (HEAD + "memory_mb = true", 4, "memory_mb is a boolean", "a whole number"),
        (HEAD + '[functions.last]\nhandler = "a:b"', 4, "cannot be called last", "the newest"),
        (HEAD + "memory_mb = 1", 4, "out of range", "from 16"),
        (HEAD + "timeout_s = nan", 4, "out of range", "from 0.01"),
        (HEAD + "timeout_s = inf", 4, "out of range", "from 0.01"),
        (HEAD + 'kind = "daemon"', 4, "not known", "event, http, service"),
        (HEAD + 'app = "cart:app"', 4, "app is for services", 'kind = "service"'),
        (HEAD + "capacity = 5", 4, "capacity is for services", 'kind = "service"'),
        (HEAD + 'kind = "service"\napp = "cart:app"', 3, "both name the application", "leave handler out"),
        ('[functions.f]\nsource = "fn"\nkind = "service"', 1, "the service has no app", "add app"),
        ('[functions.f]\nsource = "fn"', 1, "the function has no handler", "add handler"),
        (HEAD + "environment = { A = 1 }", 4, "(A is a whole number)", "table of texts"),
        (HEAD + 'environment = { "A B" = "1" }', 4, "cannot be an environment variable", "A-Z"),
        (HEAD + "[function.g]\n", 4, "no key 'function'", "did you mean functions?"),
        (HEAD + "[app]\nnaem = 'x'\n", 5, "no key 'naem'", "did you mean name?"),
        (HEAD + "[app]\nname = 'a b'\n", 5, "'a b' is not allowed", "a-z"),
        (
            '[functions."../x"]\nsource = "fn"\nhandler = "cart:handler"',
            1,
            "'../x' is not allowed",
            "1 to 64",
        ),
        ('[functions.f]\nsource = "fn"', 1, "has no handler", "add handler"),
        ("[functions]\nf = 3", 2, "not a table", "write [functions.f]"),
        ("[app]\nname = 'x'", 0, "has no functions", "add functions"),
        ("[functions]\n", 1, "has 0 functions", "write 1 to"),
        ('[functions.f]\nsource = "fnn"\nhandler = "cart:handler"', 2, "does not exist", "did you mean fn?"),
        ('[functions.f]\nsource = "../.."\nhandler = "cart:handler"', 2, "outside", "inside it"),
        ('[functions.f]\nsource = "/etc"\nhandler = "cart:handler"', 2, "outside", "inside it"),
        ('[functions.f]\nsource = "fn"\nhandler = "cart"', 3, "not module:attribute", "cart:handler"),
        (
            '[functions.f]\nsource = "fn"\nhandler = "art:handler"',
            3,
            "'art' is not in",
            "did you mean cart:handler?",
        ),
        ('[functions.f]\nsource = "fn"\nhandler = "cart:handlr"', 3, "no 'handlr'", "did you mean handler?"),
        (TRIGGER + 'type = "htp"\npath = "/x"', 5, "'htp' is not known", "did you mean http?"),
        (TRIGGER + 'path = "/x"', 4, "has no type", "use one of"),
        (TRIGGER + 'type = "http"', 4, "has no path", "add path"),
        (TRIGGER + 'type = "http"\npath = "x y"', 6, "not allowed", "/orders"),
        (TRIGGER + 'type = "http"\npath = "/fn/x"', 6, "own URLs", "another path"),
        (TRIGGER + 'type = "http"\npath = "/x"\nmethods = ["GTE"]', 7, "'GTE' is not known", "GET"),
        (TRIGGER + 'type = "timer"\nschedule = "cron(61 * * * *)"', 6, "Bad minute", "cron(*/5"),
        (TRIGGER + 'type = "timer"\nschedule = "rate(1 day)"\ntime_zone = "X"', 7, "time zone", "Berlin"),
        (TRIGGER + 'type = "timer"\nschedule = "rate(1 day)"\npayload = "{"', 7, "not JSON", "JSON"),
        (TRIGGER + 'type = "queue"\nqueue = "a/b"', 6, "not allowed", "1 to 64"),
        (HEAD + "public = true", 4, "no http trigger", "add an http trigger"),
        (CORS + "origins = []", 5, "0 origins", "1 to 100"),
        (CORS + 'origins = ["shop.example"]', 5, "not a web origin", "https://shop.example"),
        (CORS + 'origins = ["*"]\nmethod = ["GET"]', 6, "no key 'method'", "did you mean methods?"),
        (CORS + 'origins = ["*"]\ncredentials = true', 6, "any web page", "name the origins"),
        (CORS + 'origins = ["*"]\nmethods = ["GTE"]', 6, "'GTE' is not known", "GET"),
        (CORS + 'origins = ["*"]\nheaders = ["a b"]', 6, "'a b' is not the name", "letters"),
        (CORS + 'origins = "*"', 5, "origins is a text", "a list of texts"),
        (HEAD + "cors = true", 4, "cors is a boolean", "a table"),
        (TRIGGER + 'type = "http"\npath = "/x"\npayload = "3"', 7, "payload = '3'", "1.0, 2.0"),
        (
            HEAD + 'kind = "http"\n[[functions.f.triggers]]\ntype = "http"\npath = "/x"\npayload = "1.0"',
            8,
            "an HTTP function",
            "leave payload out",
        ),
        ("[functions.f\n", 1, "not valid TOML", "correct the line"),
        ('a = 1\nb = "', 2, "not valid TOML", "correct the line"),
        (HEAD + "source = 1", 4, "not valid TOML", "correct the line"),
    ],
)
def test_what_is_wrong_is_named_with_line_and_hint(write, manifest, line, says, hint) -> None:
    root = write(manifest)

    with pytest.raises(ConfigError) as caught:
        load(root)

    problem = caught.value.problems[0]
    assert says in problem.message
    assert hint in problem.hint
    assert problem.line == line
    assert problem.file == str(root / "relive.toml")
    assert caught.value.exit_code == 2


def test_all_problems_are_told_at_once_in_the_order_of_the_file(write) -> None:
    root = write(HEAD + 'a = 1\nb = 2\n[functions.g]\nsource = "fn"\nhandler = "cart:nope"\n')

    with pytest.raises(ConfigError) as caught:
        load(root)

    assert [problem.line for problem in caught.value.problems] == [4, 5, 8]
    assert str(caught.value).count("hint:") == 3


def test_all_problems_reach_a_client_of_the_server(write) -> None:
    # Given a file with three problems, and one with more than an answer's headers can take
    with pytest.raises(ConfigError) as few:
        load(write(HEAD + "a = 1\nb = 2\nc = 3\n"))
    with pytest.raises(ConfigError) as many:
        load(write(HEAD + "".join(f"key{number} = 1\n" for number in range(200))))

    # When message, place and hint are all that is sent
    lines = [text.hint for text in (few.value, many.value)]

    # Then the rest is among them, as far as it fits
    assert "no key 'b'" in lines[0]
    assert "no key 'c'" in lines[0]
    assert len(lines[1]) < 5_000
    assert lines[1].endswith(" more")


def test_two_functions_cannot_have_the_same_queue(write) -> None:
    function = '[functions.{0}]\nsource = "fn"\nhandler = "cart:handler"\n'
    trigger = 'triggers = [{ type = "queue", queue = "jobs" }]\n'

    with pytest.raises(ConfigError, match="queue 'jobs' is already one of function 'a'"):
        load(write(function.format("a") + trigger + function.format("b") + trigger))


TWO_ROUTES = """\
[functions.a]
source = "fn"
handler = "cart:handler"
triggers = [{{ type = "http", path = "/x/{{id}}", methods = ["GET"] }}]
[functions.b]
source = "fn"
handler = "cart:handler"
[[functions.b.triggers]]
type = "http"
path = "/x/{{name}}/"
methods = {methods}
"""


def test_two_functions_cannot_have_the_same_route(write) -> None:
    with pytest.raises(ConfigError, match=r"GET /x/.* already a route of function 'a'") as caught:
        load(write(TWO_ROUTES.format(methods='["POST", "GET"]')))

    assert caught.value.problems[0].line == 10


def test_two_functions_may_share_a_path_with_different_methods(write) -> None:
    assert len(load(write(TWO_ROUTES.format(methods='["POST"]'))).functions) == 2


@pytest.mark.parametrize(
    ("handler", "code", "wrong"),
    [
        ("cart:handler", "def handler(e, c): ...", ""),
        ("cart.handler", "async def handler(e, c): ...", ""),
        ("cart:App.run", "class App:\n    run = print", ""),
        ("cart:handler", "from x import *", ""),
        ("cart:handler", "def __getattr__(name): ...", ""),
        ("cart:handler", "globals()['handler'] = print", ""),
        ("cart:handler", "globals().update(handler=print)", ""),
        ("cart:handler", "try:\n    from x import handler\nexcept ImportError:\n    handler = None", ""),
        ("cart:handler", "handler: object = make()", ""),
        ("cart:handler", "a, (handler, b) = make()", ""),
        ("cart:handler", "handler = 3\nhandler = print", ""),
        ("cart:handler", "with open('x') as f:\n    def handler(): ...", ""),
        ("cart:handler", "x = 1\nhandler = {'a': 1}", "cart.py:2: the handler 'handler' is not callable"),
        ("cart:handler", "def other(): ...", "has no 'handler'"),
        ("cart:handler", "def f():\n    handler = print", "has no 'handler'"),
        ("cart:handler", "x = 1\ndef handler(:", "cart.py:2: the handler's module is not valid Python"),
        ("cart:handler", "\0", "not valid Python"),
    ],
)
def test_a_handler_is_looked_for_without_running_it(write, handler: str, code: str, wrong: str) -> None:
    manifest = f'[functions.f]\nsource = "fn"\nhandler = "{handler}"\n'
    root = write(manifest, **{"fn/cart.py": code})
    if not wrong:
        assert load(root).functions["f"].handler == handler.replace("cart.", "cart:", 1)
        return
    with pytest.raises(ConfigError) as caught:
        load(root)
    assert wrong in str(caught.value)


def test_what_is_wrong_with_a_module_of_many_handlers_is_said_once(write) -> None:
    names = [f"f{number}" for number in range(25)]
    manifest = "".join(f'[functions.{name}]\nsource = "fn"\nhandler = "cart:{name}"\n' for name in names)
    with pytest.raises(ConfigError) as caught:
        load(write(manifest, **{"fn/cart.py": "x = 1\ndef f0(:"}))
    [problem] = caught.value.problems
    assert problem.line == 2
    assert problem.hint == f"correct the line; it concerns {', '.join(names[:8])} and 17 more"


def test_a_handler_may_lie_in_a_package_and_in_lambdas_notation(write) -> None:
    root = write(
        '[functions.f]\nsource = "fn"\nhandler = "shop/cart.handler"\n'
        '[functions.g]\nsource = "fn"\nhandler = "shop:handler"\n',
        **{"fn/shop/cart.py": "handler = print", "fn/shop/__init__.py": "from .cart import handler"},
    )

    functions = load(root).functions

    assert (functions["f"].handler, functions["g"].handler) == ("shop.cart:handler", "shop:handler")


def test_a_folder_without_a_manifest_needs_name_and_handler(write) -> None:
    folder = write("") / "fn"

    assert from_folder(folder, name="f", handler="cart.handler").functions["f"].handler == "cart:handler"
    for name, handler, says in (
        (None, "cart:handler", "--name"),
        ("f", None, "--handler"),
        ("f/g", "cart:handler", "not allowed"),
        ("f", "cart:nope", "no 'nope'"),
    ):
        with pytest.raises(ConfigError, match=says):
            from_folder(folder, name=name, handler=handler)


def test_a_file_that_cannot_be_read_is_named(tmp_path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load(tmp_path)
    (tmp_path / "relive.toml").write_bytes(b"[app]\nname = '\xff'")
    with pytest.raises(ConfigError, match=r"toml:2: it is not UTF-8"):
        load(tmp_path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(text=st.text(alphabet="[]{}.=\"' \n\tabfunctions01#,", max_size=60))
def test_any_text_is_an_application_or_a_config_error(write, text: str) -> None:
    with pytest.raises(ConfigError):
        load(write(text))


def test_every_key_is_in_the_documentation() -> None:
    from pathlib import Path

    from relive_platform.alerts.config import KEYS as ALERT
    from relive_platform.registry.application.schema import APP, CORS, FUNCTION, RESOURCES, TRIGGERS

    page = (Path(__file__).parents[3] / "docs" / "reference" / "relive-toml.md").read_text(encoding="utf-8")
    for keys in (APP, FUNCTION, CORS, ALERT, *TRIGGERS.values(), *RESOURCES.values()):
        for key in keys:
            assert f"`{key}`" in page, key


@pytest.mark.parametrize(
    ("file", "handler", "normal"),
    [
        ("größe.py", "größe:händler", "größe:händler"),
        ("größe.py", "größe.händler", "größe:händler"),
        ("my-module.py", "my-module.händler", "my-module:händler"),
        ("2fa.py", "2fa:händler", "2fa:händler"),
        ("api/v1/日本.py", "api/v1/日本.händler", "api.v1.日本:händler"),
        ("api/v1/日本.py", "api.v1.日本:händler", "api.v1.日本:händler"),
    ],
)
def test_a_handler_may_lie_in_a_module_of_any_name(tmp_path: Path, file, handler, normal) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("def händler(event, context): ...\n", encoding="utf-8")

    application = from_folder(tmp_path, name="f", handler=handler)

    assert application.functions["f"].handler == normal


@pytest.mark.parametrize(
    "handler", ["a b:c", "a\x1b:c", "../a:c", "/a:c", "a:b:c", "a:1", ".a:c", "a\\b:c", ":c", "a:"]
)
def test_what_cannot_be_a_handler_is_refused(tmp_path: Path, handler: str) -> None:
    with pytest.raises(ConfigError, match="not module:attribute"):
        from_folder(tmp_path, name="f", handler=handler)


def test_compiled_code_of_another_python_is_refused(tmp_path: Path) -> None:
    (tmp_path / "old.pyc").write_bytes(b"\x03\xf3\r\n" + bytes(12))

    with pytest.raises(ConfigError, match="was not compiled by Python"):
        from_folder(tmp_path, name="f", handler="old:handler")


def test_the_code_is_beside_relive_toml_unless_it_says_otherwise(write) -> None:
    # Given a function without `source`
    root = write(
        '[functions.shop]\nhandler = "cart:handler"\n', **{"cart.py": "def handler(event, context): ..."}
    )

    # I expect the folder of the file
    assert load(root).functions["shop"].source == str(root)


def test_without_a_source_the_handler_is_looked_for_there(write) -> None:
    # Given a function without `source`, whose code is in a folder
    root = write('[functions.shop]\nhandler = "cart:handler"\n')

    # I expect to be told that its module is not beside the file
    with pytest.raises(ConfigError, match="'cart' is not in"):
        load(root)
