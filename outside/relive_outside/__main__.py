"""`python -m relive_outside COMMAND` is `relive-record COMMAND`."""

from __future__ import annotations

from relive_outside.command import main

if __name__ == "__main__":
    main()
