"""What the first paint must not import."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from pathlib import Path
from relive.__main__ import main
from relive.ui import UiRequest, open_ui
assert UiRequest.parse(["--home", "/nowhere", "tui", "failure", "last"], {}) is not None
from relive_tui.app import ReliveApp
from relive_tui.source.home import DataSource
app = ReliveApp(DataSource(lambda: None, Path("/nowhere/scenes")))
app.get_default_screen()
heavy = ("chdb", "grpc", "numpy", "clickhouse_driver", "pyinstrument", "opentelemetry", "relive_platform",
         "relive_runtime", "relive_store", "rich.markdown", "click", "msgspec", "relive_views.records",
         "relive_views.failures", "relive_capture")
print([name for name in heavy if name in sys.modules])
"""


def test_nothing_heavy_is_imported_before_the_first_paint() -> None:
    # When the application and its first screen are made in a fresh interpreter
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    # Then neither engine, gRPC, numpy nor a screen that is not shown has been imported
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_models_know_no_terminal() -> None:
    program = (
        "import sys, pkgutil, importlib, relive_tui.models as m\n"
        "names = [i.name for i in pkgutil.walk_packages(m.__path__, 'relive_tui.models.')]\n"
        "[importlib.import_module(name) for name in names]\n"
        "print(len(names) > 30, 'textual' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True False", done.stderr
