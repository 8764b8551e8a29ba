"""Lists what Debian packages provide: the Python distributions of the builder and of the image in /image, and the image's programs.

The argument is the output file.
"""

import json
import os
import re
import sys
from importlib.machinery import all_suffixes
from importlib.metadata import distributions

SITE = "/usr/lib/python3/dist-packages"


def debian(root: str) -> dict[str, str]:
    found = distributions(path=[root + SITE])
    return {re.sub(r"[-_.]+", "-", d.metadata["Name"]).lower(): d.version for d in found if d.metadata["Name"] and d.version}


def programs(root: str) -> list[str]:
    return sorted(name for directory in ("/usr/sbin", "/usr/bin") for name in os.listdir(root + directory))


def modules(root: str) -> list[str]:
    """Returns the top-level modules of Python's standard library and of packages."""
    found = set(sys.stdlib_module_names)
    for name in os.listdir(root + SITE) if os.path.isdir(root + SITE) else []:
        base, dot, _ = name.partition(".")
        if not dot or any(name == base + suffix for suffix in all_suffixes()):
            found.add(base)
    return sorted(found)


if __name__ == "__main__":
    answer = {"builder": debian(""), "image": debian("/image"), "programs": programs("/image"), "modules": modules("/image")}
    with open(sys.argv[1], "w", encoding="utf-8") as out:
        json.dump(answer, out, sort_keys=True)
