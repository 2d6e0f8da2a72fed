"""The port of AWS's APIs that a home keeps."""

from __future__ import annotations

from pathlib import Path

import pytest
from relive_platform.server.steady_port import SteadyPort, port_beside
from relive_platform.triggers.http.connections.listener import AddressTaken


class Machine:
    """Whose ports are taken, and which is free."""

    def __init__(self, *taken: int, free: int = 40_000) -> None:
        self.taken, self.free = set(taken), free
        self.bound: list[int] = []

    def bind(self, port: int) -> int:
        if port in self.taken:
            raise AddressTaken("address already in use")
        self.bound.append(port or self.free)
        return self.bound[-1]


@pytest.mark.parametrize(
    ("known", "taken", "bound"),
    [
        ("", (), 8_701),  # the first start
        ("", (8_701,), 40_000),
        ("40007\n", (), 40_007),  # it had another before
        ("40007\n", (40_007,), 8_701),
        ("40007\n", (40_007, 8_701), 40_000),
        ("nonsense", (), 8_701),
        ("22", (), 8_701),  # no port that a user may take
        ("999999999999", (), 8_701),
    ],
)
def test_a_home_keeps_its_port(tmp_path: Path, known: str, taken: tuple[int, ...], bound: int) -> None:
    path = tmp_path / "aws-port"
    if known:
        path.write_text(known)
    # When a server starts, I expect one port taken, which the next start takes again
    machine = Machine(*taken)
    SteadyPort(path, port_beside(8_700)).take(machine.bind)
    assert machine.bound == [bound]
    machine = Machine()
    SteadyPort(path, port_beside(8_700)).take(machine.bind)
    assert machine.bound == [bound]


def test_none_can_be_had(tmp_path: Path) -> None:
    with pytest.raises(AddressTaken):
        SteadyPort(tmp_path / "aws-port", 0).take(Machine(0).bind)


@pytest.mark.parametrize(("port", "beside"), [(8_700, 8_701), (0, 0), (80, 0), (65_535, 0)])
def test_the_port_beside_the_gateways(port: int, beside: int) -> None:
    assert port_beside(port) == beside
