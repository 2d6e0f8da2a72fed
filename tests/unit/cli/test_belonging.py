"""An option that says nothing as it was given is refused, before anything is done."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from relive.group import cli
from relive_base.errors import UsageError


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["alerts", "--since", "1h"], "--since goes with --history"),
        (["alerts", "--follow", "--limit", "3"], "--limit goes with --history"),
        (["store", "--yes"], "--yes goes with trim"),
        (["store", "backup", "b.tar", "--keep", "7d"], "--keep goes with trim"),
        (["flame", "--span", "ab", "--since", "1h"], "--since goes with a function"),
        (["failures", "resolve", "x", "--group"], "--group goes with the list of failures"),
        (["events", "purge", "--all", "--limit", "3"], "--limit goes with the list of events"),
        (["scene", "last", "--code", "."], "--code goes with --to-test"),
        (["scene", "import", "x", "--output", "y"], "--output goes with a scene of this home"),
        (["invoke", "f", "--event-id", "1"], "--event-id goes with --async"),
        (
            ["invoke", "f", '{"n": 1}'],
            "'{\"n\": 1}' is one argument too many: an event is given with --event",
        ),
        (["dap", "--once"], "--once goes with --port"),
        (["debug", "--json"], "--json goes with --list"),
        (["debug", "last", "--list"], "an id goes with a session"),
        (["heap", "f", "--next", "--top", "3"], "--top goes with a heap that is there"),
    ],
)
def test_an_option_without_what_it_goes_with(given: list[str], message: str) -> None:
    done = CliRunner().invoke(cli, ["--home", "/nowhere/at/all", *given])
    assert isinstance(done.exception, UsageError)
    assert done.exception.message == message
