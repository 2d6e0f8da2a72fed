"""A home in one file, and a home made of that file."""

from relive_platform.server.backup.reading import restore_backup
from relive_platform.server.backup.writing import BackupTold, write_backup

__all__ = ["BackupTold", "restore_backup", "write_backup"]
