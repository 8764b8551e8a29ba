"""A start as root, which a root-owned network volume may need: create the directories there, then drop root.

The image itself starts as the app's user; --user 0, or a pod's security context, starts it as root.
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
    """Switch to the app's user after a start as root, before anything of a job is read."""
    if os.geteuid() != 0 or settings.user == "root":
        return
    try:
        user = pwd.getpwnam(settings.user)
    except KeyError:
        raise StartError(f"started as root, but there is no user {settings.user} to switch to: set APP_USER") from None
    for directory in directories(settings):
        _give(directory, user)
    os.setgroups([])
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    os.environ["HOME"] = user.pw_dir
    log(f"started as root, switching to {settings.user}")


def directories(settings: Settings) -> Iterator[Path]:
    """Yield the directories on the volume that the worker writes to: that of all models, and each model's."""
    root = settings.volume / "models"
    if not settings.volume.is_dir() or root.is_symlink():
        return
    yield root
    for model in settings.models:
        yield root / modellist.read(model.list).name


def _give(directory: Path, user: pwd.struct_passwd) -> None:
    """Create a directory and give it to the user, content included; follow no link."""
    try:
        directory.mkdir(exist_ok=True)
        if directory.is_symlink():
            return
        for path, _, names in os.walk(directory):
            for one in (path, *(os.path.join(path, name) for name in names)):
                os.lchown(one, user.pw_uid, user.pw_gid)
    except OSError as err:  # the volume is read-only, or maps root to nobody
        log(f"changing the volume's owner to {user.pw_name}: {os.strerror(err.errno or 0).lower()}")
