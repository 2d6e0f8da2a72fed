"""The commands: each is where the table says, none is imported before it is asked for."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner
from relive.group import COMMANDS, GROUPS, cli

LOADED = """
import sys
from relive.__main__ import main
try:
    main(["--help"])
except SystemExit:
    pass
print([name for name in sys.modules if name.startswith("relive.commands")])
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_there_and_says_what_it_does(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    assert command.name == name
    # the line of `relive --help`, and a text of its own
    assert next(group[name][1] for group in GROUPS.values() if name in group)
    assert command.help


def test_help_imports_no_command() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_lists_every_command_below_its_group() -> None:
    text = CliRunner().invoke(cli, ["--help"]).output
    for title, commands in GROUPS.items():
        section = text.split(f"\n{title}:\n", 1)[1].split("\n\n")[0]
        assert [line.split()[0] for line in section.splitlines() if line[2:3].strip()] == list(commands)


@pytest.mark.parametrize(("typed", "meant"), [("failurs", "failures"), ("depoly", "deploy"), ("log", "logs")])
def test_a_slip_in_a_command_is_answered_with_the_one_that_was_meant(typed: str, meant: str) -> None:
    done = CliRunner().invoke(cli, [typed])
    assert done.exit_code == 2
    assert f"No such command '{typed}'. Did you mean '{meant}'?" in done.output


def test_what_is_like_no_command_gets_no_guess() -> None:
    done = CliRunner().invoke(cli, ["xyzzy"])
    assert done.exit_code == 2
    assert "No such command 'xyzzy'." in done.output
    assert "mean" not in done.output
