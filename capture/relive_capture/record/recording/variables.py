"""Which environment variables are read, and what they were when an invocation began.

Of a variable that nobody asks for, a scene has the name alone.
"""

from __future__ import annotations

import os
from typing import Any, Final

from relive_base.unseen import without_this_frame

__all__ = ["Variables"]

_NAMES: Final = 500


class _Asked(dict[Any, Any]):
    """The data of os.environ, which notes what it is asked for."""

    __slots__ = ("names",)

    def __init__(self, data: dict[Any, Any]) -> None:
        super().__init__(data)
        self.names: dict[Any, None] = {}

    def __getitem__(self, name: Any) -> Any:
        names = self.names
        if name not in names and len(names) < _NAMES:
            names[name] = None
        try:
            return super().__getitem__(name)
        except BaseException as error:
            without_this_frame(error)
            raise


class Variables:
    """One per worker. os.environ stays the object that it is."""

    __slots__ = ("_asked",)

    def __init__(self) -> None:
        self._asked: _Asked | None = None

    def install(self) -> None:
        """Note what is asked for from now on."""
        environ: Any = os.environ
        data = environ._data
        if type(data) is not dict:
            return  # another recorder's, or an interpreter that we do not know
        self._asked = environ._data = _Asked(data)
        bytes_too: Any = os.environb
        if bytes_too._data is data:
            bytes_too._data = self._asked

    def now(self) -> dict[Any, Any]:
        """As they are."""
        return dict(self._asked) if self._asked is not None else {}

    def asked(self, data: dict[Any, Any]) -> dict[str, str | None]:
        """Those that were asked for, out of what `now` has given; None: it was not there. Secrets are taken
        out of them where they are written."""
        names = self._asked.names if self._asked is not None else ()
        return {
            os.fsdecode(name): os.fsdecode(data[name]) if name in data else None
            for name in list(names)
            if type(name) is bytes
        }
