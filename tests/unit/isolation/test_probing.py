"""What is not kept apart is said, on every kernel."""

from __future__ import annotations

import os

import pytest
from relive_runtime.isolation import landlock, probing, seccomp
from relive_runtime.isolation.probing import gaps


@pytest.mark.parametrize(
    ("abi", "filters", "unix_sockets", "no_mounts", "told"),
    [
        (9, True, False, "", []),
        (7, True, False, "", []),  # seccomp refuses unix sockets
        (7, True, True, "", ["unix sockets that have a path"]),
        (9, False, False, "", ["no seccomp"]),
        (7, False, False, "", ["no seccomp", "unix sockets that have a path"]),
        (4, True, False, "", ["send signals"]),
        (4, True, True, "", ["send signals", "abstract", "unix sockets that have a path"]),
        (2, True, False, "", ["length zero", "send signals"]),
        (0, True, False, "", ["no Landlock", "send signals"]),
        (7, True, False, "Operation not permitted", ["modes and times"]),
    ],
)
def test_each_gap_of_a_kernel_is_told(
    monkeypatch: pytest.MonkeyPatch,
    abi: int,
    filters: bool,
    unix_sockets: bool,
    no_mounts: str,
    told: list[str],
) -> None:
    monkeypatch.setattr(probing, "supported", lambda: True)
    monkeypatch.setattr(landlock, "abi_version", lambda: abi)
    monkeypatch.setattr(seccomp, "available", lambda: filters)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    found = gaps(1, unix_sockets, no_mounts)
    assert len(found) == len(told), found
    assert all(part in text for part, text in zip(told, found, strict=True)), found


def test_root_and_tier_0_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert "as root" in gaps(1)[0]
    assert "tier 0 is set" in gaps(0)[1]
