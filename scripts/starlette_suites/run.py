"""Runs tests of Starlette or FastAPI with each request served by Relive: `run.py PYTHON FOLDER [TESTS...]`.

    git clone https://github.com/Kludex/starlette
    python -m venv venv
    venv/bin/pip install ./starlette httpx2 pytest websockets ...
    python scripts/starlette_suites/run.py venv/bin/python starlette tests

PYTHON has the suite's requirements, and `websockets`. Nothing of the suite is changed: `plugin.py` takes the
place of its TestClient's transport. What is about TestClient itself (`tests/test_testclient.py`), or what no
HTTP carries, fails. TESTS are arguments of pytest. Ends with its status.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from relive_platform.registry import Registry

_HERE: Final = Path(__file__).resolve().parent
_TOML: Final = """[app]
name = "bridge"
[functions.bridge]
kind = "service"
app = "bridge:app"
max_workers = 1
isolation_tier = 0
timeout_s = 60
memory_mb = 1024
[[functions.bridge.triggers]]
type = "http"
path = "/"
[[functions.bridge.triggers]]
type = "http"
path = "/{path+}"
"""
_OPTIONS: Final = ("filterwarnings=default", "strict=false", "strict_markers=false", "strict_config=false")


def main(python: Path, suite: Path, arguments: list[str]) -> int:
    """pytest's status."""
    with tempfile.TemporaryDirectory(prefix="relive-suite-") as name:
        home, app = Path(name, "home"), Path(name, "app")
        app.mkdir()
        shutil.copy(_HERE / "bridge.py", app)
        (app / "relive.toml").write_text(_TOML)
        registry = Registry(home)
        registry.deploy(app)
        registry.close()
        environment = os.environ | {"RELIVE_HOME": str(home), "RELIVE_ALLOWED_HOSTS": "*"}
        relive = [sys.executable, "-m", "relive"]
        subprocess.run([*relive, "serve", "--daemon", "--http", "127.0.0.1:0"], env=environment, check=True)
        try:
            told = subprocess.run(
                [*relive, "status", "--json"], env=environment, capture_output=True, check=True
            )
            bridge = json.loads(told.stdout)["http"].removeprefix("http://")
            options = [word for option in _OPTIONS for word in ("-o", option)]
            command = [str(python.absolute()), "-m", "pytest", "-p", "plugin", "-q", *options, *arguments]
            given = os.environ | {"BRIDGE": bridge, "PYTHONPATH": str(_HERE)}
            return subprocess.run(command, cwd=suite, env=given, check=False).returncode
        finally:
            subprocess.run([*relive, "stop"], env=environment, check=False)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:] or ["tests"]))
