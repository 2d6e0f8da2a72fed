"""What a replay says of state that it has not, and of values that stand for secrets."""

from __future__ import annotations

import json

import pytest
from relive_base.redaction.redactor import Redactor
from relive_capture.recording_format import ReplayNotes
from relive_platform.replay.stand_ins import stand_in
from relive_platform.replay.warmth import warm_notes


def test_a_fresh_worker_is_nothing_to_speak_of() -> None:
    assert warm_notes(None, {}) == []
    assert warm_notes(ReplayNotes(), {"main.SEEN": "{}"}) == []


def test_the_globals_that_were_others_are_named() -> None:
    recorded = ReplayNotes(served=2, globals={"main.SEEN": "{'A': 1}", "main.LIMIT": "3", "main.late": "1"})

    first, *others = warm_notes(recorded, {"main.SEEN": "{}", "main.LIMIT": "3"})

    assert "had served 2 invocations before" in first
    assert others == [
        "main.SEEN was {'A': 1} at the failure, {} in a fresh worker",
        "main.late was 1 at the failure, (not there) in a fresh worker",
    ]


def test_many_globals_are_counted_and_none_is_said_so() -> None:
    many = ReplayNotes(served=1, globals={f"main.n{number}": "1" for number in range(9)})

    assert warm_notes(many, {})[-1] == "4 more globals were others"
    assert warm_notes(ReplayNotes(served=1), {})[-1].startswith("no global of its modules was another one")


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("STAGE", "dev", "dev"),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE00000001", "AAAAAAAAAAA00000000"),
        ("AWS_SECRET_ACCESS_KEY", "t0ast/aws+secret", "a0aaa/aaa+aaaaaa"),
        ("DATABASE_URL", "postgres://ada:hunter2@db:5432/shop", "postgres://ada:stand-in@db:5432/shop"),
        ("API_TOKEN", "ключ-1", "aaaa-0"),
    ],
)
def test_a_stand_in_has_the_shape_of_the_secret(name: str, value: str, wanted: str) -> None:
    assert stand_in(name, value, Redactor()) == wanted


def test_a_stand_in_of_json_can_be_read_like_the_secret() -> None:
    secret = {"type": "service", "project": {"id": 17, "key": "s3cr3t"}, "on": True, "list": ["a1"]}

    found = json.loads(stand_in("GOOGLE_CREDENTIALS", json.dumps(secret), Redactor()))

    assert found == {"type": "aaaaaaa", "project": {"id": 0, "key": "a0aa0a"}, "on": True, "list": ["a0"]}
