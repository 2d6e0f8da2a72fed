"""What every room of Relive shares: ids, wire frames, the invocation record, redaction, errors.

This package is imported inside the user's process. It needs the standard library and msgspec, nothing else.
"""
