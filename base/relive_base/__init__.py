"""What every room of Relive shares: ids, the messages between processes (`wire`), the invocation record,
`redaction`, errors.

This package is imported inside the user's process. It needs the standard library and msgspec, nothing else.
"""
