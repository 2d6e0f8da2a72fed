"""No secret reaches a disk: planted in every place a function has, looked for in everything that is kept."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

from kept_files import kept_files
from server_harness import Served, served, write_app

SECRETS = {
    "printed": "prn-9f3k2d81xq",
    "past python": "raw-7c1m5t02vb",
    "logged": "log-4h8w6n93ze",
    "logging extra": "ext-2j5r9p47ua",
    "logged exception": "lex-6d0s3y58ki",
    "span attribute": "spn-1b7q4g69wo",
    "span event": "evt-8z2f5l30cm",
    "span status": "sta-3v9x1e74hj",
    "exception message": "exc-5t6u8o21rd",
    "card in an exception": "4111 1111 1111 1111",
    "cause": "cau-0n4i7a83py",
    "local": "loc-9m2k6b15sg",
    "query": "qry-7w3c0f62tx",
    "header": "hdr-4e8j1z97nv",
    "cookie": "cki-2o5l9h40qd",
    "event": "jsn-6r1y3u78ba",
    "event of a name of our own": "own-8g4p7k52we",
    "environment": "env-3x0t5m86vi",
    "path": "ghp_abcdefghijklmnopqrst0123456789ABCDEF",
    "url": "url-1s6d9n27zc",
}
SOURCE = """
import json, logging, os
from opentelemetry import trace
def plant(name):
    return json.loads(os.environ["SECRET_PLANTS"])[name]

def handler(request):
    print("password=" + plant("printed"))
    os.write(1, ("api_key: " + plant("past python") + "\\n").encode())
    log = logging.getLogger("shop")
    log.warning("token=%s", plant("logged"))
    log.warning("an order", extra={"secret": plant("logging extra")})
    log.warning("connect postgres://me:%s@db/x", plant("url"))
    try:
        raise ValueError("password=" + plant("logged exception"))
    except ValueError:
        log.exception("it failed")
    with trace.get_tracer("shop").start_as_current_span("quiet") as span:
        span.set_attribute("db.password", plant("span attribute"))
        span.add_event("paid", {"api_key": plant("span event")})
        span.set_status(trace.StatusCode.ERROR, "token=" + plant("span status"))
    password = plant("local")
    with trace.get_tracer("shop").start_as_current_span("charge"):
        try:
            raise KeyError("secret=" + plant("cause"))
        except KeyError as cause:
            raise RuntimeError(
                f"card {plant('card in an exception')} was refused, auth_token={plant('exception message')}"
            ) from cause
"""


async def test_planted_secrets_are_found_nowhere(tmp_path: Path) -> None:
    home = tmp_path / "home"
    environment = json.dumps({"SECRET_PLANTS": json.dumps(SECRETS), "API_TOKEN": SECRETS["environment"]})
    pairs = ", ".join(f"{name} = {json.dumps(value)}" for name, value in json.loads(environment).items())
    functions = (
        '[functions.shop]\nhandler = "app:handler"\nsource = "."\nkind = "http"\n'
        f'redact = ["lodgeNumber"]\nenvironment = {{ {pairs} }}\n'
        '[[functions.shop.triggers]]\ntype = "http"\npath = "/shop/{rest}"\n'
    )
    async with served(home, frozen_workers="0") as running:
        # Given a function that handles secrets in every way, and its live log
        follower = await running.server.follow("shop")
        await running.deploy(write_app(tmp_path / "app", SOURCE, functions))

        # When it fails on a request that is full of them
        body = {"password": SECRETS["event"], "lodgeNumber": SECRETS["event of a name of our own"]}
        answer = await running.http(
            "POST",
            f"/shop/{SECRETS['path']}?token={SECRETS['query']}&page=2",
            json.dumps(body).encode(),
            {
                "authorization": f"Bearer {SECRETS['header']}",
                "cookie": f"sid={SECRETS['cookie']}",
                "content-type": "application/json",
            },
        )
        assert answer.status == 500, answer
        assert (await running.rows("SELECT count() FROM invocations WHERE Status = 'error'")) == [(1,)]

        # I expect none of them in any text of any table
        texts = await _tables(running)
        assert "otel_traces" in texts
        assert "charge" in texts["otel_traces"]
        assert "it failed" in texts["otel_logs"]
        assert "was refused" in texts["invocations"]
        for table, text in texts.items():
            assert _found(text.encode()) == [], table

        # ... in the live log
        lines = await follower.take(1_000)
        assert len(lines) >= 4
        assert _found(repr(lines).encode()) == []

        # ... in the answer, in the scene, the spool and the logs
        assert _found(answer.body) == []
        kept = _files(home)
        assert any(name.endswith(":event.bin") for name in kept), list(kept)
        for name, data in kept.items():
            assert _found(data) == [], name


def _found(data: bytes) -> list[str]:
    digits = data.replace(b" ", b"")
    return [
        name
        for name, value in SECRETS.items()
        if value.encode() in data or (" " in value and value.replace(" ", "").encode() in digits)
    ]


_COLUMNS = (
    "SELECT table, name FROM system.columns WHERE database = currentDatabase() "
    "AND type NOT LIKE 'AggregateFunction%'"
)


async def _tables(running: Served) -> dict[str, str]:
    names = await running.rows(
        "SELECT DISTINCT table FROM system.columns WHERE database = currentDatabase() "
        "AND table IN (SELECT name FROM system.tables WHERE engine LIKE '%MergeTree')"
    )
    found = {}
    for (table,) in names:
        if table == "scene_blobs":
            continue  # packed: the same bytes as the scene's file
        listed = await running.rows(_COLUMNS)
        columns = [column for owner, column in listed if owner == table]
        chosen = ", ".join(f"toString(`{column}`)" for column in columns)
        rows = await running.rows(f"SELECT {chosen} FROM {table}")  # noqa: S608
        if rows:
            found[table] = repr(rows)
    return found


def _files(home: Path) -> dict[str, bytes]:
    """What scenes/, spool/ and run/ hold, archives unpacked."""
    found: dict[str, bytes] = {}
    for folder in ("scenes", "spool", "run"):
        for path, data in kept_files(home / folder):
            found[str(path)] = data
            found |= {f"{path}:{name}": member for name, member in _members(data)}
    return found


def _members(data: bytes) -> list[tuple[str, bytes]]:
    if data[:2] == b"PK":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [(name, archive.read(name)) for name in archive.namelist()]
    if data[:2] == b"\x1f\x8b":
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(data))) as archive:
            return [(m.name, archive.extractfile(m).read()) for m in archive.getmembers() if m.isfile()]
    return []
