"""Failed workers that a server keeps: which of them a text means."""

from __future__ import annotations

import pytest
from relive_platform.api import control_pb2 as pb
from relive_views.kept import KeptView, kept_meant, kept_view

OLD = KeptView(pid=1, left_s=9, invocation_id="01a2283f-ae97-73e1-9e11", function="checkout", failed_at=1)
NEW = KeptView(pid=2, left_s=9, invocation_id="01a2283f-ae98-73e1-9e11", function="orders", failed_at=2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("last", [NEW, OLD]),
        ("", [NEW, OLD]),
        ("checkout", [OLD]),
        ("01a2283f-ae97", [OLD]),
        ("01A2283F-AE98", [NEW]),
        ("01a22", []),  # too short to mean anything
        ("shipping", []),
    ],
)
def test_an_id_a_name_or_last_means_some_of_them_newest_first(text: str, expected: list[KeptView]) -> None:
    assert kept_meant([OLD, NEW], text) == expected


def test_a_view_has_what_the_server_tells() -> None:
    row = pb.FrozenWorker(
        invocation_id="01a2",
        function="f",
        version=3,
        error="KeyError",
        message="'sku'",
        pid=7,
        expires_s=60.0,
        attached=True,
        failed_ns=5,
    )
    assert kept_view(row) == KeptView(
        pid=7,
        left_s=60.0,
        attached=True,
        invocation_id="01a2",
        function="f",
        version=3,
        error_type="KeyError",
        message="'sku'",
        failed_at=5,
    )
