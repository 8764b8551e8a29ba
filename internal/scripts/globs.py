"""Globs as in the spec; llb's Exclude has the same for the files of Debian packages.

* and ? stay within a name, ** spans directories, a glob that matches a directory matches
everything in it, the last glob that matches decides, and one after a ! excepts files.
"""

import re

# Where Debian's Python has what no Debian package provides. It is the scheme
# posix_local of Debian's sysconfig, spelled out, since headers are outside it there.
LOCAL = "/usr/local"

SPECIAL = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


class Globs:
    def __init__(self, globs: list[str]) -> None:
        self.tests = [(glob, pattern(glob.removeprefix("!"))) for glob in reversed(globs)]

    def decider(self, path: str) -> str | None:
        """Returns the glob that decides about path; None if no glob matches or one with ! decides."""
        for glob, test in self.tests:
            if test.fullmatch(path):
                return None if glob.startswith("!") else glob
        return None


def pattern(glob: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob.rstrip("/"))
    return re.compile("".join(SPECIAL.get(part) or re.escape(part) for part in parts) + "(?:/.*)?", re.DOTALL)


def subject(path: str, site: str) -> str:
    """Returns what globs are matched against: an absolute path relative to site-packages, or else to /usr/local."""
    directory = site if path.startswith(site + "/") else LOCAL
    return path.removeprefix(directory + "/")
