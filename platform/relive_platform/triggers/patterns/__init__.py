"""Event patterns as Amazon EventBridge and Lambda's filters have them: which events a trigger gets."""

from __future__ import annotations

from relive_platform.triggers.patterns.compiling import compile_pattern, pattern_problems
from relive_platform.triggers.patterns.errors import PatternError
from relive_platform.triggers.patterns.pattern import Pattern

__all__ = ["Pattern", "PatternError", "compile_pattern", "pattern_problems"]
