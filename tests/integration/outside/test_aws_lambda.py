"""AWS Lambda's own runtime as the host, with the layer."""

from __future__ import annotations

import json
import platform
import subprocess
import zipfile
from pathlib import Path

import pytest
from lambda_host import lambda_host
from patience import PATIENCE_S
from recorded_hosts import scenes_in
from relive.layer.building import build_layer, write_layer
from relive_capture.explore.parts import outside_facts
from relive_platform.replay import ReplayOptions, replay

SHOP = """
import logging, os, random, time
logger = logging.getLogger("shop")
RATES = {"DE": 490}

def shipping(address):
    return RATES[address["country"]]

def handler(event, context):
    logger.warning("an order")
    if event.get("sleep"):
        time.sleep(event["sleep"])
    return {"cents": shipping(event["address"]), "handler": os.environ["_HANDLER"]}
"""
KILLED = """
import os
def handler(event, context):
    if event["kill"]:
        os.kill(os.getpid(), 9)
    return 1
"""
GOOD = {"address": {"country": "DE"}}
BAD = {"address": {"street": "Lane 3"}, "api_key": "hunter2-hunter2-hunter2"}


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The layer as Lambda unpacks it, of this Python."""
    folder = tmp_path_factory.mktemp("layer")
    made = build_layer(architecture="arm64" if platform.machine() in ("aarch64", "arm64") else "x86_64")
    assert write_layer(made.files, folder / "layer.zip") < 2 * 1_048_576
    with zipfile.ZipFile(folder / "layer.zip") as archive:
        archive.extractall(folder / "opt")
        names = archive.namelist()
    (folder / "opt" / "relive-record").chmod(0o755)
    tops = {name.split("/")[1] for name in names if name.startswith("python/")}
    own = {"relive", "relive_base", "relive_capture", "relive_outside", "relive_runtime", "relive_tracer"}
    assert {top for top in tops if not top.startswith("msgspec")} == own
    return folder / "opt"


def test_an_invocation_that_fails(tmp_path: Path, layer: Path) -> None:
    # Given the same function with the layer and without it
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "shop.py").write_text(SHOP)
    with lambda_host(tmp_path, None) as host:
        plain, plain_error = host.invoke(GOOD), host.invoke(BAD)
    # When it succeeds and fails, I expect the very same answers
    with lambda_host(tmp_path, layer, RELIVE_RECORD_WAIT_S="60") as host:
        assert host.invoke(GOOD) == plain
        kind, error = host.invoke(BAD)
        again = host.invoke(GOOD)
    assert again == plain
    assert (kind, error["errorType"], error["errorMessage"]) == (
        plain_error[0], plain_error[1]["errorType"], plain_error[1]["errorMessage"],
    )  # fmt: skip
    # ... a scene of what has failed, and the trace continued
    (scene,) = scenes_in(tmp_path, 1)
    facts = outside_facts(scene)
    assert facts is not None
    assert (facts.host, facts.details["region"], facts.handler) == ("lambda", "eu-west-1", "shop:handler")
    assert scene.manifest["trace_id"] == "5759e988bd862e3fe1be46a994272793"
    assert scene.exceptions[0].frames[-1].function == "shipping"
    assert json.loads(scene.event)["api_key"] == "[redacted]"
    assert [line.body for line in scene.logs] == ["an order"]
    # ... which is the same one in a replay, and from where one can go back
    home = tmp_path / "home"
    assert replay(scene, home, ReplayOptions(code=tmp_path / "task", travel=True)).outcome == "same"


def test_a_container_whose_command_names_the_handler(tmp_path: Path, layer: Path) -> None:
    # Given the command of an image, which is told the handler as an argument
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "shop.py").write_text(SHOP.replace('["_HANDLER"]', '.get("_HANDLER")'))
    command = ("-m", "awslambdaric", "shop.handler")
    with lambda_host(tmp_path, layer, command=command, RELIVE_RECORD_WAIT_S="60") as host:
        # When it succeeds and fails, I expect it to see no variable that is not its own
        assert host.invoke(GOOD) == ("response", {"cents": 490, "handler": None})
        assert host.invoke(BAD)[0] == "error"
    # ... and a scene
    (scene,) = scenes_in(tmp_path, 1)
    assert scene.exceptions[0].frames[-1].function == "shipping"


def test_a_command_that_names_no_handler(tmp_path: Path, layer: Path) -> None:
    # When the wrapper knows no handler, I expect the command to run as it is, and that to be said
    words = ["a b", "", "$HOME", "*"]
    command = [str(layer / "relive-record"), "printf", "%s\n", *words]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert ran.stdout.split("\n") == [*words, ""]
    assert "nothing is recorded" in ran.stderr


def test_an_invocation_that_lambda_is_about_to_end(tmp_path: Path, layer: Path) -> None:
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "shop.py").write_text(SHOP)
    with lambda_host(tmp_path, layer, timeout_s=4.0) as host:
        host.events.put(json.dumps({**BAD, "sleep": 600}).encode())
        (scene,) = scenes_in(tmp_path, 1)
    assert scene.manifest["kind"] == "timeout"
    assert scene.exceptions[0].frames[-1].function == "handler"
    assert "time.sleep" in "".join(scene.exceptions[0].frames[-1].source)


def test_a_function_that_cannot_be_loaded(tmp_path: Path, layer: Path) -> None:
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "shop.py").write_text("import not_there_at_all\n")
    with lambda_host(tmp_path, layer, RELIVE_RECORD_WAIT_S="60") as host:
        kind, error = host.answers.get(timeout=120)
    assert (kind, json.loads(error)["errorType"]) == ("error", "Runtime.ImportModuleError")
    (scene,) = scenes_in(tmp_path, 1)
    assert (scene.manifest["kind"], scene.manifest["error"]["type"]) == ("init", "ModuleNotFoundError")


def test_a_sandbox_that_ran_out_of_memory_is_told_of_by_the_next(tmp_path: Path, layer: Path) -> None:
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "shop.py").write_text(KILLED)
    with lambda_host(tmp_path, layer) as host:
        host.events.put(b'{"kill": true}')
        with lambda_host(tmp_path, layer) as second:
            # The first one may not be gone yet: the next invocation of another sandbox looks again
            assert second.invoke({"kill": False}) == ("response", 1)
    with lambda_host(tmp_path, layer) as third:
        assert third.invoke({"kill": False}) == ("response", 1)
        (scene,) = scenes_in(tmp_path, 1)
    assert scene.manifest["error"]["type"] == "Killed"
