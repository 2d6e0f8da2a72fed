"""State of the application's modules: plain data in short, without secrets, and none of its code runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType

import pytest
from relive_base.wire.messages import FunctionSpec
from relive_capture.record.module_state import module_state

CODE = """
import functools, logging
CALLS = []

class Cache:
    def __init__(self):
        self.hits = 3
    def __repr__(self):
        CALLS.append("repr")

@functools.lru_cache
def price(sku):
    return 1

price("a")
SEEN = {"A": 1}
CACHE = Cache()
API_TOKEN = "hunter2"
LOG = logging.getLogger()
__version__ = "1"
"""


def test_plain_data_own_objects_and_caches_are_told(
    spec: FunctionSpec, load: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = load(CODE)
    monkeypatch.setitem(sys.modules, module.__name__, module)

    found = module_state(spec)

    name = module.__name__
    assert found == {
        f"{name}.CALLS": "[]",
        f"{name}.SEEN": "{'A': 1}",
        f"{name}.CACHE": f"{name}.Cache(hits=3)",
        f"{name}.price": "<cache of 1>",
        f"{name}.API_TOKEN": "[redacted]",
    }
    assert module.CALLS == []
