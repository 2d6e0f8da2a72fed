"""Resources of applications: declared with a deploy, and their data is deleted only by one that says so."""

from __future__ import annotations

import pytest
from relive_platform.registry import DeployError

CODE = "def handler(event, context):\n    return 1\n"
QUEUE = '[resources.{}]\ntype = "queue"\n'


def declared(registry) -> dict[str, tuple[str, bool]]:
    return {row.name: (row.app, row.declared) for row in registry.resources()}


@pytest.fixture
def write_with(write):
    """An application `shop` of one function, with these resources."""

    def put(*tables: str, app: str = "shop", folder: str = "app", function: str = "f"):
        return write(folder=folder, app=app, **{function: (CODE, "".join(tables))})

    return put


def test_resources_come_with_a_deploy_and_their_data_stays_when_they_go(registry, write_with) -> None:
    heard: list[object] = []
    registry.on_change(heard.append)
    registry.deploy(write_with(QUEUE.format("jobs"), QUEUE.format("mail")))
    first = declared(registry)

    registry.deploy(write_with(QUEUE.format("jobs")))

    assert first == {"jobs": ("shop", True), "mail": ("shop", True)}
    assert declared(registry) == {"jobs": ("shop", True), "mail": ("shop", False)}
    assert registry.doomed() == []
    assert len(heard) == 2


def test_only_delete_data_deletes(registry, write_with) -> None:
    registry.deploy(write_with(QUEUE.format("jobs"), QUEUE.format("mail"), QUEUE.format("old")))
    registry.deploy(write_with(QUEUE.format("jobs"), QUEUE.format("mail")))

    registry.deploy(write_with(QUEUE.format("jobs")), delete_data=True)

    assert declared(registry) == {"jobs": ("shop", True)}
    assert registry.doomed() == [("mail", "queue"), ("old", "queue")]
    registry.deleted("mail", "queue")
    assert registry.doomed() == [("old", "queue")]


def test_files_of_the_users_own_are_not_said_to_be_deleted(registry, write_with, tmp_path) -> None:
    bucket = '[resources.{}]\ntype = "bucket"\n{}'
    own = bucket.format("own", f'path = "{tmp_path / "mine"}"\n')
    registry.deploy(write_with(own, bucket.format("ours", "")))
    said: list[str] = []

    registry.deploy(write_with(), delete_data=True, progress=lambda told: said.append(told.detail))

    assert any(text.endswith(f"its files are yours, and are kept in {tmp_path / 'mine'}") for text in said)
    assert any(text.endswith("; its data is deleted") for text in said)


def test_what_cannot_stay_as_it_is_needs_delete_data(registry, write_with) -> None:
    registry.deploy(write_with(QUEUE.format("jobs")))
    changed = write_with(QUEUE.format("jobs") + "fifo = true\n")

    with pytest.raises(DeployError, match="it is a standard queue so far") as caught:
        registry.deploy(changed)
    assert "--delete-data" in caught.value.hint
    assert registry.doomed() == []

    registry.deploy(changed, delete_data=True)
    assert registry.doomed() == [("jobs", "queue")]
    assert declared(registry) == {"jobs": ("shop", True)}


def test_a_changed_resource_alone_is_heard_and_makes_no_new_version(registry, write_with) -> None:
    registry.deploy(write_with(QUEUE.format("jobs")))
    heard: list[object] = []
    registry.on_change(heard.append)

    (same,) = registry.deploy(write_with(QUEUE.format("jobs") + "retention_s = 60\n"))
    (other,) = registry.deploy(write_with(QUEUE.format("tasks")))

    assert same.unchanged
    assert not other.unchanged
    assert len(heard) == 2


def test_a_resource_belongs_to_one_application(registry, write_with) -> None:
    registry.deploy(write_with(QUEUE.format("jobs")))
    other = write_with(QUEUE.format("jobs"), app="blog", folder="blog", function="g")

    with pytest.raises(DeployError, match="already one of application 'shop'"):
        registry.deploy(other)
    registry.deploy(other, take_over=True)

    assert declared(registry) == {"jobs": ("blog", True)}


def test_an_undeployed_application_keeps_its_data_and_gets_it_back(registry, write_with) -> None:
    registry.deploy(write_with(QUEUE.format("jobs")))

    registry.undeploy("shop")
    gone = declared(registry)
    registry.roll_back("f")

    assert gone == {"jobs": ("shop", False)}
    assert declared(registry) == {"jobs": ("shop", True)}
