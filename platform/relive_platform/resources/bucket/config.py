"""What `relive.toml` says of a bucket."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import ClassVar, Final

from relive_platform.keys import Key
from relive_platform.resources.base import ResourceConfig

__all__ = ["BucketConfig"]


_URL: Final = re.compile(r"https?://[A-Za-z0-9._\[\]:-]{1,255}/?")


class BucketConfig(ResourceConfig, frozen=True, tag="bucket", kw_only=True):
    """One `[resources.NAME]` with `type = "bucket"`."""

    KEYS: ClassVar[Mapping[str, Key]] = {
        "path": Key("text", "An absolute folder. Default: one in Relive's home, which Relive may delete."),
        "settle_s": Key(
            "number", "How long a file has to stay as it is before it is told. Default: 0.5.",
            low=0.05, high=3_600,
        ),
        "rescan_s": Key("number", "How often all of it is compared. Default: 60.", low=1, high=86_400),
        "max_objects": Key("whole", "Files at most; more are not told. Default: 100,000.", low=1, high=10**7),
        "endpoint": Key("text", "URL of an S3 server that you run on the folder, for functions to use."),
        "ignore": Key("texts", "Patterns of keys that are no objects, such as `*.part` and `tmp/*`."),
    }  # fmt: skip
    ATTRIBUTES: ClassVar[tuple[str, ...]] = ("name", "path", "arn", "endpoint")

    path: str = ""
    settle_s: float = 0.5
    rescan_s: float = 60.0
    max_objects: int = 100_000
    endpoint: str = ""
    ignore: tuple[str, ...] = ()

    def problems(self) -> Iterator[tuple[str, str, str]]:
        path = PurePosixPath(self.path)
        if self.path and (
            not path.is_absolute() or ".." in path.parts or len(path.parts) < 2 or "\0" in self.path
        ):
            yield (
                "path",
                f"the folder {self.path!r} is not allowed",
                "write an absolute path below /, without ..",
            )

        if self.endpoint and not _URL.fullmatch(self.endpoint):
            yield (
                "endpoint",
                f"{self.endpoint!r} is no URL of a server",
                'write as in "http://127.0.0.1:7070"',
            )

    def outside(self) -> str:
        return self.path

    def seen(self) -> Mapping[str, str]:
        return {"path": self.path, "endpoint": self.endpoint}

    def replaces(self, old: ResourceConfig) -> str:
        found = super().replaces(old)
        if found or not isinstance(old, BucketConfig) or old.path == self.path:
            return found
        return f"its folder is {old.path or 'in the home'} so far"

    def describe(self) -> str:
        """As people read it: "bucket /srv/uploads"."""
        return f"bucket {self.path}".strip()
