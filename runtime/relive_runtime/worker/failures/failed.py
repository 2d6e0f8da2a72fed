"""What a failed invocation leaves in its process, for those who look at it afterwards: its error, with the
frames."""

from __future__ import annotations

from types import FrameType

__all__ = ["Failed"]


class Failed:
    """The failure of this process. As long as it is kept, the frames and all they hold stay as they were."""

    def __init__(self) -> None:
        self.invocation_id = ""
        self.error: BaseException | None = None
        self.frame: FrameType | None = None

    def keep(self, invocation_id: str, error: BaseException | None) -> None:
        """Keep the frames of `error`, of its causes and contexts, and what their locals hold; None: it has
        failed without one."""
        self.invocation_id = invocation_id
        self.error = error

    def forget(self) -> None:
        """Nobody looks at it any more."""
        self.invocation_id, self.error, self.frame = "", None, None

    def keep_stack(self, invocation_id: str, frame: FrameType) -> None:
        """Keep the stack of code that was stopped where it is; `frame` is its innermost one."""
        self.invocation_id = invocation_id
        self.frame = frame
