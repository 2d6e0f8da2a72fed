"""Each library asks a real database on loopback; then the server is gone, and a replay's worker gets the
same."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from database_calls import CALLS, fill, source
from database_servers import MariaDb
from pull_servers import Postgres, running
from relive_base.redaction.redactor import Redactor
from relive_base.wire.messages import Playback
from relive_capture.explore.scene.recordings import build_recording, decode_recording
from relive_capture.recording_format import PlaybackReport, RecordedCall, ReplayInput
from worker_harness import Outcome, ZygoteHandle, zygote

SITE = sysconfig.get_paths()["purelib"]
OPTIONS: dict[str, Any] = {"memory_mb": 1024, "timeout_s": 60.0}


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZygoteHandle]:
    with zygote(tmp_path_factory.mktemp("home"), deps_dir=SITE) as running_zygote:
        yield running_zygote


def recorded(outcome: Outcome) -> list[RecordedCall]:
    assert outcome.scene is not None
    recording = decode_recording(outcome.scene.recording)
    assert recording is not None
    found = build_recording(recording, Redactor())
    # as it is written into a scene, and read again
    return msgspec.json.decode(msgspec.json.encode(found.recorded_calls), type=list[RecordedCall])


def report(outcome: Outcome) -> PlaybackReport:
    (told,) = [frame for frame in outcome.frames if isinstance(frame, Playback)]
    return msgspec.msgpack.decode(told.report, type=PlaybackReport)


def message(outcome: Outcome) -> str:
    assert outcome.result.error is not None
    return outcome.result.error.message


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the file of sqlite3 is."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def first_runs(libraries: ZygoteHandle, folder: Path) -> dict[str, tuple[str, Outcome]]:
    """Every function has failed after its calls; the servers are gone."""
    found = {}
    with running(Postgres) as postgres, running(MariaDb) as mariadb:
        places = {"POSTGRES": postgres.url, "MARIADB": str(mariadb.port)}
        places["FILE"] = str(folder / "shop.db")
        for name in CALLS:
            fill(places)
            code = source(name, places)
            options = {**OPTIONS, "folders": [str(folder)]}
            found[name] = (code, libraries.worker(code, **options).invoke())
    Path(places["FILE"]).unlink()
    return found


@pytest.mark.parametrize("name", CALLS)
def test_a_replay_gets_what_the_function_got(
    libraries: ZygoteHandle, first_runs: dict[str, tuple[str, Outcome]], name: str
) -> None:
    # Given a function that has failed after its queries, and whose server is gone
    code, first = first_runs[name]
    assert message(first).startswith("["), message(first)
    recorded_calls = recorded(first)
    assert recorded_calls

    # When a worker replays it
    script = msgspec.msgpack.encode(ReplayInput(recorded_calls=recorded_calls, clock=False))
    again = libraries.worker(code, replay=script, **OPTIONS).invoke()

    # I expect it to have got the same, and each recorded call to be used
    assert message(again) == message(first)
    assert report(again).missing == []
    assert report(again).unused == []
    assert report(again).differing == []
