"""Events in the shapes that functions may want: Amazon EventBridge's and CloudEvents'."""

from __future__ import annotations

from relive_platform.triggers.shapes.envelopes import ACCOUNT, REGION, cloudevent_of, eventbridge_of, now_text

__all__ = ["ACCOUNT", "REGION", "cloudevent_of", "eventbridge_of", "now_text"]
