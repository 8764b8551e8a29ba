"""Stands in for iopath: opens files that are there."""

import portalocker


class PathManager:
    def open(self, path: str, mode: str = "r") -> object:
        return open(path, mode)


g_pathmgr = PathManager()
