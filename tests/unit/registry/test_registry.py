"""Deploys: numbered, immutable, all or nothing; what fails leaves in service what was there."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
from relive_base.errors import UsageError
from relive_platform.registry import DeployError, Registry, TrialResult, UnknownFunction
from relive_platform.registry.application import ConfigError
from relive_platform.registry.packages import PackageError

CODE = "def handler(event, context):\n    return 1\n"
CHANGED = "def handler(event, context):\n    return 2\n"
ROUTE = '[[functions.{}.triggers]]\ntype = "http"\npath = "/x"\n'


def serving(registry: Registry) -> dict[str, int]:
    return {version.name: version.version for version in registry.functions()}


def test_a_deploy_makes_a_version_that_says_everything_a_worker_needs(registry, write, tmp_path) -> None:
    root = write(f=(CODE, 'environment = { A = "1" }\ntimeout_s = 2.5\nredact = ["pin"]'))

    (deployed,) = registry.deploy(root)

    version = registry.get("f")
    assert (deployed.function, deployed.version, deployed.unchanged) == ("f", 1, False)
    assert version.code_dir == version.spec.source == str(tmp_path / "home" / "code" / "f" / "1")
    assert (Path(version.code_dir) / "main.py").read_text() == CODE
    assert (version.spec.app, version.spec.handler, version.spec.timeout_s) == ("shop", "main:handler", 2.5)
    assert version.spec.environment == {"A": "1"}
    assert version.spec.redact_keys == ["pin"]
    assert version.spec.code_hash == deployed.code_hash
    assert (version.deps_dir, version.preload) == ("", ())


def test_versions_are_numbered_and_old_ones_stay_as_they_were(registry, write) -> None:
    registry.deploy(write(f=(CODE, "")))
    registry.deploy(write(f=(CHANGED, "")))

    assert serving(registry) == {"f": 2}
    assert (Path(registry.get("f", 1).code_dir) / "main.py").read_text() == CODE
    assert (Path(registry.get("f", 2).code_dir) / "main.py").read_text() == CHANGED
    mode = (Path(registry.get("f", 1).code_dir) / "main.py").stat().st_mode
    assert mode & 0o222 == 0


def test_the_same_code_and_configuration_make_no_new_version(registry, write) -> None:
    heard = []
    registry.on_change(heard.append)
    root = write(f=(CODE, ""))
    registry.deploy(root)

    (again,) = registry.deploy(root)
    (changed,) = registry.deploy(write(f=(CODE, "timeout_s = 9")))

    assert (again.version, again.unchanged) == (1, True)
    assert (changed.version, changed.unchanged) == (2, False)
    assert len(heard) == 2


def test_a_handler_that_does_not_load_leaves_the_running_version(registry, write, trial, tmp_path) -> None:
    registry.deploy(write(f=(CODE, "")))
    trial.answer = TrialResult(
        ok=False, message="NameError: x", file=str(tmp_path / "home/code/f/2/main.py"), line=3
    )
    root = write(f=(CHANGED, ""))

    with pytest.raises(DeployError, match="does not load: NameError: x") as caught:
        registry.deploy(root)

    assert caught.value.where == f"{root}/f/main.py:3"
    assert serving(registry) == {"f": 1}
    assert [path.name for path in (tmp_path / "home/code/f").iterdir()] == ["1"]


def test_an_application_goes_into_service_whole_or_not_at_all(registry, write, trial, tmp_path) -> None:
    registry.deploy(write(a=(CODE, ""), b=(CODE, "")))
    root = write(a=(CHANGED, ""), b=(CHANGED, ""))
    registry.set_trial(lambda version: TrialResult(ok=version.name == "a", message="no"))

    with pytest.raises(DeployError, match="'b' does not load"):
        registry.deploy(root)

    assert serving(registry) == {"a": 1, "b": 1}
    assert sorted(path.name for path in (tmp_path / "home/code/a").iterdir()) == ["1"]


def test_a_bad_configuration_changes_nothing(registry, write) -> None:
    registry.deploy(write(f=(CODE, "")))

    with pytest.raises(ConfigError, match="did you mean timeout_s"):
        registry.deploy(write(f=(CHANGED, "timout_s = 1")))

    assert serving(registry) == {"f": 1}


def test_a_function_that_left_the_application_leaves_service(registry, write) -> None:
    registry.deploy(write(a=(CODE, ""), b=(CODE, "")))
    registry.deploy(write("other", "other", c=(CODE, "")))
    stages = []

    registry.deploy(write(a=(CODE, "")), progress=stages.append)

    assert serving(registry) == {"a": 1, "c": 1}
    assert [(step.function) for step in stages if step.stage == "retired"] == ["b"]
    with pytest.raises(UnknownFunction):
        registry.get("b")
    assert registry.get("b", 1).version == 1

    # And it comes back under the next number
    registry.deploy(write(a=(CODE, ""), b=(CODE, "")))
    assert serving(registry)["b"] == 2


def test_one_function_of_an_application_can_be_deployed_alone(registry, write) -> None:
    registry.deploy(write(a=(CODE, ""), b=(CODE, "")))

    registry.deploy(write(a=(CHANGED, ""), b=(CHANGED, "")), name="a")

    assert serving(registry) == {"a": 2, "b": 1}
    with pytest.raises(UsageError, match="no function 'z'"):
        registry.deploy(write(a=(CODE, "")), name="z")


def test_a_route_of_another_application_is_not_taken(registry, write) -> None:
    registry.deploy(write(a=(CODE, ROUTE.format("a"))))

    with pytest.raises(DeployError, match="already a route of function 'a'"):
        registry.deploy(write("other", "other", b=(CODE, ROUTE.format("b"))))

    # But a function of the same application may be renamed
    registry.deploy(write("renamed", "shop", b=(CODE, ROUTE.format("b"))))
    assert serving(registry) == {"b": 1}


def test_a_folder_without_a_manifest(registry, tmp_path) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "m.py").write_text("handler = print")

    (deployed,) = registry.deploy(tmp_path / "plain", "plain", "m.handler")

    assert (deployed.function, registry.get("plain").spec.handler) == ("plain", "m:handler")


def pack(root: Path, target: Path, inside: str = "") -> Path:
    with zipfile.ZipFile(target, "w") as package:
        for path in sorted(root.rglob("*")):
            package.write(path, f"{inside}{path.relative_to(root)}")
    return target


@pytest.mark.parametrize("inside", ["", "app/"])
def test_a_zip_deploys_as_its_folder_does(registry, write, tmp_path, inside: str) -> None:
    root = write(f=(CODE, ""))
    registry.deploy(root)

    (deployed,) = registry.deploy(pack(root, tmp_path / "shop.zip", inside))

    assert deployed.unchanged
    assert list((tmp_path / "home" / "tmp").iterdir()) == []


def test_errors_in_a_zip_name_the_zip(registry, write, tmp_path) -> None:
    archive = pack(write(f=(CODE, "zzz = 1")), tmp_path / "shop.zip")
    with pytest.raises(ConfigError) as caught:
        registry.deploy(archive)
    assert caught.value.where == f"{archive}/relive.toml:6"

    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as package:
        package.writestr("../evil.py", "1")
    with pytest.raises(PackageError, match=r"entry '\.\./evil\.py'"):
        registry.deploy(tmp_path / "evil.zip")
    with pytest.raises(UsageError, match="no such file"):
        registry.deploy(tmp_path / "nothing.zip")
    assert list((tmp_path / "home" / "tmp").iterdir()) == []


def test_a_listener_that_fails_does_not_undo_the_deploy(registry, write) -> None:
    heard = []
    registry.on_change(lambda functions: 1 / 0)
    registry.on_change(heard.append)

    registry.deploy(write(f=(CODE, "")))

    assert [version.name for version in heard[0]] == ["f"]


def test_what_was_deployed_is_there_after_a_restart_and_when_the_home_moves(
    registry, write, tmp_path
) -> None:
    registry.deploy(write(f=(CODE, 'environment = { A = "1" }\n' + ROUTE.format("f"))))
    before = registry.get("f")
    registry.close()
    (tmp_path / "home").rename(tmp_path / "moved")

    again = Registry(tmp_path / "moved")

    after = again.get("f")
    assert after.config == before.config
    assert after.code_dir == str(tmp_path / "moved" / "code" / "f" / "1")
    assert (Path(after.code_dir) / "main.py").read_text() == CODE
    again.close()


def test_remains_of_a_deploy_that_was_killed_do_not_stand_in_the_way(registry, write, tmp_path) -> None:
    left = tmp_path / "home" / "code" / "f" / "1"
    left.mkdir(parents=True)
    (left / "main.py").write_text("half a fi")
    left.chmod(0o555)

    registry.deploy(write(f=(CODE, "")))

    assert (Path(registry.get("f").code_dir) / "main.py").read_text() == CODE


def test_an_unknown_function_or_version_is_a_clear_error(registry, write) -> None:
    registry.deploy(write(f=(CODE, "")))

    with pytest.raises(UnknownFunction, match="no function 'g'"):
        registry.get("g")
    with pytest.raises(UnknownFunction, match="'f' has no version 7"):
        registry.get("f", 7)


def test_what_a_killed_deploy_has_left_goes_in_time(registry: Registry, write, tmp_path: Path) -> None:
    # Given what deploys were copying when they were killed, a day ago and just now
    scratch = tmp_path / "home" / "tmp"
    for name in ("old", "new"):
        (scratch / name).mkdir(parents=True)
        (scratch / name / "main.py").write_text("half")
    (scratch / "old").chmod(0o555)
    (scratch / "old.zip").write_bytes(b"PK")
    for name in ("old", "old.zip"):
        os.utime(scratch / name, (1_000_000_000, 1_000_000_000))
    # When the next one deploys
    registry.deploy(write(f=("def handler(event, context): ...\n", "")))
    # I expect what nobody can be at any more to be gone
    assert [path.name for path in scratch.iterdir()] == ["new"]
