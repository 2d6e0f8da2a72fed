"""The `web` line of a Procfile is an HTTP service."""

from __future__ import annotations

from pathlib import Path

import pytest
from relive_platform.registry.application import Application, ConfigError, FunctionConfig, load
from relive_platform.triggers.http.config import HttpTrigger


def read(folder: Path, text: str) -> Application:
    app = folder / "shop"
    (app / "src").mkdir(parents=True, exist_ok=True)
    for place in (app, app / "src"):
        (place / "main.py").write_text("def app(environ, start_response): ...\napplication = app\n")
    (app / "Procfile").write_text(text)
    return load(app)


def service(folder: Path, line: str) -> FunctionConfig:
    return read(folder, f"web: {line}\n").functions["shop"]


def test_the_web_line_becomes_a_service_with_all_paths(tmp_path: Path) -> None:
    config = service(tmp_path, "STAGE=dev A='b c' gunicorn main:app --bind 0.0.0.0:$PORT -w 4 --chdir src")
    assert (config.kind, config.handler, config.interface) == ("service", "main:app", "")
    assert config.source.endswith("shop/src")
    assert config.environment == {"STAGE": "dev", "A": "b c"}
    assert config.triggers == (HttpTrigger(path="/{path+}"), HttpTrigger(path="/"))


@pytest.mark.parametrize(
    ("line", "handler", "interface"),
    [
        ("uvicorn main:app --host 0.0.0.0 --port $PORT", "main:app", "asgi"),
        ("python -m uvicorn main:app", "main:app", "asgi"),
        ("/usr/bin/gunicorn -k uvicorn.workers.UvicornWorker main:app", "main:app", ""),
        ("gunicorn main", "main:application", ""),
        ("waitress-serve --port=$PORT main:app", "main:app", "wsgi"),
        ("gunicorn --reload 'main:app()'", "main:app", ""),
    ],
)
def test_the_servers_that_people_use(tmp_path: Path, line: str, handler: str, interface: str) -> None:
    config = service(tmp_path, line)
    assert (config.handler, config.interface) == (handler, interface)


def test_what_is_ignored_is_named_with_its_line(tmp_path: Path) -> None:
    application = read(
        tmp_path, "# what runs\nrelease: python migrate.py\nweb: gunicorn main:app -w 4 -b :80\nworker: rq\n"
    )
    found = [(note.line, note.key, note.describes) for note in application.ignored]
    assert found == [(2, "release", False), (3, "web -w", False), (3, "web -b", True), (4, "worker", False)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("worker: rq\n", "it has no line web:"),
        ("web: python app.py\n", "is no server that Relive can stand for"),
        ("web: gunicorn --bind :80\n", "names no application"),
        ("web: gunicorn main:app\nweb: gunicorn main:app\n", "two lines web:"),
        ("web: gunicorn 'main:app\n", "cannot be read"),
        ("web\n", "is not NAME: COMMAND"),
        ("web: gunicorn main:app --chdir ../..\n", "outside the application"),
        ("web: gunicorn nothing:app\n", "'nothing' is not in"),
    ],
)
def test_what_cannot_be_a_service_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)
