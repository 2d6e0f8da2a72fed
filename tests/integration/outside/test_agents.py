"""A coding agent and a failure from elsewhere, of which this home has no code."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp_agent import Agent, Told, agent_by_stdio
from patience import PATIENCE_S
from recorded_hosts import environment, scenes_in

SHOP = """
import relive
RATES = {"DE": 490}

def shipping(address):
    country = address["country"]
    return RATES[country]

@relive.record
def handler(event, context):
    return shipping(event["address"])
"""
FAILS = 'import shop; shop.handler({"address": {"country": "FR"}}, None)'


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """The served folder: code, whose failure is imported, and below `fixed` the same without the fault."""
    folder = tmp_path / "served"
    (folder / "fixed").mkdir(parents=True)
    (folder / "shop.py").write_text(SHOP)
    (folder / "fixed" / "shop.py").write_text(SHOP.replace("RATES[country]", "RATES.get(country, 0)"))
    given = environment(tmp_path, RELIVE_RECORD_WAIT_S=str(PATIENCE_S), PYTHONPATH=str(folder))
    ran = subprocess.run(
        [sys.executable, "-c", FAILS], env=given, capture_output=True, timeout=PATIENCE_S, check=False
    )
    assert b"KeyError" in ran.stderr
    assert len(scenes_in(tmp_path, 1)) == 1
    home, scenes = str(tmp_path / "home"), str(tmp_path / "scenes")
    imported = [sys.executable, "-m", "relive", "--home", home, "scene", "import", scenes]
    subprocess.run(imported, check=True, capture_output=True, timeout=PATIENCE_S)
    return folder


def call_in(text: str, tool: str) -> dict[str, Any]:
    """The arguments of the call that an answer names."""
    found = re.search(rf"{tool}\(([^)]*)\)", text)
    assert found is not None, text
    return dict(re.findall(r'(\w+)="([^"]*)"', found[1]))


async def test_what_an_answer_says_next_can_be_done(tmp_path: Path, served: Path) -> None:
    async with agent_by_stdio(tmp_path / "home", "--code", str(served)) as agent:
        # When it asks for the failure in each way
        scene = await agent.call("scene", id="last")
        looked = await agent.call("inspect", id="last", commands=["p address"])
        replayed = await agent.call("replay", id="last", code=".")
        refused = await agent.call("replay", id="last")
        # I expect the calls that the answers name to work
        assert {one.failed for one in (scene, looked, replayed)} == {False}
        assert "verdict: not fixed" in replayed.text
        for told in (scene, looked, replayed):
            why = await agent.call("why", **call_in(told.next, "why"))
            assert (why.failed, "shop.py:5" in why.text or "shop.py:6" in why.text) == (False, True)
        assert refused.failed
        assert 'code="."' in refused.next
        await passes_and_ends(agent)


async def passes_and_ends(agent: Agent) -> None:
    def travel(*commands: str, code: str = ".") -> Any:
        return agent.call("inspect", id="last", session="travel", commands=list(commands), code=code)

    # When it goes back in code that passes, I expect that to be said
    passed: Told = await travel("rs", code="fixed")
    assert (passed.failed, passed.text.startswith("it passed")) == (False, True)
    assert "cannot" not in passed.text
    verdict = await agent.call("replay", **call_in(passed.next, "replay"))
    assert verdict.text.startswith("verdict: passed")
    # When its commands end the process, I expect what did not run
    ended: Told = await travel("p 4", "!import os; os._exit(3)", "p 5")
    assert (ended.failed, "did not run: p 5" in ended.text) == (True, True)
    assert "with status 3" in ended.text
