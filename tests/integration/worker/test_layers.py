"""Layers in a real worker: what is found of them, and what comes before them."""

from __future__ import annotations

from pathlib import Path

from tests.support.worker_harness import ZygoteHandle

MAIN = """
import os, subprocess, sys
import both, colorsys, queue, only
FROM = {module.__name__: module.FROM for module in (both, colorsys, queue, only)}
def handler(event, context):
    import logging.handlers  # needs the library's own queue
    ran = subprocess.run(["in-a-layer"], capture_output=True, text=True).stdout.strip()
    found = {"ran": ran, "layers": os.environ["RELIVE_LAYERS"]}
    return {**FROM, **found, "handlers": bool(logging.handlers.QueueHandler)}
"""


def test_layers_come_behind_the_code_and_before_the_standard_library(tmp_path: Path) -> None:
    # Given a version whose layers have modules of the code's and of the library's names, and a program
    with ZygoteHandle(tmp_path) as home:
        source = home.home / "code" / "v1"
        python, programs = source / ".layers" / "python", source / ".layers" / "bin"
        python.mkdir(parents=True)
        programs.mkdir()
        for name in ("both", "colorsys", "queue", "only"):
            (python / f"{name}.py").write_text('FROM = "layer"\n')
        (source / "both.py").write_text('FROM = "code"\n')
        (source / "main.py").write_text(MAIN)
        (programs / "in-a-layer").write_text("#!/bin/sh\necho yes\n")
        (programs / "in-a-layer").chmod(0o755)
        # When it runs
        worker = home.fork(home.spec(source))
        worker.start()
        found = worker.invoke().value
    # I expect the code's own modules first, then the layers', and the library unharmed
    assert found == {
        "both": "code",
        "colorsys": "layer",
        "queue": "layer",
        "only": "layer",
        "ran": "yes",
        "layers": str(source / ".layers"),
        "handlers": True,
    }
