"""Functions fail over files that are gone then; a replay has them. More of them: scripts/replay_corpus.py."""

from __future__ import annotations

import shutil
from pathlib import Path

from outside_corpus import FILES, LEFT, make_files
from relive_cli import relive_home, toml

NAMES = ("input_removed", "newest", "moved", "stale")


def test_a_replay_has_the_files_and_says_what_earlier_invocations_have_left(tmp_path: Path) -> None:
    # Given functions that have failed over files, and one over what an earlier invocation has left
    data = tmp_path / "data"
    make_files(data)
    with relive_home() as home:
        home.environment["RELIVE_ISOLATION_TIER"] = "0"  # which may read what is outside of the code
        place = f'environment = {{ DATA = "{data}" }}\nmax_workers = 1'  # which the next event waits for
        functions = {name: f'handler = "app:{name}"\n{place}' for name in NAMES}
        app = home.application({"app.py": FILES + LEFT, "relive.toml": toml(functions)})
        with home.serving():
            home.run("deploy", str(app))
            for name in NAMES[:3]:
                home.scene(home.invoke(name)["invocation_id"])
            home.invoke("stale", {"key": "a", "price": 5})
            home.scene(home.invoke("stale", {"key": "b"})["invocation_id"])
            told = home.run("failure", "stale").stdout

        # When the files are gone
        shutil.rmtree(data)
        rows = {name: home.json("replay", name, check=False)[-1] for name in NAMES[:3]}

    # I expect the same failures, and that it is said where the files came from
    assert {name: row["outcome"] for name, row in rows.items()} == dict.fromkeys(NAMES[:3], "same")
    notes = " ".join(rows["newest"]["notes"])
    assert f"{data}/logs" in notes
    assert "they are gone today" in notes
    assert not data.exists()
    assert "the worker had served 1 invocation; not as in a fresh one:" in told
    assert "app.SEEN = 2" in told
    assert f"{data}/limits.json" in told
