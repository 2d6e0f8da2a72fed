"""Failures that an application has caught, and answered with a 500 itself: `why` follows them as others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pull_servers import free_port
from recorded_hosts import asked, host, scenes_in
from relive_cli import Relive, laboratory

SHOP = """
RATES = {"DE": 490}

def rate(country):
    found = RATES.get(country)
    return found

def cents(country):
    base = rate(country)
    return base * 2
"""
FLASK = """
from flask import Flask
from shop import cents
app = Flask(__name__)

@app.get("/<country>")
def orders(country):
    return str(cents(country))
"""
WSGI = """
import logging
from shop import cents

def app(environ, start_response):
    try:
        body = str(cents(environ["PATH_INFO"].strip("/"))).encode()
        start_response("200 OK", [("content-type", "text/plain")])
    except Exception:
        logging.getLogger("shop").exception("sorry")
        start_response("500 Internal Server Error", [("content-type", "text/plain")])
        body = b"sorry"
    return [body]
"""
FASTAPI = """
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from shop import cents
app = FastAPI()

@app.exception_handler(TypeError)
async def sorry(request, error):
    return JSONResponse({"error": "sorry"}, status_code=500)

@app.get("/{country}")
async def orders(country: str):
    return {"cents": cents(country)}
"""
APPS = {"flasks": FLASK, "plain": WSGI, "fast": FASTAPI}
ARISES = "found = RATES.get(country)"


@pytest.mark.parametrize("name", list(APPS))
def test_recorded_outside(tmp_path: Path, name: str) -> None:
    # Given an application under a server that is not Relive, which answers 500 itself
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / f"{name}.py").write_text(APPS[name])
    port = free_port()
    server = ["uvicorn", f"{name}:app", "--port", str(port)]
    if name != "fast":
        server = ["gunicorn", "-b", f"127.0.0.1:{port}", f"{name}:app"]
    with host(tmp_path, ["relive-record", *server], port):
        assert asked(f"http://127.0.0.1:{port}/FR", None)[0] == 500
        (scene,) = scenes_in(tmp_path, 1)
    # When I ask for its cause, I expect the line where the value arose
    (file,) = (tmp_path / "scenes").glob("*.scene")
    relive = Relive(tmp_path / "home")
    replayed = relive.run("replay", str(file), "--code", str(tmp_path), check=False)
    assert "the same failure" in replayed.stdout
    told = relive.run("why", str(file), "--code", str(tmp_path), check=False)
    assert "***" not in told.stdout, (told.stdout, scene.exceptions)
    assert ARISES in told.stdout


@pytest.fixture(scope="module")
def lab() -> Iterator[Relive]:
    files = {"shop.py": SHOP, **{f"{name}.py": text for name, text in APPS.items()}}
    config = '[app]\nname = "lab"\n'
    for name in APPS:
        config += (
            f'[functions.{name}]\nhandler = "{name}:app"\nkind = "service"\nsource = "."\ntimeout_s = 30\n'
        )
    requirements = "flask\nfastapi\n"
    with laboratory({**files, "relive.toml": config, "requirements.txt": requirements}) as home:
        yield home


@pytest.mark.parametrize("name", list(APPS))
def test_as_a_service(lab: Relive, name: str) -> None:
    answer = lab.request(f"/fn/{name}/FR")
    assert answer.status == 500
    (row,) = lab.eventually(lambda: lab.json("failures", name, check=False))
    told = lab.run("why", row["invocation_id"], check=False)
    assert "***" not in told.stdout
    assert ARISES in told.stdout
