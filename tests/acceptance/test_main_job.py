"""The main job: a function fails, and one command shows why."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp_agent import CHARS_PER_TOKEN, agent_by_http, agent_by_stdio, served_by_http
from patience import PATIENCE_S
from relive_cli import Relive, relive_home

from tests.support.terminal import terminal

TOML = """
[app]
name = "shop"

[functions.cart]
source = "cart"
handler = "cart:handler"
kind = "http"

[[functions.cart.triggers]]
type = "http"
path = "/cart"
methods = ["POST"]

[functions.price]
source = "price"
handler = "price.handler"
timeout_s = 30
"""

CART = """
import logging
import relive

log = logging.getLogger("cart")

def handler(request):
    lines = request.get_json()["lines"]
    print("pricing", len(lines))
    log.warning("about to call")
    return {"total": sum(relive.invoke("price", {"line": line})["cents"] for line in lines)}
"""

PRICE = """
from opentelemetry import trace

tracer = trace.get_tracer("price")

def handler(event, context):
    line = event["line"]
    with tracer.start_as_current_span("look up", attributes={"line": str(line)}):
        return {"cents": cents(line)}

def cents(line):
    factor = 100
    return {"A": 2, "B": 3}[line["sku"]] * factor
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Relive]:
    with relive_home() as home, home.serving():
        folder = home.application({"relive.toml": TOML, "cart/cart.py": CART, "price/price.py": PRICE})
        deployed = home.json("deploy", str(folder))
        assert [(row["function"], row["version"]) for row in deployed] == [("cart", 1), ("price", 1)]
        yield home


def post(shop: Relive, lines: list[dict[str, str]], headers: dict[str, str] | None = None):
    body = json.dumps({"lines": lines}).encode()
    return shop.request("/cart", body, {"Content-Type": "application/json", **(headers or {})})


def test_a_failure_names_its_error_at_once_and_one_command_shows_the_line_and_the_locals(
    shop: Relive,
) -> None:
    # Given a shop that works
    assert post(shop, [{"sku": "A"}, {"sku": "B"}]).json() == {"total": 500}

    # When an order names an article that does not exist
    answer = post(shop, [{"sku": "Z"}])

    # I expect an error answer that names the error and the next command
    assert answer.status == 500
    error = answer.json()["error"]
    assert error["type"].endswith("FunctionError")
    assert error["hint"] == f"relive failure {error['invocation_id']}"

    # ... and two scenes: of the function that raised, and of the one that called it
    failures = shop.eventually(lambda: len(rows := shop.json("failures", check=False)) == 2 and rows)
    assert {row["function"] for row in failures} == {"cart", "price"}
    price = next(row for row in failures if row["function"] == "price")
    assert price["error_type"] == "KeyError"
    assert Path(price["file"]).name == "price.py"

    shown = shop.run("failure", price["invocation_id"]).stdout
    assert "KeyError" in shown
    assert 'return {"A": 2, "B": 3}[line["sku"]] * factor' in shown
    assert "factor" in shown
    assert "'sku': 'Z'" in shown


def test_the_failure_of_last_night_is_still_there_when_no_server_runs(relive: Relive) -> None:
    # Given a failure, and a server that was stopped since
    with relive.serving():
        folder = relive.application(
            {"f.py": "def handler(event, context):\n    amount = 7\n    return 1 / event['n']\n"}
        )
        relive.run("deploy", str(folder), "--name", "divide", "--handler", "f:handler")
        done = relive.run("invoke", "divide", "--event", '{"n": 0}', check=False)
        assert done.returncode == 1
        assert "ZeroDivisionError" in done.stderr

    # When I look without a server
    shown = relive.run("failure").stdout

    # I expect the whole scene, and no server to have been started for it
    assert "ZeroDivisionError" in shown
    assert "amount" in shown
    assert relive.run("status", check=False).returncode == 3
    assert [row["status"] for row in relive.json("invocations", "divide")] == ["error"]
    assert relive.json("sql", "SELECT count() AS n FROM invocations")[0]["n"] == 1


def test_one_trace_goes_from_the_callers_header_through_both_functions(shop: Relive) -> None:
    # Given a caller that is traced itself
    parent = "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"

    # When it calls the shop
    answer = post(shop, [{"sku": "A"}], {"traceparent": parent})

    # I expect the answer to name the same trace, and one tree from trigger to the user's own span
    trace_id = "0123456789abcdef0123456789abcdef"
    assert answer.headers["traceparent"].split("-")[1] == trace_id

    def complete():
        spans = shop.json("trace", trace_id, check=False)
        return spans if any(span["name"] == "look up" for span in spans) and len(spans) >= 6 else None

    spans = {span["span_id"]: span for span in shop.eventually(complete)}
    chain = []
    span = next(span for span in spans.values() if span["name"] == "look up")
    while span:
        chain.append(span["service"])
        parent_id = span["parent_span_id"]
        span = spans.get(parent_id)
    assert parent_id == "0123456789abcdef"
    assert chain[0] == "price"
    assert chain[-1] == "cart"
    assert {"price", "cart"} == set(chain)
    assert "look up" in shop.run("trace", trace_id).stdout


def test_logs_carry_the_invocation_and_never_touch_the_answer(shop: Relive) -> None:
    # When a function prints and logs
    answer = post(shop, [{"sku": "A"}])
    invocation = answer.headers["x-relive-invocation-id"]

    # I expect the answer to be its result alone, and both lines under its invocation
    assert answer.json() == {"total": 200}
    lines = shop.eventually(lambda: shop.json("logs", "--invocation", invocation, check=False))
    assert [(line["body"], line["source"]) for line in lines] == [
        ("pricing 1", "stdout"),
        ("about to call", "logging"),
    ]
    assert {line["trace_id"] for line in lines} == {answer.headers["traceparent"].split("-")[1]}


@dataclass
class Demo:
    """A home on which the demo has run twice, and ended; what it said; a copy of its code."""

    relive: Relive
    results: list[dict[str, Any]]
    left: list[str]
    code: Path


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    with relive_home() as home:
        results = [row for _ in range(2) for row in home.json("demo", "--events", "120")]
        with contextlib.suppress(AssertionError):  # a process ends a moment after it has said so
            home.eventually(lambda: not _left(home))
        left = _left(home)
        code = home.home / "a-copy" / "shop"
        home.run("demo", "--copy", str(code))
        yield Demo(home, results, left, code)


def _left(home: Relive) -> list[str]:
    """What still runs, but for who reads the home."""
    return [command for command in home.processes() if "relive_store" not in command]


def test_the_demo_shows_every_kind_of_failure_and_leaves_nothing_behind(demo: Demo) -> None:
    # When somebody runs the demo, twice
    for result in demo.results:
        # I expect real failures of different kinds, each with its root line and locals
        assert result["functions"] >= 6
        assert result["ok"] > result["failed"] > 0
        kinds = {(row["function"], row["kind"]) for row in result["failures"]}
        assert {("checkout", "exception"), ("screening", "timeout"), ("thumbnail", "memory")} <= kinds
        for row in result["failures"]:
            if row["kind"] == "exception":
                assert row["source"], row
                assert row["locals"], row
        assert result["hot_lines"]

    # ... and nothing left running
    assert not demo.left


ROOTS = {
    "KeyError: 'country'": "cart.py:33",
    "CardDeclined": "pipeline.py:30",
    "KeyError: 'percent'": "quote.py:39",
    "KeyError: 'Z1'": "quote.py:26",
    "UndefinedError": "daily.py:42",
    "Timeout": "reviews.py:20",
    "AttributeError": "reviews.py:15",
    "MemoryLimitExceeded": "thumb.py:29",
    "UnidentifiedImageError": "thumb.py:21",
}
"""The line at which each failure of the demo is raised, in the function that raises it first."""


async def test_an_agent_comes_to_the_root_of_each_failure_and_has_its_fix_verified(demo: Demo) -> None:
    async with agent_by_stdio(demo.relive.home, "--code", str(demo.code)) as agent:
        # Given the tools, for which each conversation pays
        tools = await agent.client.list_tools()
        assert len(tools.tools) <= 9
        assert len(tools.model_dump_json(exclude_none=True, by_alias=True)) / CHARS_PER_TOKEN <= 1_500

        # When an agent asks what has failed, and follows what the answers say
        began = await agent.call("failures")
        rows = [line for line in began.text.splitlines() if re.match(r"[0-9a-f]{8}", line)]
        assert len(rows) >= 9
        for row in rows:
            asked = [began, await agent.call("scene", id=row.split()[0])]
            if "a called function failed" in asked[-1].next:
                asked.append(await agent.call("scene", id=asked[-1].next.split('"')[1]))

            # I expect the root line within three calls and 2,000 tokens
            error = next(error for error in ROOTS if error in row)
            assert f"{ROOTS[error]} in " in asked[-1].text, row
            assert sum(one.tokens for one in asked) <= 2_000, row

        # When it has found the KeyError, and tries a fix on a copy of the code
        ident = next(row for row in rows if "KeyError: 'percent'" in row and "pricing  " in row).split()[0]
        line = 'total * (100 - voucher["percent"]) // 100'
        file = "functions/pricing/quote.py"
        mended = line.replace('["percent"]', '.get("percent", 0)')
        names = f"--- a/{file}\n+++ b/{file}\n"
        patch = f"{names}@@ -39 +39 @@\n-    return {line}\n+    return {mended}\n"
        fixed = await agent.call("replay", id=ident, patch=patch)

        # I expect the verdict, and its own files as they were
        assert fixed.text.startswith("verdict: verified")
        assert line in (demo.code / file).read_text()

        # ... nothing below any other folder, and no write to the store
        assert (await agent.call("replay", id=ident, code="..")).failed
        assert (await agent.call("to_test", id=ident, path="../../test_x.py")).failed
        assert (await agent.call("sql", query="DROP TABLE invocations")).failed

        # ... and the failing line's values, which no process has any more
        inspected = await agent.call("inspect", id=ident, commands=["p voucher"])
        assert "read-only" in inspected.text
        assert "{'amount_cents': 500}" in inspected.text
        prompt = await agent.client.get_prompt("fix and verify", {"failure": ident})
        assert ident in prompt.messages[0].content.text


async def test_over_http_the_token_of_the_home_lets_in(demo: Demo) -> None:
    token = (demo.relive.home / "run" / "token").read_text().strip()
    with served_by_http(demo.relive.home) as address:
        # When an agent knows the token, I expect it to be served
        async with agent_by_http(address, token) as agent:
            assert "KeyError" in (await agent.call("failures", function="pricing")).text
            assert (await agent.call("replay", id="last", code=".")).failed  # no folder is served

        # When somebody does not, or a web page asks, or by another name, I expect no answer
        headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        known = {**headers, "authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_S) as client:
            for given, status in (
                ({**headers, "authorization": "Bearer wrong"}, 401),
                (headers, 401),
                ({**known, "origin": "http://127.0.0.1"}, 403),
                ({**known, "host": "attacker.test"}, 421),
            ):
                assert (await client.post(address, json={}, headers=given)).status_code == status


def test_the_demo_at_a_terminal_ends_in_the_tui_on_the_newest_failure(relive: Relive) -> None:
    # When somebody runs the demo at a terminal
    size = {"COLUMNS": "100", "LINES": "30", "TERM": "xterm-256color"}
    with terminal(["--home", str(relive.home), "demo", "--events", "40"], size) as screen:
        # I expect the terminal UI with failures, and one key to lead to a cause
        screen.until("Failures  ", 120)
        screen.until("▸ ")
        screen.send("\r")
        screen.until("Locals of ")
        # ... and when it is left, to be told how to come back to it
        screen.send("q")
        screen.until("see it again: relive tui")
        assert screen.ended() == 0
    relive.eventually(lambda: not _left(relive))
