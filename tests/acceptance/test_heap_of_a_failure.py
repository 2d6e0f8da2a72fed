"""A cache that grows until the memory is full: who holds it, and what a healthy invocation had instead."""

from __future__ import annotations

from typing import Any

from relive_cli import Relive, toml

THUMBS = """
_cache = {}

def load(path):
    page = [bytearray(20_000) for _ in range(10)]
    _cache[path] = page
    return page

def handler(event, context):
    first = event["first"]
    for number in range(first, first + event["count"]):
        load(f"/a/{number}.png")
    return len(_cache)
"""


def heap_part(relive: Relive, invocation_id: str) -> Any:
    """What the scene says of its heap, once that is settled."""

    def settled() -> Any:
        [found] = relive.json("failure", invocation_id, check=False) or [None]
        part = found["parts"]["heap"] if found is not None else None
        return part if part is not None and "being taken" not in part["reason"] else None

    return relive.eventually(settled, 60.0)


def test_what_filled_the_memory(server: Relive) -> None:
    lines = 'handler = "thumb:handler"\nmemory_mb = 96\ntimeout_s = 30'
    app = server.application({"thumb.py": THUMBS, "relive.toml": toml({"thumbs": lines})})
    server.run("deploy", str(app))

    # Given: the heap of a success
    said = server.run("heap", "thumbs", "--next").stdout
    assert "the next invocation of thumbs v1 that succeeds leaves its heap" in said
    assert server.invoke("thumbs", {"first": 0, "count": 3})["status"] == "ok"
    baselines = server.home / "scenes" / "baselines"
    server.eventually(lambda: list(baselines.glob("thumbs-v1.scene")), 60.0)

    # When: the memory is full
    failed = server.invoke("thumbs", {"first": 10, "count": 1_000_000})
    assert failed["status"] == "memory"

    # Then: the scene has frames and heap, which the process itself has saved
    part = heap_part(server, failed["invocation_id"])
    assert part == {"state": "ok", "reason": ""}
    [failure] = server.json("failure", failed["invocation_id"])
    assert failure["parts"]["exception"]["state"] == "ok"

    # And: the first line of the heap names who holds it
    [heap] = server.json("heap", failed["invocation_id"])
    suspect = heap["suspects"][0]
    assert suspect["path"].startswith("module thumb")
    assert "_cache" in suspect["point"]["path"]
    assert suspect["holds"]["type"] == "bytearray"
    assert suspect["share"] > 0.5
    assert heap["function"] == "thumbs"

    # And: beside the success it is what has grown
    [grown] = server.json("heap", failed["invocation_id"], "--compare", "baseline")
    assert any("_cache" in place["path"] for place in grown["places"][:3])

    # And: the same failure again says where its heap is
    taken = [failed["invocation_id"]]
    for _ in range(6):  # the memory may be full in another line, which is another failure
        again = server.invoke("thumbs", {"first": 10, "count": 1_000_000})
        part = heap_part(server, again["invocation_id"])
        if part["state"] == "missing":
            break
        taken.append(again["invocation_id"])
    assert part["state"] == "missing"
    assert any(ident in part["reason"] for ident in taken)


def test_capture_frames_takes_none(server: Relive) -> None:
    code = "def handler(event, context):\n    raise ValueError\n"
    lines = 'handler = "m:handler"\ncapture = "frames"'
    app = server.application({"m.py": code, "relive.toml": toml({"f": lines})})
    server.run("deploy", str(app))

    failed = server.invoke("f")

    part = heap_part(server, failed["invocation_id"])
    assert part["reason"] == 'capture = "frames" in relive.toml: no heap is kept'
    refused = server.run("heap", "f", "--next", check=False)
    assert refused.returncode != 0
    assert 'say capture = "full"' in refused.stderr
