"""A core file of a crash, read with pystack: the frames of native code with the locals of Python's."""

from __future__ import annotations

import pytest
from relive_capture.explore.outside import pystack_path
from relive_cli import laboratory, toml
from relive_runtime.isolation.core_files import core_pattern

SOURCE = """
import ctypes, os

def price(basket):
    rate = 3
    return ctypes.string_at(0)

def crashes(event, context):
    os.chdir(os.environ["HOME"])  # where a relative core_pattern may be written
    return price(event["basket"])
"""
FILES = {"app.py": SOURCE, "relive.toml": toml({"crashes": 'handler = "app:crashes"\ntimeout_s = 30'})}


@pytest.mark.skipif(
    core_pattern().startswith(("|", "/")) or not core_pattern(), reason="no relative core_pattern"
)
@pytest.mark.skipif(pystack_path() is None, reason="pystack is not installed")
def test_a_crash_has_its_locals_where_a_core_file_can_be_had() -> None:
    with laboratory(FILES, {"RELIVE_CORE_MB": "1024"}) as lab:
        # When native code crashes in a function that lets the system write a core file
        for _ in range(3):  # on a busy machine the core file may take longer than is waited for it
            row = lab.invoke("crashes", {"basket": {"sku": "A1", "password": "hunter2"}})
            scene = lab.scene(row["invocation_id"])
            if "core file" in scene["parts"]["exception"]["reason"]:
                break

        # I expect the line, as ever, and the locals out of the core file
        assert (row["error"]["function"], row["error"]["line"]) == ("price", 6)
        frames = {found["function"]: found for found in scene["exception"][0]["frames"]}
        frame = frames["price"]
        assert dict(frame["locals"])["rate"]["text"] == "3"
        assert "core file" in scene["parts"]["exception"]["reason"], scene["parts"]
        assert scene["parts"]["native"]["state"] == "ok", scene["parts"]

        # ... secrets hidden, and no core file left behind
        assert "hunter2" not in str(scene["exception"])
        assert not [path for path in (lab.home / "run").rglob("*core*") if path.is_file()]
