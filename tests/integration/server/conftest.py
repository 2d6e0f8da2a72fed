"""An application whose functions fail in every way, and a home for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from server_harness import write_app

__all__ = ["app", "shop_app"]

SOURCE = """
import logging, os, signal, time
from opentelemetry import trace

def fine(event, context):
    print("printed", event)
    logging.getLogger("shop").warning("logged")
    with trace.get_tracer("shop").start_as_current_span("price"):
        pass
    return {"got": event}

def fails(event, context):
    secret_basket = event
    raise KeyError("sku")

def dies(event, context):
    with trace.get_tracer("shop").start_as_current_span("before death"):
        print("last words")
    os.kill(os.getpid(), signal.SIGKILL)

def stuck(event, context):
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    time.sleep(60)

def hog(event, context):
    hoard = []
    while True:
        hoard.append(bytearray(1 << 20))
        time.sleep(0.005)

def flaky(event, context):
    if not os.path.exists(event["go"]):
        os._exit(1)
    return "at last"

def caller(event, context):
    import relive
    return relive.invoke("fine", {"from": "caller"})

def slow(event, context):
    time.sleep(event)
    return "done"
"""
NAMES = ("fine", "fails", "dies", "stuck", "hog", "flaky", "caller", "slow")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Its folder."""
    return _written(tmp_path / "app")


@pytest.fixture(scope="module")
def shop_app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder, for all tests of a module."""
    return _written(tmp_path_factory.mktemp("shop") / "app")


def _written(folder: Path) -> Path:
    functions = "".join(
        f'[functions.{name}]\nsource = "."\nhandler = "app:{name}"\nmemory_mb = 128\n'
        f"retries = {6 if name == 'flaky' else 1}\n"
        f"{'isolation_tier = 0' if name == 'flaky' else ''}\n"
        f"timeout_s = {0.4 if name == 'stuck' else 60}\n"
        for name in NAMES
    )
    return write_app(folder, SOURCE, functions)
