"""What can go wrong with scenes on the explore side."""

from __future__ import annotations

from relive_base.errors import NotFound, ReliveError, UsageError

__all__ = ["AmbiguousScene", "SceneError", "SceneNotFound"]


class SceneError(ReliveError):
    """The scene archive cannot be read."""


class SceneNotFound(NotFound):
    """There is no scene under that id."""


class AmbiguousScene(UsageError):
    """More than one invocation begins with that id."""
