"""OTLP from programs that are no functions: read, checked, made rows of. A process of its own runs it."""
