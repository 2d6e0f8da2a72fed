"""An editor's end of the Debug Adapter Protocol: VS Code's own client for tests, a pinned npm package in the
repository's cache."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.patience import PATIENCE_S
from tests.support.relive_cli import Relive

__all__ = ["conversation", "has_client", "listening"]

PACKAGE = "@vscode/debugadapter-testsupport"
VERSION = "1.68.0"
CACHE = Path(__file__).resolve().parents[2] / ".cache" / "dap-client"
_SCRIPT = """
const {DebugClient} = require('@vscode/debugadapter-testsupport');
const given = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const found = [];
// "$3.stackFrames.0.id": of the third answer
const at = (path) => path.split('.').reduce((value, name) => value[name], found);
const filled = (value) => typeof value === 'string' && value[0] === '$' ? at(value.slice(1))
  : value && typeof value === 'object' && !Array.isArray(value)
  ? Object.fromEntries(Object.entries(value).map(([name, one]) => [name, filled(one)])) : value;
(async () => {
  const client = new DebugClient('node', '', 'relive');
  client.defaultTimeout = given.timeout_ms;
  await client.start(given.port);
  for (const [command, args, event] of given.plan) {
    const seen = event ? client.waitForEvent(event) : null;
    try {
      const answer = await client.send(command, filled(args));
      found.push(answer.body === undefined ? {} : answer.body);
    } catch (error) {
      found.push({problem: error.message});
    }
    if (seen) found[found.length - 1].event = (await seen).body;
  }
  await client.stop();
  console.log(JSON.stringify(found));
  process.exit(0);
})().catch((error) => { console.error(error); process.exit(1); });
"""
Step = tuple[str, dict[str, Any]] | tuple[str, dict[str, Any], str]


def has_client() -> bool:
    """Whether npm is there; CI must have it."""
    return bool(shutil.which("npm")) or bool(os.environ.get("CI"))


def _install() -> Path:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (CACHE / "node_modules" / PACKAGE).exists():
            flags = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(CACHE)]
            subprocess.run(["npm", "install", *flags, f"{PACKAGE}@{VERSION}"], check=True, timeout=600)
        (CACHE / "talk.js").write_text(_SCRIPT)
    return CACHE / "talk.js"


@contextlib.contextmanager
def listening(home: Relive, *arguments: str) -> Iterator[int]:
    """`relive dap` on a port, for any number of clients."""
    command = [sys.executable, "-m", "relive", "--home", str(home.home), "dap", *arguments, "--port", "0"]
    environment = {**os.environ, **home.environment}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().rpartition(":")[2])
        finally:
            process.kill()


def conversation(port: int, plan: list[Step]) -> list[dict[str, Any]]:
    """The bodies of the responses to requests (command, arguments, the event to wait for after it), which is
    in a body as "event"; {"problem": ...} for a refusal. "$3.stackFrames.0.id" is from the response number 3,
    from 0."""
    steps = [[*step, ""][:3] for step in plan]
    done = subprocess.run(
        ["node", str(_install())],
        input=json.dumps({"port": port, "plan": steps, "timeout_ms": int(PATIENCE_S * 1000)}),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    if done.returncode:
        pytest.fail(f"the client: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found
