"""`[resources.NAME]` in relive.toml: what is right is read, what is wrong is named with line and hint."""

from __future__ import annotations

import pytest
from relive_platform.registry.application import ConfigError, load
from relive_platform.resources.queue.config import QueueConfig
from relive_platform.resources.references import expand, variable

FUNCTION = '[functions.f]\nsource = "fn"\nhandler = "cart:handler"\n'


def problems(write, manifest: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(write(manifest + FUNCTION))
    return str(caught.value)


def test_resources_are_read_and_every_function_knows_them(write) -> None:
    application = load(
        write(
            '[resources.jobs]\ntype = "queue"\nfifo = true\nretention_s = 60\ndead_letter = "dead"\n'
            'max_receive_count = 3\n[resources.dead]\ntype = "queue"\nfifo = true\n'
            + FUNCTION
            + 'environment = { QUEUE_URL = "${resources.jobs.url}", PRICE = "$5 {x}" }\n'
        )
    )

    jobs = QueueConfig(fifo=True, retention_s=60, dead_letter="dead", max_receive_count=3)
    assert application.resources == {"jobs": jobs, "dead": QueueConfig(fifo=True)}
    assert application.functions["f"].resources == application.resources


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ("[resources.x]\n", "the resource has no type"),
        ('[resources.x]\ntype = "quue"\n', "did you mean queue?"),
        ('[resources."a b"]\ntype = "queue"\n', "name 'a b' is not allowed"),
        ('[resources.x]\ntype = "queue"\nretention_s = 3\n', "retention_s = 3 is out of range"),
        ('[resources.x]\ntype = "queue"\nretention = 3\n', "did you mean retention_s?"),
        ('[resources.x]\ntype = "queue"\ndead_letter = "y"\n', "dead_letter without max_receive_count"),
        ('[resources.x]\ntype = "queue"\nmax_receive_count = 2\n', "max_receive_count without dead_letter"),
        (
            '[resources.x]\ntype = "queue"\ndead_letter = "y"\nmax_receive_count = 2\n',
            "the dead-letter queue 'y' is not declared",
        ),
        (
            '[resources.x]\ntype = "queue"\ndead_letter = "x"\nmax_receive_count = 2\n',
            "a queue cannot be its own dead-letter queue",
        ),
        (
            '[resources.x]\ntype = "queue"\ndead_letter = "y"\nmax_receive_count = 2\n'
            '[resources.y]\ntype = "queue"\nfifo = true\n',
            "set fifo = false for y",
        ),
        ('[resources.x]\ntype = "queue"\ncontent_deduplication = true\n', "add fifo = true"),
        ("[resources]\nx = 3\n", "resources.x is not a table"),
    ],
)
def test_what_is_wrong_is_named(write, manifest: str, expected: str) -> None:
    assert expected in problems(write, manifest)


def test_a_reference_that_leads_nowhere_is_named_with_its_line(write) -> None:
    with pytest.raises(ConfigError) as caught:
        load(
            write(
                '[resources.jobs]\ntype = "queue"\n'
                + FUNCTION
                + '[functions.f.environment]\nA = "${resources.jobs.size}"\nB = "${resources.other.url}"\n'
            )
        )

    first, second = caught.value.problems
    assert (first.line, second.line) == (7, 8)
    assert "no attribute 'size'" in first.message
    assert first.hint == "a queue has url, arn, name"
    assert "there is no resource 'other'" in second.message


def test_names_of_variables() -> None:
    assert variable("order-jobs", "queue", "url") == "ORDER_JOBS_QUEUE_URL"
    assert variable("2nd", "queue", "url") == "_2ND_QUEUE_URL"


def test_what_is_not_known_stays_as_it_is() -> None:
    text = "${resources.a.url} ${resources.b.url} ${other.a} $"

    assert expand(text, lambda name, attribute: {"a": "here"}.get(name)) == (
        "here ${resources.b.url} ${other.a} $"
    )
