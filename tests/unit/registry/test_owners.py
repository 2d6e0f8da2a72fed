"""Whose function it is, and a deploy that nobody wants any more."""

from __future__ import annotations

import threading
import zipfile
from pathlib import Path

import pytest
from relive_platform.registry import DeployError, Registry, TrialResult
from relive_platform.registry.cancellation import Cancellation, DeployCancelled
from relive_platform.registry.packages.dependencies import Dependencies

CODE = "def handler(event, context):\n    return 1\n"
OTHER = "def handler(event, context):\n    return 'other'\n"


def test_a_second_application_takes_no_function_of_another_silently(registry: Registry, write) -> None:
    # Given a function in service
    registry.deploy(write(app="shop", pay=(CODE, "")))

    # When another application has one of that name
    second = write("second", app="blog", pay=(OTHER, ""), post=(CODE, ""))
    with pytest.raises(DeployError, match="'pay' of application 'shop'") as caught:
        registry.deploy(second)

    # I expect it to be refused as a whole, and to say how it is meant
    assert "--take-over" in caught.value.hint
    assert {version.name: version.spec.app for version in registry.functions()} == {"pay": "shop"}
    # ... and to be done where it is asked for
    registry.deploy(second, take_over=True)
    assert {version.name: version.spec.app for version in registry.functions()} == {
        "pay": "blog",
        "post": "blog",
    }
    # ... and its own function to be its own again and again
    registry.deploy(write("second", app="blog", pay=(CODE, ""), post=(CODE, "")))
    with pytest.raises(DeployError, match="of application 'blog'"):
        registry.deploy(write(app="shop", pay=(CODE, "")))


def test_a_folder_without_a_manifest_takes_no_function_of_an_application(registry: Registry, write) -> None:
    registry.deploy(write(app="shop", pay=(CODE, "")))
    folder = write("alone", app="x", pay=(OTHER, "")) / "pay"

    with pytest.raises(DeployError, match="of application 'shop'"):
        registry.deploy(folder, "pay", "main:handler")


QUEUE = '[[functions.{}.triggers]]\ntype = "queue"\nqueue = "parcels"\n'


def test_a_queue_of_another_application_is_not_taken(registry: Registry, write) -> None:
    # Given an application with a queue
    registry.deploy(write(app="shop", pack=(CODE, QUEUE.format("pack"))))

    # I expect neither a queue nor a function of that name to get its events silently
    with pytest.raises(DeployError, match="queue 'parcels' is already one of function 'pack'"):
        registry.deploy(write("second", app="blog", post=(CODE, QUEUE.format("post"))))
    with pytest.raises(DeployError, match="go to 'pack' of application 'shop'"):
        registry.deploy(write("third", app="third", parcels=(CODE, "")))
    # ... and the application itself to move it as it likes
    registry.deploy(write(app="shop", pack=(CODE, ""), ship=(CODE, QUEUE.format("ship"))))
    assert registry.get("ship").config.triggers


def test_a_function_that_its_application_has_given_up_may_be_had_by_another(
    registry: Registry, write
) -> None:
    registry.deploy(write(app="shop", pay=(CODE, ""), ship=(CODE, "")))
    registry.deploy(write(app="shop", ship=(CODE, "")))

    registry.deploy(write("second", app="blog", pay=(OTHER, "")))

    assert registry.get("pay").spec.app == "blog"


@pytest.mark.parametrize("stage", ["read", "copy", "trial"])
def test_a_cancelled_deploy_does_not_go_live(registry: Registry, write, tmp_path, stage: str) -> None:
    # Given a deploy that is cancelled at some point
    registry.deploy(write(f=(CODE, "")))
    cancelled = Cancellation()
    changed = write(f=(OTHER, ""), g=(CODE, ""))

    def progress(step) -> None:  # type: ignore[no-untyped-def]
        if step.stage == stage:
            cancelled.cancel()

    # I expect what was in service to stay, and nothing to be left behind
    with pytest.raises(DeployCancelled):
        registry.deploy(changed, progress=progress, cancelled=cancelled)
    assert {version.name: version.version for version in registry.functions()} == {"f": 1}
    assert sorted(
        str(p.relative_to(tmp_path / "home")) for p in (tmp_path / "home" / "code").glob("*/*")
    ) == ["code/f/1"]
    # ... and the next deploy to be as any other
    registry.deploy(changed)
    assert {version.name: version.version for version in registry.functions()} == {"f": 2, "g": 1}


def test_a_deploy_that_waits_for_another_can_be_cancelled(tmp_path: Path, write) -> None:
    # Given a deploy whose trial takes its time, and one that waits for it
    begun, go_on = threading.Event(), threading.Event()

    def trial(version) -> TrialResult:  # type: ignore[no-untyped-def]
        begun.set()
        assert go_on.wait(120)
        return TrialResult(ok=True)

    registry = Registry(tmp_path / "home", trial=trial)
    cancelled = Cancellation()
    first = threading.Thread(target=registry.deploy, args=(write(f=(CODE, "")),))
    first.start()
    assert begun.wait(120)
    outcome: list[BaseException] = []

    def second() -> None:
        try:
            registry.deploy(write("other", app="other", g=(CODE, "")), cancelled=cancelled)
        except BaseException as error:
            outcome.append(error)

    waiting = threading.Thread(target=second)
    waiting.start()

    # When it is cancelled meanwhile
    cancelled.cancel()
    go_on.set()
    first.join(120)
    waiting.join(120)

    assert isinstance(outcome[0], DeployCancelled)
    assert [version.name for version in registry.functions()] == ["f"]
    registry.close()


def test_an_installation_that_hangs_is_ended_when_it_is_cancelled(tmp_path: Path, write) -> None:
    # Given an index that never answers
    import socket

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    address = f"http://127.0.0.1:{listener.getsockname()[1]}/simple"
    environment = {
        "UV_DEFAULT_INDEX": address,
        "UV_HTTP_TIMEOUT": "600",
        "HOME": str(tmp_path),
        "PATH": "/bin",
    }
    environment["UV_CACHE_DIR"] = str(tmp_path / "cache")
    dependencies = Dependencies(tmp_path / "deps", environment=environment)
    registry = Registry(tmp_path / "home", trial=lambda _: TrialResult(ok=True), dependencies=dependencies)
    cancelled = Cancellation()
    root = write(f=(CODE, 'dependencies = ["nothing-of-this-name"]'))

    def cancel_when_asked() -> None:
        listener.settimeout(60)
        connection, _ = listener.accept()
        cancelled.cancel()
        connection.close()

    helper = threading.Thread(target=cancel_when_asked)
    helper.start()

    # When it is cancelled, I expect the deploy to end at once
    with pytest.raises(DeployCancelled):
        registry.deploy(root, cancelled=cancelled)
    assert registry.functions() == []
    helper.join(60)
    listener.close()
    registry.close()


def test_two_folders_of_one_name_are_two_applications(registry: Registry, tmp_path: Path) -> None:
    # Given two people's applications whose folders are both called api
    def application(place: str, function: str) -> Path:
        root = tmp_path / place / "api"
        root.mkdir(parents=True)
        (root / "main.py").write_text(CODE)
        table = f'[functions.{function}]\nsource = "."\nhandler = "main:handler"\n'
        (root / "relive.toml").write_text(table)
        return root

    def serving() -> set[str]:
        return {version.name for version in registry.functions()}

    first, second = application("shop", "pay"), application("blog", "post")
    registry.deploy(first)

    # When the second is deployed, I expect it to be refused, and to say what to do
    with pytest.raises(
        DeployError, match=r"came from .*/shop/api; this one comes from .*/blog/api"
    ) as caught:
        registry.deploy(second)
    assert "[app] name" in caught.value.hint
    assert "--take-over" in caught.value.hint
    assert serving() == {"pay"}
    # ... the same folder to be deployed again, by any of its paths
    (tmp_path / "link").symlink_to(first.parent)
    assert [entry.unchanged for entry in registry.deploy(tmp_path / "link/api/relive.toml")] == [True]
    # ... and what has moved to be taken over once
    (tmp_path / "moved").mkdir()
    moved = first.rename(tmp_path / "moved" / "api")
    with pytest.raises(DeployError):
        registry.deploy(moved)
    registry.deploy(moved, take_over=True)
    registry.deploy(moved)
    assert serving() == {"pay"}


def test_a_name_of_its_own_and_a_folders_name_are_two_applications(
    registry: Registry, tmp_path: Path
) -> None:
    def application(place: str, function: str, header: str) -> Path:
        root = tmp_path / place / "api"
        root.mkdir(parents=True)
        (root / "main.py").write_text(CODE)
        table = f'[functions.{function}]\nsource = "."\nhandler = "main:handler"\n'
        (root / "relive.toml").write_text(header + table)
        return root

    named = '[app]\nname = "api"\n'
    registry.deploy(application("shop", "pay", ""))

    # When an application that calls itself so comes along, I expect it to be refused; and the other way round
    with pytest.raises(DeployError, match=r"this one comes from a relive.toml that names it"):
        registry.deploy(application("blog", "post", named))
    registry.deploy(tmp_path / "blog/api", take_over=True)
    with pytest.raises(DeployError, match=r"came from a relive.toml that names it"):
        registry.deploy(tmp_path / "shop/api")
    # ... and the one with a name to be deployed from anywhere
    registry.deploy(application("elsewhere", "post", named))
    assert {version.name for version in registry.functions()} == {"post"}


def test_packages_without_a_name_are_known_by_their_place_and_others_by_their_name(
    registry: Registry, tmp_path: Path
) -> None:
    def package(place: str, function: str, header: str = "") -> Path:
        target = tmp_path / place
        target.parent.mkdir(exist_ok=True)
        with zipfile.ZipFile(target, "w") as archive:
            table = f'[functions.{function}]\nsource = "src"\nhandler = "main:handler"\n'
            archive.writestr("relive.toml", header + table)
            archive.writestr("src/main.py", CODE)
        return target

    # Given one from a laptop, and an application with a name
    upload = package("package.zip", "pay")
    registry.deploy(upload, sender="laptop:/home/a/api")
    registry.deploy(package("v1/shop.zip", "post", '[app]\nname = "shop"\n'))

    # I expect another laptop's folder of that name to be refused, and the same one to be welcome
    with pytest.raises(DeployError, match="came from laptop:/home/a/api"):
        registry.deploy(package("package.zip", "steal"), sender="laptop:/home/b/api")
    registry.deploy(package("package.zip", "pay"), sender="laptop:/home/a/api")
    assert registry.get("pay").spec.app == "api"
    # ... and the named one to come from wherever it was built
    registry.deploy(package("v2/shop.zip", "post", '[app]\nname = "shop"\n'))
    assert {version.name for version in registry.functions()} == {"pay", "post"}
