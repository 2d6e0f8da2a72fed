"""The server's side of a debugging session in a worker, played by a test."""

from __future__ import annotations

from relive_base.wire.messages import DebugComplete, DebugEnded, DebugLine, DebugOffer, DebugStart, DebugText

from tests.support.worker_harness import WorkerHandle

__all__ = ["Session"]


class Session:
    """One session, begun at once."""

    def __init__(self, worker: WorkerHandle, number: int = 1) -> None:
        self.worker = worker
        self.number = number
        worker.wire.send(DebugStart(session=number))

    def until_prompt(self) -> str:
        """What is written until the next prompt, the prompt with it."""
        text = ""
        while True:
            frame = self.worker.wire.next()
            if isinstance(frame, DebugEnded):
                return text + f"<ended {frame.reason}>"
            if isinstance(frame, DebugText) and frame.session == self.number:
                text += frame.text
                if frame.prompt:
                    return text

    def until_text(self, wanted: str) -> None:
        """Wait until the process has written a text."""
        text = ""
        while wanted not in text:
            frame = self.worker.wire.next()
            text += frame.text if isinstance(frame, DebugText) else ""

    def say(self, line: str | None) -> str:
        """The answer to a line, without the prompt that follows; None is Ctrl-D."""
        self.worker.wire.send(DebugLine(session=self.number, text=line or "", end=line is None))
        text = self.until_prompt()
        return text.removesuffix("(Pdb) ").rstrip("\n")

    def complete(self, text: str) -> list[str]:
        self.worker.wire.send(DebugComplete(session=self.number, request=7, text=text))
        frame = self.worker.wire.next()
        assert isinstance(frame, DebugOffer)
        assert (frame.session, frame.request) == (self.number, 7)
        return frame.items
