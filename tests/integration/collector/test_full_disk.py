"""A disk that is full while scenes are written: a real one, a small tmpfs in a mount namespace of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, os, sys
from pathlib import Path
from relive_base.wire.messages import ErrorInfo
from relive_base.records import InvocationRecord
from relive_capture.explore.scene import read_scene
from relive_platform.evidence import SceneJob
from relive_platform.signals.exporters.scenes import SceneKeeper

folder = Path(sys.argv[1])
tables = {}

class Rows:
    def add_all(self, added, mark=None):
        for table, columns in added:
            tables.setdefault(table, []).append(columns)

def fail(name):
    error = ErrorInfo(type="KeyError", message="sku", kind="exception")
    record = InvocationRecord(invocation_id=name, function="shop", version=1, trace_id="t", span_id="s",
                              trigger_span_id="p", status="error", error=error)
    keeper.submit(SceneJob(record=record, event=b'{"sku": "A1"}'))
    keeper.flush()

keeper = SceneKeeper(folder, Rows())
ballast = folder / "ballast"
with open(ballast, "wb", 0) as file:
    try:
        while True:
            file.write(b"x" * 4096)
    except OSError:
        pass
fail("during")
during = sorted(path.name for path in folder.iterdir())
ballast.unlink()
fail("after")
scenes = [read_scene(b"".join(columns["Data"])) for columns in tables["scene_blobs"]]
print(json.dumps({
    "written": keeper.written, "failed": keeper.failed, "during": during,
    "after": sorted(path.name for path in folder.iterdir()),
    "rows": [columns["InvocationId"] for columns in tables["failure_scenes"]],
    "events": [scene.event.decode() for scene in scenes],
    "parts": [scene.manifest["parts"].get("archive") for scene in scenes],
}))
"""


def test_a_scene_that_finds_no_room_on_disk_goes_to_the_store_and_says_so(tmp_path: Path) -> None:
    # Given a folder for scenes on a full disk
    folder = tmp_path / "scenes"
    folder.mkdir()
    mount = f'mount -t tmpfs -o size=64k none "{folder}" && exec "$0" -c "$1" "{folder}"'
    if shutil.which("unshare") is None:
        pytest.skip("there is no unshare")

    # When a function fails, and another one after there is room again
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, sys.executable, SCRIPT],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "Operation not permitted" in done.stderr or "unshare failed" in done.stderr:
        pytest.skip("this machine allows no mount namespace")
    found = json.loads(done.stdout)

    # I expect both in the store, whole, the first with the reason why it is no file
    assert (found["written"], found["failed"]) == (2, 0)
    assert found["rows"] == [["during"], ["after"]]
    assert found["events"] == ['{"sku": "A1"}'] * 2
    assert found["parts"][0]["state"] == "partial"
    assert "No space left on device" in found["parts"][0]["reason"]
    assert found["parts"][1] is None

    # ... nothing half written, and a file again as soon as there is room
    assert found["during"] == ["ballast"]
    assert found["after"] == ["after-1.scene"]
