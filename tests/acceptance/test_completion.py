"""TAB in the shells that people have: functions, ids, options and files, typed at a terminal."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from relive_cli import Relive, laboratory, toml
from terminal import Terminal, terminal

FILES = {
    "app.py": "def checkout(event, context):\n    return event['sku']\n",
    "relive.toml": toml({"checkout": 'handler = "app:checkout"', "checkin": 'handler = "app:checkout"'}),
}
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(relive completion bash)"; PS1="rea""dy> "\r'),
    "zsh": (["zsh", "-f", "-i"], 'PS1="rea""dy> "; eval "$(relive completion zsh)"\r'),
    "fish": (
        ["fish", "--no-config", "-i"],
        'function fish_prompt; echo -n rea"dy"\\>" "; end; relive completion fish | source\r',
    ),
}


@pytest.fixture(scope="module")
def lab() -> Iterator[Relive]:
    with laboratory(FILES) as home:
        home.invoke("checkout", {})
        yield home


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, lab: Relive) -> Iterator[Terminal]:
    """A shell that has read the script, at its prompt. bash is everywhere."""
    name = request.param
    if name != "bash" and shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    with _shell(name, lab) as opened:
        yield opened


@contextmanager
def _shell(name: str, lab: Relive) -> Iterator[Terminal]:
    program, setup = SHELLS[name]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {
        "PATH": path,
        "RELIVE_HOME": str(lab.home),
        "HOME": str(lab.home.parent),
        "LC_ALL": "C.UTF-8",
    }
    with terminal([], environment, program=program) as opened:
        opened.send(setup)
        opened.until("ready> ")
        yield opened


def test_tab_completes_commands_functions_and_ids(shell: Terminal, lab: Relive) -> None:
    # Given a failure
    ident = lab.json("failures")[0]["invocation_id"]

    # When TAB is pressed after the beginning of each
    # I expect the rest of it
    shell.send("relive rollb\t")
    shell.until("ack")
    shell.send("checko\t")
    shell.until("ut")
    shell.send("--t\t")
    shell.until("o")
    shell.send("\x15relive failure " + ident[:6] + "\t")
    shell.until(ident[6:13])


def test_two_tabs_list_what_it_may_be(shell: Terminal) -> None:
    shell.send("relive invoke check\t\t")
    # I expect both, in the order that the shell likes
    seen = shell.until("checkin")
    assert "checkout" in seen or shell.until("checkout")
