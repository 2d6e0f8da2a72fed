"""`relive import`: what it writes, and what it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from relive.group import cli
from relive_base.errors import Refused
from relive_platform.registry.application import ConfigError, load

TEMPLATE = """\
Parameters:
  Stage: {Type: String}
  Secret: {Type: String, NoEcho: true}
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: src
      Handler: app.handler
      Tags: {a: b}
      Policies: [AWSLambdaExecute]
      Environment: {Variables: {STAGE: !Ref Stage, SECRET: !Ref Secret}}
"""


@pytest.fixture
def app(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "app.py").write_text("def handler(event, context): ...\n")
    (folder / "template.yaml").write_text(TEMPLATE)
    return folder


def relive(app: Path, *words: str, **environment: str) -> Result:
    command = ["--home", str(app.parent / "home"), "import", str(app), *words]
    return CliRunner().invoke(cli, command, env=environment)


def test_the_relive_toml_is_written_beside_the_template(app: Path) -> None:
    # Given a parameter on the command line, and one whose value is in the environment only
    done = relive(app, "--parameter", "Stage=dev", "--parameter", "Secret", Secret="s3cret")
    # I expect the file, what is ignored with its place, and how much only describes
    assert done.exit_code == 0, done.output
    assert load(app / "relive.toml").functions["Hello"].environment == {"STAGE": "dev", "SECRET": "s3cret"}
    assert f"ignored: {app}/template.yaml:11: Resources.Hello.Properties.Policies" in done.output
    assert "and 1 more key without an effect" in done.output
    # A second time it is not written over, but with --force
    again = relive(app, "--parameter", "Stage=dev", "--parameter", "Secret=x")
    assert isinstance(again.exception, Refused)
    assert "s3cret" in (app / "relive.toml").read_text()
    assert relive(app, "--parameter", "Stage=prod", "--parameter", "Secret=x", "--force").exit_code == 0
    assert load(app / "relive.toml").functions["Hello"].environment["STAGE"] == "prod"


def test_on_standard_output_and_as_json(app: Path) -> None:
    given = ("--parameter", "Stage=dev", "--parameter", "Secret=x")
    shown = relive(app, *given, "--output", "-")
    assert shown.stdout.startswith("# Made of template.yaml by relive import.")
    assert not (app / "relive.toml").exists()
    row = json.loads(relive(app, *given, "--json").stdout)
    assert row["functions"] == ["Hello"]
    assert [(entry["ignored"].split(".")[-1], entry["describes"]) for entry in row["ignored"]] == [
        ("Tags", True),
        ("Policies", False),
    ]


def test_what_is_missing_is_said(app: Path) -> None:
    assert isinstance(relive(app).exception, ConfigError)
    assert "Secret has no value" in relive(app, "--parameter", "Secret").output
    strict = relive(app, "--parameter", "Stage=dev", "--parameter", "Secret=x", "--strict")
    assert isinstance(strict.exception, ConfigError)
    assert "Policies" in str(strict.exception)
