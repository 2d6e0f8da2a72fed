"""The sentence that says why an invocation was slow, below other things that are told of it."""

from __future__ import annotations

import contextlib

from relive_base.errors import ReliveError

from relive.output import echo_styled
from relive.session import Session

__all__ = ["tell_slowness"]


def tell_slowness(session: Session, invocation_id: str, *, name: str = "") -> None:
    """Nothing if it was as fast as usual, or nothing can be said. `name`: of the function, in front."""
    from relive_views.deployed import DeployedCode
    from relive_views.profiles.why_slow import why_slow

    deployed = DeployedCode(session.home)
    with contextlib.suppress(ReliveError):  # it is beside the point here
        found = why_slow(
            session.store(), invocation_id, source=lambda row: deployed.line_of(row.function, row.version)
        )
        if found.answer.slow:
            head = f"{name}: " if name else ""
            echo_styled([("", ""), (f"{head}{found.answer.sentence}", "")])
            echo_styled([(f"  relive why-slow {invocation_id}", "dim")])
