"""Troubles of the machine, which nothing that a user types differently mends."""

import errno

# A full disk, a missing permission, no memory, too many open files.
NAMES = {"ENOSPC", "EDQUOT", "EACCES", "EPERM", "EROFS", "ENOMEM", "EMFILE", "ENFILE", "EIO"}


def is_trouble(error: BaseException) -> bool:
    """Whether an error is the machine's own.

    Example:
      >>> is_trouble(PermissionError(13, "Permission denied")), is_trouble(FileNotFoundError(2, "No such file"))
      (True, False)
    """
    return isinstance(error, OSError) and errno.errorcode.get(error.errno or 0) in NAMES
