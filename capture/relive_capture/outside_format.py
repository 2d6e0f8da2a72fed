"""`outside.json` of a scene: where its code ran, if that was not in Relive."""

from __future__ import annotations

import msgspec

__all__ = ["OutsideFacts"]


class OutsideFacts(msgspec.Struct, omit_defaults=True, kw_only=True):
    """`host`: "lambda", "asgi", "wsgi", "uvicorn", "gunicorn", "celery", "script" or "call". `installed`:
    "name==version" of each distribution. `code_hash`: over the application's Python files; `changed_since`:
    those that are newer than the process."""

    host: str = ""
    details: dict[str, str] = {}
    python: str = ""
    implementation: str = ""
    platform: str = ""
    handler: str = ""
    kind: str = ""
    code_hash: str = ""
    source_files: int = 0
    source_left_out: int = 0
    changed_since: list[str] = []
    installed: list[str] = []
