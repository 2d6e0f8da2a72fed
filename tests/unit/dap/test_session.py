"""A session with a client that sends whatever it likes: each request has its answer, and nothing ends it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relive.dap.channel import Channel
from relive.dap.requests import Given
from relive.dap.session import Session
from relive.dap.targets.base import Target
from relive.dap.targets.scene import SceneTarget
from relive.dap.wire import Decoder, encode
from relive_capture.explore.scene import SceneFile, read_scene
from whole_scene import write_whole_scene


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> SceneFile:
    return read_scene(write_whole_scene(tmp_path_factory.mktemp("scene")))


def talked(
    scene: SceneFile, requests: list[dict[str, Any]], root: Path | None = None
) -> list[dict[str, Any]]:
    """What the client gets."""
    data = [
        b"".join(encode({"type": "request", "seq": number, **one}) for number, one in enumerate(requests, 1))
    ]
    sent: list[dict[str, Any]] = []
    decoder = Decoder()

    def opener(_given: Given, *, again: bool, say: Callable[[str], None]) -> Target:
        return SceneTarget(scene)

    channel = Channel(lambda _size: data.pop() if data else b"", lambda out: sent.extend(decoder.feed(out)))
    session = Session(channel, opener, root=root)
    channel.start(session.urgent)
    session.run()
    return sent


def asked(command: str, **arguments: Any) -> dict[str, Any]:
    return {"command": command, "arguments": arguments}


OPENED = [asked("initialize", linesStartAt1=True), asked("attach"), asked("configurationDone")]


def answers(sent: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in sent if one["type"] == "response"][len(OPENED) :]


def test_the_failure_and_what_it_was_raised_from_are_stacks(scene: SceneFile) -> None:
    sent = talked(scene, [*OPENED, asked("threads"), asked("exceptionInfo", threadId=1), asked("disconnect")])

    threads, _, left = answers(sent)
    names = [thread["name"] for thread in threads["body"]["threads"]]
    assert names[0].startswith("ExceptionGroup: many")
    assert any(name.startswith("KeyError") for name in names)
    assert left["success"]
    assert [one["event"] for one in sent if one["type"] == "event"][-1] == "stopped"


def test_values_are_opened_by_pages_and_cut_ones_say_so(scene: SceneFile) -> None:
    stack = talked(scene, [*OPENED, asked("threads")])
    key_error = next(
        thread["id"]
        for thread in answers(stack)[0]["body"]["threads"]
        if thread["name"].startswith("KeyError")
    )
    frame = answers(talked(scene, [*OPENED, asked("stackTrace", threadId=key_error)]))[0]["body"][
        "stackFrames"
    ][0]
    scope, named, cart, refused = answers(
        talked(
            scene,
            [
                *OPENED,
                asked("scopes", frameId=frame["id"]),
                asked("variables", variablesReference=1),
                asked("evaluate", expression="cart[1].sku", frameId=frame["id"], context="watch"),
                asked("evaluate", expression="__import__('os').system('x')", frameId=frame["id"]),
            ],
        )
    )

    assert scope["body"]["scopes"][0]["name"] == "Locals"
    assert {"item", "prices", "cart", "big"} <= {row["name"] for row in named["body"]["variables"]}
    assert cart["body"]["result"] == "'a'"
    assert not refused["success"]


junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=10)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=10), inner, max_size=3)
    ),
    max_leaves=6,
)
names = st.sampled_from([
    "threads", "stackTrace", "scopes", "variables", "evaluate", "source", "setBreakpoints", "exceptionInfo",
    "next", "stepBack", "pause", "cancel", "completions", "restart", "launch", "x",
])  # fmt: skip
keys = st.sampled_from([
    "threadId", "frameId", "variablesReference", "expression", "context", "source", "breakpoints", "start",
    "count", "filter", "text", "column", "requestId", "sourceReference", "levels", "startFrame",
])  # fmt: skip


@settings(max_examples=40)
@given(st.lists(st.tuples(names, st.one_of(junk, st.dictionaries(keys, junk, max_size=5))), max_size=8))
def test_whatever_is_asked_has_one_answer(scene: SceneFile, asks: list[tuple[str, Any]]) -> None:
    sent = talked(scene, [*OPENED, *({"command": name, "arguments": given} for name, given in asks)])

    numbers = [one["request_seq"] for one in sent if one["type"] == "response"]
    assert numbers == list(range(1, len(OPENED) + len(asks) + 1))
    json.dumps(sent)
