"""An id or a name that is empty, as a shell's variable that is not set, is a mistake: it is not all."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner
from relive.arguments.emptiness import refuse_empty
from relive.group import COMMANDS, cli
from relive.ui import UiRequest

ARGUMENTS = [
    (name, parameter)
    for name in COMMANDS
    if (command := cli.get_command(click.Context(cli), name)) is not None
    for parameter in command.params
    if isinstance(parameter, click.Argument)
]


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS, ids=lambda one: getattr(one, "name", one))
@pytest.mark.parametrize("text", ["", "  "])
def test_no_command_takes_an_empty_argument(name: str, argument: click.Argument, text: str) -> None:
    # Given a command whose arguments are all empty
    done = CliRunner().invoke(cli, ["--home", "/nowhere/at/all", name, *[text] * max(argument.nargs, 1)])
    # I expect it to say so, before it does anything
    assert (done.exit_code, "it is empty" in done.output) == (2, True)


@pytest.mark.parametrize(
    "given",
    [
        ["logs", "--trace", ""], ["logs", "--invocation="], ["flame", "--span", " "],
        ["events", "--function", ""],
        ["invocations", "--status", ""], ["usage", "--by", ""],
        ["--home", "", "status"],
        ["--server=", "status"],
        ["layer", "build", "-o", ""], ["flame", "--output", ""],
        ["export", "-o", " "], ["demo", "--copy", ""],
    ],
)  # fmt: skip
def test_options_that_say_which_are_not_empty(given: list[str]) -> None:
    done = CliRunner().invoke(cli, given)
    assert (done.exit_code, "it is empty" in done.output) == (2, True)


def test_what_is_not_given_and_what_may_be_empty_stays_so() -> None:
    @click.command()
    @click.argument("ident", default="last")
    @click.option("--trace", default="")
    @click.option("--note", default="")
    def command(ident: str, trace: str, note: str) -> None:
        click.echo(repr((ident, trace, note)))

    refuse_empty(command)
    refuse_empty(command)
    assert CliRunner().invoke(command, ["--note", ""]).output == "('last', '', '')\n"


def test_the_terminal_ui_leaves_it_to_the_command_to_say_so() -> None:
    for given in (["tui", "trace", ""], ["tui", ""], ["--home", "", "tui"]):
        assert UiRequest.parse(given, {}) is None
