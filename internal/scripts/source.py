"""Puts the sources of a Python project into /build, and prints the directory to build it in.

Arguments: the name of the sdist in /.lamina/source, or "" if that is a tree; the
directory of the project below the tree; the locked version, or "".
"""

import configparser
import os
import shutil
import subprocess
import sys
import tomllib

# Python runs with -I, so that nothing else in the builder interferes.
sys.path.append(os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

from sdist import Refused, unpack

SOURCE = "/.lamina/source"
BUILD = "/build"


def main(archive: str, directory: str, version: str, source: str = SOURCE, build: str = BUILD) -> None:
    try:
        if archive:
            source = unpack(archive, os.path.join(source, archive), f"{build}.sdist", directory)
    except Refused as error:
        raise SystemExit(f"{archive}: {error}") from error
    settings = versioneer(os.path.join(source, directory))
    # Build backends write into the tree, and the compiler's cache is keyed by paths: put the tree at a fixed path.
    top, prefix = build, settings.get("parentdir_prefix")
    if version and prefix is not None and "/" not in prefix:
        os.mkdir(build)
        top = os.path.join(build, prefix + version)
    if archive:
        os.rename(source, top)
    else:
        # In submodules, an engine leaves .git files that hold paths of its own.
        shutil.copytree(source, top, symlinks=True, ignore=shutil.ignore_patterns(".git"), copy_function=shutil.copy)
    if version and not archive and shutil.which("git"):
        tag(top, (settings.get("tag_prefix", "") if settings else "v") + version)
    print(os.path.normpath(os.path.join(top, directory)))


def tag(tree: str, name: str) -> None:
    """Gives the tree of a commit a history of one commit with a tag: backends may ask git for the version, and for the project's files."""
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    for role in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{role}_NAME": "lamina", f"GIT_{role}_EMAIL": "lamina", f"GIT_{role}_DATE": os.environ["SOURCE_DATE_EPOCH"] + " +0000"}
    for command in ("init --quiet", "add --all --force", "commit --quiet --allow-empty --message=locked", f"tag --message=locked {name}"):
        if subprocess.run(["git", "-C", tree, "-c", "core.compression=0", "-c", "gc.auto=0", *command.split()], env=env, stdout=sys.stderr).returncode:
            shutil.rmtree(os.path.join(tree, ".git"), ignore_errors=True)  # a backend that needs it reports that
            return


def versioneer(project: str) -> dict[str, str]:
    """Returns the settings of versioneer, which derives the version from the name of a tag or a parent directory."""
    config = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        config.read(os.path.join(project, "setup.cfg"), encoding="utf-8")
        found = dict(config["versioneer"]) if "versioneer" in config else {}
        if not found and os.path.isfile(path := os.path.join(project, "pyproject.toml")):
            with open(path, "rb") as file:
                found = tomllib.load(file).get("tool", {}).get("versioneer", {})
    except (configparser.Error, tomllib.TOMLDecodeError, UnicodeDecodeError, AttributeError, RecursionError):
        return {}  # the build will report it
    return {key: value.strip("'\"") for key, value in found.items() if isinstance(value, str)}


if __name__ == "__main__":
    main(*sys.argv[1:])
