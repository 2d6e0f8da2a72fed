"""The token of a home: who has it may ask its server for anything."""

from __future__ import annotations

import secrets

from relive_base.whole_file import write_whole

from relive_platform.settings import Settings

__all__ = ["home_token"]


def home_token(settings: Settings) -> str:
    """RELIVE_TOKEN, or what run/token holds, or a new one; clients on this machine read it there."""
    path = settings.run_dir / "token"
    kept = path.read_text() if path.exists() else ""
    token = settings.token or kept.strip() or secrets.token_urlsafe(32)
    if token != kept:
        write_whole(path, token.encode())
    return token
