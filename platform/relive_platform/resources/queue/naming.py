"""What queues are called by SQS's clients."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

__all__ = ["QueueNaming"]


class QueueNaming(msgspec.Struct, frozen=True, kw_only=True):
    """How queues are called: `address` is the AWS listener's, which is known once it is bound."""

    address: Callable[[], str]
    region: str = "us-east-1"
    account: str = "000000000000"

    def url(self, name: str) -> str:
        """A queue's URL, as SQS's clients use it."""
        return f"{self.address().rstrip('/')}/{self.account}/{name}"

    def arn(self, name: str) -> str:
        """A queue's ARN."""
        return f"arn:aws:sqs:{self.region}:{self.account}:{name}"

    def name_of(self, text: str) -> str:
        """A queue's name, of its URL, its ARN, or itself."""
        return text.rpartition(":" if text.startswith("arn:") else "/")[2]
