"""AWS Lambda's own runtime as the host, with the layer."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

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


UNLOADABLE = {
    "an import": ("import not_there_at_all\n", "ModuleNotFoundError"),
    "a syntax": ("def handler(:\n", "SyntaxError"),
    "no handler": ("handle = None\n", "AttributeError"),
    "its own": ("def rates():\n    return 1 / 0\n\nRATES = rates()\n", "ZeroDivisionError"),
    "for once": (
        "import os\nif not os.path.exists('once'):\n    os.mkdir('once')\n    raise OSError('once')\n"
        "def handler(event, context):\n    return 'loaded'\n",
        "OSError",
    ),
}


@pytest.mark.parametrize(("source", "error"), UNLOADABLE.values(), ids=UNLOADABLE.keys())
def test_a_function_that_cannot_be_loaded(tmp_path: Path, layer: Path, source: str, error: str) -> None:
    # Given a module that counts how often it is loaded, and fails then
    told = []
    for number, given in enumerate((None, layer)):
        folder = tmp_path / str(number)
        task = folder / "task"
        task.mkdir(parents=True)
        (task / "shop.py").write_text(f"open('loads', 'a').write('.')\n{source}")
        # When it is loaded without the layer, and with it
        with lambda_host(folder, given, RELIVE_RECORD_WAIT_S="60") as host:
            kind, body = host.answers.get(timeout=PATIENCE_S)
        loads = (task / "loads").read_text() if (task / "loads").exists() else ""
        told.append((kind, json.loads(body.replace(os.fsencode(folder), b"FOLDER")), loads))
    # I expect the very same to be told, frames included, and it to be loaded once
    assert told[1] == told[0]
    # ... and a scene of what it has raised
    (scene,) = scenes_in(tmp_path / "1", 1)
    assert (scene.manifest["kind"], scene.manifest["error"]["type"]) == ("init", error)


UNTOLD = """
class Wrong(Exception):
    def __str__(self):
        raise RuntimeError("no text")
raise Wrong
"""


@pytest.mark.parametrize("source", [UNTOLD, "import sys\nsys.exit(4)\n"])
def test_what_ends_the_runtime_ends_it_as_before(tmp_path: Path, layer: Path, source: str) -> None:
    # Given a module whose failure Lambda's runtime does not tell of: it ends
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "shop.py").write_text(source)
    ended = []
    for given in (None, layer):
        with lambda_host(tmp_path, given, RELIVE_RECORD_WAIT_S="60") as host:
            assert host.process is not None
            ended.append((host.process.wait(PATIENCE_S), host.answers.qsize()))
        ended[-1] += tuple((tmp_path / "host.log").read_text().splitlines()[-1:])
    # I expect the same end with the layer, and a scene
    assert ended[1] == ended[0]
    assert len(scenes_in(tmp_path, 1)) == 1


SEES = """
import os, sys
address = b"AWS_LAMBDA_RUNTIME_API"
SEEN = [sorted(repr(one) for one in os.environb.items() if one[0] != address), sys.argv, sys.orig_argv]
def handler(event, context):
    return SEEN
"""
ODD = {"a.b": "1", "x-y": "2", "1x": "3", "IFS": ":", "PWD": "/nowhere", "BASH_FUNC_f%%": "() {  :; }"}
OWN = dict.fromkeys(("name", "word", "before", "ours", "seed", "RELIVE_RECORD_WORD"), "mine")


@pytest.mark.parametrize("command", [(), ("-m", "awslambdaric", "shop.handler", "a b", "")])
def test_what_a_function_sees(tmp_path: Path, layer: Path, command: tuple[str, ...]) -> None:
    # Given a function with variables that a shell does not pass on, and names that a script might use
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "shop.py").write_text(SEES)
    path = f"{tmp_path / 'task'}{os.pathsep}{layer / 'python'}"
    # When it tells what it sees, without the layer and with it
    with lambda_host(tmp_path, None, command=command, **ODD, **OWN, PYTHONPATH=path) as host:
        plain = host.invoke({})
    with lambda_host(tmp_path, layer, command=command, **ODD, **OWN, PYTHONPATH=path) as host:
        # I expect the same environment and arguments
        assert host.invoke({}) == plain


def run_by(shell: str, layer: Path, *command: str, **variables: str) -> Any:
    """What a command of Python's sees once the wrapper's changes are taken back: handler, variables,
    arguments; and the hash seed before that."""
    script = (
        "import json, os, sys\n"
        "seed = os.environ.get('PYTHONHASHSEED', '')\n"
        "from relive_outside.hosts.wrapped import unwrapped\n"
        "name = unwrapped('relive_outside.hosts.aws_lambda.handler')\n"
        "json.dump([name, dict(os.environ), sys.argv[1:], seed], sys.stdout)\n"
    )
    ran = subprocess.run(
        [shell, str(layer / "relive-record"), sys.executable, "-c", script, *command],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(layer / "python"),
            "LC_ALL": "C.UTF-8",
            **variables,
        },
        capture_output=True,
        timeout=PATIENCE_S,
        check=True,
    )
    return json.loads(ran.stdout)


@pytest.mark.parametrize("shell", [one for one in ("sh", "dash", "bash", "busybox") if shutil.which(one)])
def test_every_shell_leaves_the_environment_as_it_was(layer: Path, shell: str) -> None:
    given = {**ODD, **OWN, "_HANDLER": "app.handler"}
    name, seen, words, seed = run_by(shell, layer, "a  b", "*", "", **given)
    assert (name, words) == ("app.handler", ["a  b", "*", ""])
    assert seed.isdecimal()
    assert {key: seen[key] for key in given} == given
    assert set(seen) == {*given, "PATH", "PYTHONPATH", "LC_ALL"}
    # ... also one whose copy would be over the system's limit for a variable, but for what the shell lost
    name, seen, _, _ = run_by(shell, layer, LARGE="x" * 100_000, _HANDLER="app.handler", name="mine")
    assert (name, seen["_HANDLER"], seen["name"], len(seen["LARGE"])) == ("app.handler",) * 2 + (
        "mine",
        100_000,
    )


def test_a_seed_that_is_chosen_stays(layer: Path) -> None:
    _, seen, _, seed = run_by("sh", layer, _HANDLER="app.handler", PYTHONHASHSEED="7")
    assert (seed, seen["PYTHONHASHSEED"]) == ("7", "7")


def test_many_arguments_take_no_time(layer: Path) -> None:
    many = [str(number) for number in range(20_000)]
    assert run_by("sh", layer, *many, _HANDLER="app.handler")[2] == many
    name, _, words, _ = run_by("sh", layer, "awslambdaric", "app.handler", *many)
    assert (name, words) == ("app.handler", ["awslambdaric", "app.handler", *many])


@pytest.mark.parametrize("words", [("awslambdaric", ""), ("awslambdaric",), ()])
def test_no_handler_leaves_no_variable(layer: Path, words: tuple[str, ...]) -> None:
    given = {"PATH": os.environ["PATH"]}
    code = "import os; print(sorted(os.environ))"
    command = [str(layer / "relive-record"), sys.executable, "-Ic", code, *words]
    ran = subprocess.run(command, env=given, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    assert "RELIVE" not in ran.stdout
    assert "PYTHONHASHSEED" not in ran.stdout
    assert "nothing is recorded" in ran.stderr


def test_a_sandbox_that_ran_out_of_memory_is_told_of_by_the_next(tmp_path: Path, layer: Path) -> None:
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "shop.py").write_text(KILLED)
    with lambda_host(tmp_path, layer) as host:
        host.events.put(b'{"kill": true}')
        assert host.process is not None
        assert host.process.wait(PATIENCE_S) == -9
    # When another sandbox answers, I expect a scene of what the first one was at
    with lambda_host(tmp_path, layer) as second:
        assert second.invoke({"kill": False}) == ("response", 1)
        (scene,) = scenes_in(tmp_path, 1)
    assert scene.manifest["error"]["type"] == "Killed"


def test_a_sandbox_that_is_killed_later_is_told_of_by_one_that_has_begun(tmp_path: Path, layer: Path) -> None:
    # Given two sandboxes that have begun, of which one is killed
    (tmp_path / "task").mkdir()
    (tmp_path / "task" / "shop.py").write_text(KILLED)
    with lambda_host(tmp_path, layer) as host, lambda_host(tmp_path, layer) as second:
        assert host.process is not None
        host.events.put(b'{"kill": true}')
        assert host.process.wait(PATIENCE_S) == -9
        # When the other one has its first event, I expect a scene
        assert second.invoke({"kill": False}) == ("response", 1)
        (scene,) = scenes_in(tmp_path, 1)
    assert scene.manifest["error"]["type"] == "Killed"
