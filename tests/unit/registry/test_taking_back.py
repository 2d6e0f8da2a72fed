"""Earlier versions in service again, and functions out of service."""

from __future__ import annotations

from pathlib import Path

import pytest
from relive_platform.registry import DeployError, FunctionVersion, Registry, TrialResult, UnknownFunction
from relive_platform.registry.packages.content import remove_tree


class Trial:
    """Loads everything but what it is told not to."""

    def __init__(self) -> None:
        self.broken: set[int] = set()

    def __call__(self, version: FunctionVersion) -> TrialResult:
        return TrialResult(ok=version.version not in self.broken, message="no module named x")


@pytest.fixture
def trial() -> Trial:
    return Trial()


@pytest.fixture
def registry(tmp_path: Path, trial: Trial):
    opened = Registry(tmp_path / "home", trial=trial)
    yield opened
    opened.close()


@pytest.fixture
def three(registry: Registry, tmp_path: Path) -> Registry:
    """Three versions of `shop` of the application of that name."""
    folder = tmp_path / "shop"
    folder.mkdir()
    for number in (1, 2, 3):
        (folder / "m.py").write_text(f"def handler(event, context):\n    return {number}\n")
        registry.deploy(folder, "shop", "m:handler")
    return registry


def served(registry: Registry) -> dict[str, int]:
    return {version.name: version.version for version in registry.functions()}


def test_the_version_before_and_any_other(three: Registry) -> None:
    told: list[dict[str, int]] = []
    three.on_change(lambda versions: told.append({v.name: v.version for v in versions}))

    assert three.roll_back("shop").version == 2
    assert three.roll_back("shop").version == 1
    with pytest.raises(UnknownFunction, match="no version before 1"):
        three.roll_back("shop")
    assert three.roll_back("shop", 3).version == 3
    with pytest.raises(UnknownFunction, match="no version 9"):
        three.roll_back("shop", 9)

    assert [entry["shop"] for entry in told] == [2, 1, 3]


def test_what_does_not_load_any_more_or_is_gone_is_refused(three: Registry, trial: Trial) -> None:
    trial.broken = {2}
    with pytest.raises(DeployError, match="does not load any more: no module named x"):
        three.roll_back("shop")
    remove_tree(Path(three.get("shop", 1).code_dir))
    with pytest.raises(DeployError, match="not kept any more"):
        three.roll_back("shop", 1)

    assert served(three) == {"shop": 3}


def test_out_of_service_and_back(three: Registry) -> None:
    assert three.undeploy("shop") == ["shop"]
    assert served(three) == {}
    with pytest.raises(UnknownFunction, match="no function and no application"):
        three.undeploy("shop")

    assert three.roll_back("shop").version == 3  # the last one that was in service
    assert served(three) == {"shop": 3}


def test_all_of_an_application(registry: Registry, tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    (folder / "m.py").write_text("def handler(event, context): ...\n")
    (folder / "relive.toml").write_text(
        '[app]\nname = "store"\n[functions.a]\nsource = "."\nhandler = "m:handler"\n'
        '[functions.b]\nsource = "."\nhandler = "m:handler"\n'
    )
    registry.deploy(folder)

    assert sorted(registry.undeploy("store")) == ["a", "b"]
    assert served(registry) == {}
