"""Code of the user's that takes away what our own code in its process lives on, and then fails."""

from __future__ import annotations

import sys

import pytest
from pool_harness import Platform

HARMS = {
    "modules": "sys.modules.clear()",
    "another": "sys.modules = {}",
    "len": "builtins.len = None",
    "all": "vars(builtins).clear()",
    "files": "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))",
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
async def test_a_failure_is_told_with_its_real_exception(workers: Platform, harm: str) -> None:
    # Given code that does harm, and then fails
    source = (
        f"import builtins, resource, sys\nlost = KeyError('sku')\ndef handler(event, context):\n    {harm}\n"
    )
    workers.deploy("f", f"{source}    raise lost\n")
    outcome = await workers.invoke("f")
    # I expect its own exception, where it was raised
    error = outcome.error
    assert error is not None
    assert (error.kind, error.type, error.message.strip("'")) == ("exception", "KeyError", "sku")
    assert (error.function, error.line) == ("handler", 5)
    await workers.until(lambda: workers.recording.finished_runs)
    assert workers.recording.finished_runs[0].scene


async def test_an_answer_that_cannot_be_told_is_a_failure(workers: Platform) -> None:
    # Given code that returns, and no builtins to send it with
    workers.deploy(
        "f", "import builtins\ndef handler(event, context):\n    builtins.len = None\n    return 1\n"
    )
    outcome = await workers.invoke("f")
    # I expect what went wrong
    assert outcome.error is not None
    assert (outcome.error.kind, outcome.error.type) == ("exception", "TypeError")


async def test_a_module_that_takes_builtins_away_fails_to_load_with_its_own_exception(
    workers: Platform,
) -> None:
    # Given a module that fails after it has done harm
    workers.deploy("f", "import builtins\nbuiltins.len = None\nraise RuntimeError('no')\n")
    outcome = await workers.invoke("f")
    # I expect what plain Python says: from 3.13 on its import system needs `len` after an exception, too
    assert outcome.error is not None
    expected = "RuntimeError" if sys.version_info < (3, 13) else "TypeError"
    assert (outcome.error.kind, outcome.error.type) == ("init", expected)
