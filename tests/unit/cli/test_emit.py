"""`relive emit`: what is no event is said before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from relive.group import cli
from relive_base.errors import UsageError


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ('{"n":NaN}', "the detail has NaN, which JSON does not allow, at offset 5"),
        ('{"n":-Infinity}', "the detail has -Infinity, which JSON does not allow"),
        ('{"n":1e999}', "the detail has a number that no float can hold"),
        ('{"n":1,"n":2}', "the detail has the key 'n' twice"),
        ('{"n":', "the detail is not JSON"),
        ("[]", "the detail is no JSON object"),
    ],
)
def test_a_detail_that_is_no_json_is_refused(tmp_path: Path, detail: str, said: str) -> None:
    words = ["--home", str(tmp_path / "home"), "emit", "x", "--source", "shop", "--detail", detail]
    done = CliRunner().invoke(cli, words)
    assert isinstance(done.exception, UsageError)
    assert said in done.exception.message
