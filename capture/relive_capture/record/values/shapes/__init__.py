"""What is inside values: of built-in containers, of types that C made, of those that nothing is known of."""

from __future__ import annotations

from relive_capture.record.values.shapes.containers import Shape
from relive_capture.record.values.shapes.table import Shapes

__all__ = ["Shape", "Shapes"]
