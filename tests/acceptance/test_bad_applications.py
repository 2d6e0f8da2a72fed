"""A deploy that is wrong says where and what to do, and the running version stays in service."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from relive_cli import Relive, relive_home

GOOD = {
    "relive.toml": '[app]\nname = "a"\n\n[functions.f]\nsource = "."\nhandler = "f:handler"\n',
    "f.py": "def handler(event, context):\n    return 'good'\n",
}

BAD = {
    "unknown key": (
        {"relive.toml": GOOD["relive.toml"] + "timout_s = 3\n"},
        ["relive.toml", "7", "timeout_s"],
    ),
    "wrong type": (
        {"relive.toml": GOOD["relive.toml"] + 'timeout_s = "3"\n'},
        ["relive.toml", "7", "timeout_s"],
    ),
    "missing handler": ({"f.py": "x = 1\n"}, ["handler", "f.py"]),
    "handler that is not callable": ({"f.py": "handler = 7\n"}, ["handler", "callable"]),
    "missing module": (
        {"relive.toml": GOOD["relive.toml"].replace("f:handler", "g:handler")},
        ["relive.toml", "6", "g.py"],
    ),
    "broken import": ({"f.py": "import nowhere\ndef handler(event, context): ...\n"}, ["nowhere"]),
    "broken syntax": ({"f.py": "def handler(event, context:\n"}, ["f.py"]),
    "no such dependency": (
        {"requirements.txt": "no-such-package-relive-test==1.0\n"},
        ["requirements.txt", "no-such-package-relive-test"],
    ),
    "not toml": ({"relive.toml": "[app\n"}, ["relive.toml", "1"]),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Relive]:
    """One for all cases: a deploy that is refused must leave nothing that hurts the next."""
    with relive_home() as home, home.serving():
        yield home


@pytest.mark.parametrize("case", BAD)
def test_a_bad_application_is_refused_and_the_old_version_serves(server: Relive, case: str) -> None:
    # Given a version in service
    server.run("deploy", str(server.application(GOOD)), "--take-over")
    assert server.run("invoke", "f").stdout.strip() == '"good"'

    # When a bad one is deployed
    changes, said = BAD[case]
    done = server.run("deploy", str(server.application(GOOD | changes)), "--take-over", check=False)

    # I expect an error that names the place and the hint
    assert done.returncode in (1, 2), done
    for part in said:
        assert part in done.stderr
    assert "hint" in done.stderr
    assert "Traceback" not in done.stderr

    # ... and the old version in service
    assert server.run("invoke", "f").stdout.strip() == '"good"'
    assert [row["version"] for row in server.json("functions")] == [1]
