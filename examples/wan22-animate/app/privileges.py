"""A start as root, which a network volume of root may want: what is needed there is made, and root is left.

The image itself starts as the app's user; --user 0, or a pod's security context, has it start as root.
"""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import modellist
from errors import StartError
from log import log
from settings import Settings


def leave(settings: Settings) -> None:
    """Go on as the app's user where the start was root's; nothing of a job is read before."""
    if os.geteuid() != 0 or settings.user == "root":
        return
    try:
        user = pwd.getpwnam(settings.user)
    except KeyError:
        raise StartError(f"started as root, and there is no user {settings.user} to go on as: set APP_USER") from None
    for directory in directories(settings):
        _give(directory, user)
    os.setgroups([])
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    os.environ["HOME"] = user.pw_dir
    log(f"started as root, going on as {settings.user}")


def directories(settings: Settings) -> Iterator[Path]:
    """Give the directories on the volume that the worker writes: where models go, and where they are."""
    root = settings.volume / "models"
    if not settings.volume.is_dir() or root.is_symlink():
        return
    yield root
    for model in settings.models:
        yield root / modellist.read(model.list).name


def _give(directory: Path, user: pwd.struct_passwd) -> None:
    """Make a directory, and give it to the user with what is in it; no link is followed."""
    try:
        directory.mkdir(exist_ok=True)
        if directory.is_symlink():
            return
        for path, _, names in os.walk(directory):
            for one in (path, *(os.path.join(path, name) for name in names)):
                os.lchown(one, user.pw_uid, user.pw_gid)
    except OSError as err:  # of a volume that is read only, or that maps root to nobody
        log(f"the volume can't be given to {user.pw_name}: {os.strerror(err.errno or 0).lower()}")
