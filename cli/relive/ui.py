"""Opening the terminal UI on a session."""

from __future__ import annotations

from relive.session import Session

__all__ = ["run_ui"]


def run_ui(session: Session, view: str, ident: str) -> int:
    """Run the UI until the user leaves it; gives its exit status. The store opens after the first paint."""
    from relive_tui.app import run
    from relive_tui.source import DataSource

    def status() -> dict[str, object] | None:
        return session.control().status() if session.info() is not None or session.server else None

    source = DataSource(open_store=session.store, scenes_dir=session.scenes_dir, status=status)
    return run(source, view, ident)
