"""`relive mcp` on standard streams: signals end it though its client stays; wrong questions are answered."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import Any

import pytest
from patience import PATIENCE_S

SERVES = """
from relive_agents.actions import Actions
from relive_agents.commands import Commands
from relive_agents.server import Desk, make_server
from relive_agents.serving import serve_stdio
from relive_agents.workspace import Workspace
desk = Desk(None, Actions(Commands([], {}), Workspace(None), str))
serve_stdio(make_server(desk, "1"), desk.close)
"""
INITIALIZE = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


class Served:
    """A server of its own process, spoken to line by line."""

    def __init__(self) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVES], stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )
        self.ask("initialize", **INITIALIZE)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        said = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        print(json.dumps(said), file=self.process.stdin, flush=True)
        return dict(json.loads(self.process.stdout.readline()))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_while_its_client_stays(number: signal.Signals) -> None:
    # Given a server whose client keeps its end of the pipe open
    served = Served()
    # When a signal comes
    served.process.send_signal(number)
    # I expect it to end
    assert served.process.wait(PATIENCE_S) == 128 + number
    served.process.communicate()


def test_a_prompt_that_there_is_not_is_an_error_of_the_client() -> None:
    # Given a server
    served = Served()
    # When it is asked for a prompt that it does not have
    answer = served.ask("prompts/get", name="x\x1b[31m")
    # I expect to be told, and nothing on its standard error
    assert answer["error"] == {"code": -32602, "message": "there is no prompt x\\x1b[31m"}
    _, complaints = served.process.communicate(timeout=PATIENCE_S)
    assert complaints == ""
