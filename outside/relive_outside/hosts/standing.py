"""What stands in the place of an application, and looks like it."""

from __future__ import annotations

from typing import Any

from relive_outside.record.recipes import Recipe
from relive_outside.record.recorder import Recorder

__all__ = ["StandsFor"]


class StandsFor:
    """Has all of the application's attributes, and its class for who asks: `isinstance(app, Flask)` is how
    `flask run` finds one."""

    def __init__(self, application: Any, recipe: Recipe, recorder: Recorder) -> None:
        self.__dict__["_relive"] = (application, recipe, recorder)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return self.__dict__["_relive"][0].__class__

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_relive"][0], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__["_relive"][0], name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self.__dict__["_relive"][0], name)

    def __repr__(self) -> str:
        return repr(self.__dict__["_relive"][0])

    def __dir__(self) -> list[str]:
        return dir(self.__dict__["_relive"][0])
