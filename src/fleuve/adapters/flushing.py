"""Flushing a file, on every platform: journal files, and what of the catalog SQLite does not flush itself."""

from __future__ import annotations

import errno
import os
import sys

_NO_SUPPORT = {errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.ENOTTY}


def flush(fd: int) -> None:
    """Return when the file is on the device. Raises OSError."""
    if sys.platform == "darwin":
        # fsync hands the bytes to the drive there, which may keep them in its own cache.
        import fcntl

        try:
            fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
            return
        except OSError as error:
            # A file system that does not know it has nothing better than fsync. Any other trouble would be told once.
            if error.errno not in _NO_SUPPORT:
                raise
    os.fsync(fd)
