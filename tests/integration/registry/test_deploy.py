"""Deploys with real trial processes, and a deploy that is killed half-way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from relive_platform.registry import DeployError, Registry, SubprocessTrial
from relive_platform.registry.application import ConfigError, Given

GOOD = "def handler(event, context):\n    return 1\n"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "f"
    folder.mkdir()
    (folder / "m.py").write_text(GOOD)
    return folder


@pytest.fixture
def registry(tmp_path: Path):
    opened = Registry(
        tmp_path / "home", trial=SubprocessTrial(timeout_s=120, sandbox_home=str(tmp_path / "home"))
    )
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("code", "line", "says"),
    [
        ("import os\nimport no_such_module\ndef handler(e, c): ...\n", 2, "No module named 'no_such_module'"),
        ("def handler(e, c): ...\nraise ValueError('odd')\n", 2, "ValueError: odd"),
        ("def make(): return 3\nhandler = make()\n", 0, "a int, which is not callable"),
        ("def handler(e, c): ...\nimport sys; sys.exit(3)\n", 2, "SystemExit: 3"),
        ("def handler(e, c): ...\nimport os; os._exit(3)\n", 0, "ended the process with status 3"),
        ("def handler(e, c): ...\nimport os; os.kill(os.getpid(), 11)\n", 0, "SIGSEGV"),
        ("from helper import *\n", 1, "No module named 'helper'"),
    ],
)
def test_code_that_does_not_load_is_refused_where_it_fails(registry, source, code, line, says) -> None:
    registry.deploy(source, "f", "m:handler")
    (source / "m.py").write_text(code)

    with pytest.raises(DeployError) as caught:
        registry.deploy(source, "f", "m:handler")

    assert says in caught.value.message
    assert caught.value.where == (f"{source}/m.py:{line}" if line else caught.value.where)
    assert registry.get("f").version == 1


def test_loading_that_never_ends_is_ended(source, tmp_path) -> None:
    registry = Registry(
        tmp_path / "home", trial=SubprocessTrial(timeout_s=1.0, sandbox_home=str(tmp_path / "home"))
    )
    (source / "m.py").write_text("def handler(e, c): ...\nwhile True: pass\n")

    with pytest.raises(DeployError, match="longer than 1 s"):
        registry.deploy(source, "f", "m:handler")
    registry.close()


def test_what_the_code_prints_or_reads_at_import_does_not_disturb(registry, source) -> None:
    (source / "m.py").write_text(
        "import os, sys\nprint('{}')\nos.write(1, b'x' * 10)\nsys.stdin.read()\n" + GOOD
    )

    assert registry.deploy(source, "f", "m:handler")[0].version == 1


KILLED = """
import os, signal, sys
from relive_platform.registry import Registry
def trial(version):
    print("trial", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
Registry(sys.argv[1], trial=trial).deploy(sys.argv[2], "f", "m:handler")
"""


def test_a_deploy_that_is_killed_leaves_the_old_version_and_can_be_repeated(
    registry, source, tmp_path
) -> None:
    # Given a version in service, and a deploy of the next one that dies before its last step
    registry.deploy(source, "f", "m:handler")
    (source / "m.py").write_text(GOOD + "# changed\n")
    home = str(tmp_path / "home")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, home, str(source)], capture_output=True, text=True, check=False
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert os.listdir(tmp_path / "home" / "code" / "f") != ["1"]

    # Then the old version is in service, for this process and a new one
    assert registry.get("f").version == 1

    # And the same deploy works
    assert registry.deploy(source, "f", "m:handler")[0].version == 2
    assert "# changed" in (Path(registry.get("f").code_dir) / "m.py").read_text()


def test_a_template_is_deployed_with_its_layers_and_shared_code(registry, tmp_path) -> None:
    # Given a template with a function in a folder and one in the template, a layer, and a parameter
    app = tmp_path / "app"
    (app / "src").mkdir(parents=True)
    (app / "layer" / "python").mkdir(parents=True)
    (app / "layer" / "python" / "shared.py").write_text("NAME = 'shared'\n")
    (app / "src" / "app.py").write_text(
        "import os, shared\nSTAGE = os.environ['STAGE']\ndef handler(e, c): ...\n"
    )
    (app / "template.yaml").write_text("""\
Parameters: {Stage: {Type: String}}
Globals: {Function: {Handler: app.handler}}
Resources:
  InFolder:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src
      Layers: [!Ref Tools]
      Environment: {Variables: {STAGE: !Ref Stage}}
      Policies: [AWSLambdaExecute]
  Inside:
    Type: AWS::Serverless::Function
    Properties:
      Handler: index.handler
      InlineCode: |
        def handler(event, context): return 2
  Tools: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layer}}
""")
    steps = []
    # When it is deployed, by its folder
    deployed = registry.deploy(
        app, progress=steps.append, given=Given(parameters={"Stage": "test"}, config_env="default")
    )
    # I expect both to load as they would on Lambda, and what is ignored to be told with its place
    assert [(entry.function, entry.version) for entry in deployed] == [("InFolder", 1), ("Inside", 1)]
    code = Path(registry.get("InFolder").code_dir)
    assert (code / ".layers/python/shared.py").is_file()
    assert os.listdir(registry.get("Inside").code_dir) == ["index.py"]
    told = [step.ignored for step in steps if step.stage == "ignored" and not step.ignored.describes]
    assert [(note.file, note.line, note.key) for note in told] == [
        (str(app / "template.yaml"), 10, "Resources.InFolder.Properties.Policies")
    ]
    # The same again is no new version; a changed layer is one
    assert all(entry.unchanged for entry in registry.deploy(app, given=Given(parameters={"Stage": "test"})))
    (app / "layer" / "python" / "shared.py").write_text("NAME = 'changed'\n")
    again = registry.deploy(app, given=Given(parameters={"Stage": "test"}))
    assert [(entry.function, entry.version) for entry in again] == [("InFolder", 2), ("Inside", 1)]
    with pytest.raises(ConfigError, match="it has no value"):
        registry.deploy(app)
