"""The token of a home: who has it may ask its server for anything."""

from __future__ import annotations

import secrets

from relive_platform.settings import Settings

__all__ = ["home_token"]


def home_token(settings: Settings) -> str:
    """RELIVE_TOKEN, or what run/token holds, or a new one; clients on this machine read it there."""
    path = settings.run_dir / "token"
    token = settings.token
    if not token and path.exists():
        token = path.read_text().strip()
    token = token or secrets.token_urlsafe(32)
    path.touch(mode=0o600)
    path.write_text(token)
    return token
