"""Runs pip and makes sense of what it says."""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from urllib.parse import urldefrag

import web
from askers import REPORTER, Askers
from router import normal, project_of

Renamer = Callable[[str], str]  # puts what the user knows in place of what pip was told

COMMON = ["--no-input", "--disable-pip-version-check", "--no-color", "--progress-bar=off"]
# What a second try may cure: the cache has what came whole.
PASSING = re.compile(
    r"IncompleteRead|Connection broken|ReadTimeoutError|ConnectionError|Read timed out|Connection aborted"
    r"|50[0-9] Server Error|too many 5\d\d error responses"
)
# A connection that is cut is the end of a file to Debian's pip. The cache may hold wrong bytes, too.
WRONG = "DO NOT MATCH THE HASHES"
# What pip finds to be wrong with an archive it tells in the words of Python, and not always which one it was.
BROKEN = re.compile(
    r"ERROR: Exception:|Wheel '\S+' located at \S+ is invalid|has an invalid wheel|due to an OSError: \[Errno"
    r"|does not appear to be a Python project"
)
IN_HAND = re.compile(r"^\s*(?:Downloading|Using cached|Processing) (\S+)", re.M)
DISCARDED = re.compile(r"^Discarding (\S+?)(?: \(from \S+\)(?: \(requires-python:.*?\))?)?: .* has inconsistent (\w+): expected '(.*)', but metadata has '(.*)'$", re.M)
CIRCLE = "Exceeded 30 redirects"
MODULE = re.compile(r"(?:ModuleNotFoundError|ImportError): No module named '([\w.]+)'")
TRACE = "Traceback (most recent call last)"
# What pip says beside the point: its advice, how it runs others, and where it keeps its files.
ASIDE = re.compile(
    r"\s*(\[notice\]|note:|hint:|error: (subprocess-exited|metadata-generation)|(× )?Encountered error while|│ exit code|╰─>|\[end of output\]|File \".*\", line \d+"
    r"|To fix this you could|\d\. (loosen|remove)|ERROR: ResolutionImpossible|ERROR: Exception:"
    r"|WARNING: (Ignoring|Retrying)|The above exception was|During handling of the above|Looking in (indexes|links):)"
)
LONGEST = 25  # lines of an explanation: a compiler may say thousands


def resolve(requirements: list[str], constraints: list[str], options: list[str], rename: Renamer = str) -> list[dict]:
    """Returns the entries of pip's report on what it would install."""
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        command = [
            *("install", "--dry-run", "--ignore-installed", "--break-system-packages", "--use-pep517", "--report", report),
            *(write(folder, "-r", requirements) + write(folder, "-c", constraints) + options),
        ]
        heard, fault = run(command, lambda said: rename(without_places(said, requirements)))
        if fault:
            fault.lines = Askers([*requirements, *constraints], heard).about(fault.message)
            raise fault
        with open(report, encoding="utf-8") as file:
            entries = json.load(file)["install"]
        askers = Askers(requirements, heard)
        return [{**entry, "lines": askers.of(normal(entry["metadata"]["name"]))} for entry in entries]


def install(requirements: list[str], into: str, options: list[str], rename: Renamer = str) -> None:
    """Installs wheels below a folder, to look at a tree with them."""
    if requirements:
        _, fault = run(["install", "--only-binary=:all:", "--target", into, *options, "--", *requirements], rename)
        if fault:
            raise fault


def write(folder: str, option: str, lines: list[str]) -> list[str]:
    if not lines:
        return []
    path = os.path.join(folder, f"lines{option}.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return [option, path]


def without_places(said: str, requirements: list[str]) -> str:
    """Names a requirement in place of where it stands in a file that nobody sees."""
    said = re.sub(r"( \(from |->)-[rc] \S*/lines-[rc]\.txt \(line \d+\)(\)?)", lambda m: "" if m[1] != "->" else m[2], said)
    return re.sub(r"-r \S*/lines-r\.txt \(line (\d+)\)", lambda m: requirements[int(m[1]) - 1], said)


def run(command: list[str], rename: Renamer) -> tuple[str, web.Fault | None]:
    """Returns all that pip says, and what went wrong."""
    again: list[str] = []
    for last in (False, True):
        result = subprocess.run(
            [sys.executable, "-m", "pip", command[0], *COMMON, *again, *command[1:]], env=environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        said = rename(REPORTER.sub("", result.stdout))
        print(said, flush=True)
        if result.returncode == 0:
            return result.stdout, None
        if last or not PASSING.search(said) and WRONG not in said:
            break
        again = ["--no-cache-dir"] if WRONG in said else []
    return result.stdout, explain(said)


def environment() -> dict[str, str]:
    """Keeps configurations from pip, and what it asks the router from a proxy. Its resolver tells all, for askers.py."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    if trusted := os.environ.get("SSL_CERT_FILE"):
        plain["PIP_CERT"] = trusted  # pip has a list of its own, and knows no other way to another one
    direct = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    return {**plain, "PIP_RESOLVER_DEBUG": "1", "PIP_CONFIG_FILE": os.devnull, "no_proxy": ",".join(filter(None, [direct, "127.0.0.1"]))}


def explain(said: str) -> web.Fault:
    """Repeats pip's own explanation, without its log and its traces."""
    if modules := MODULE.findall(said):
        return missing_requirement(collected(said), modules[-1])
    if WRONG in said:
        return web.Fault("failure", wrong_bytes(said))
    if tree := re.search(r"^  Cloning (\S+) ", said, re.M):
        return unpinned(collected(said), tree[1])
    if status := re.search(r"HTTP error (\d+) while getting (\S+)", said):
        return web.refused(urldefrag(status[2])[0], int(status[1]))
    if CIRCLE in said:
        return web.Fault("failure", f"{collected(said)}: the server of its file redirects in a circle")
    if discarded := inconsistent(said):
        return discarded
    kind = "transient" if PASSING.search(said) else "failure" if BROKEN.search(said) else "usage"
    if kind == "failure":
        return broken(said)
    if "ERROR: Exception:" in said:
        return web.Fault(kind, f"{collected(said)}: pip failed: {last_line(said)}")
    of = f"{collected(said)}: " if "error: subprocess-exited" in said else ""
    return web.Fault(kind, of + "\n".join(errors_of(said)))


def inconsistent(said: str) -> web.Fault | None:
    """Returns why pip put away a file of the project that it then did not find."""
    missing = {normal(name) for name in re.findall(r"found for ([\w.-]+)", said)}
    for url, what, wanted, got in DISCARDED.findall(said):
        url = urldefrag(url)[0]
        if project_of(web.file_name(url)) in missing:
            fault = web.Fault("failure", f"{url}: its metadata has the {what} {got}, not {wanted}")
            fault.file = url
            return fault
    return None


def broken(said: str) -> web.Fault:
    """Repeats what pip says of the last file that it had in hand."""
    files = IN_HAND.findall(said)
    if "ERROR: Exception:" not in said:
        message = "\n".join(errors_of(said))
    elif "got 'NoneType'" in last_line(said):
        message = "its build gives it no metadata with a name and a version"
    else:
        message = f"pip failed: {last_line(said)}"
    fault = web.Fault("failure", f"{files[-1] if files else collected(said)}: {message}")
    fault.file = files[-1] if files else ""
    return fault


def last_line(said: str) -> str:
    return said.strip().splitlines()[-1].strip()


def errors_of(said: str) -> list[str]:
    """Returns from the first error on what is no trace and no advice to the user of pip."""
    lines = without_traces(said.splitlines())
    first = next((i for i, line in enumerate(lines) if line.lstrip().startswith(("ERROR:", "error:", "×"))), 0)
    kept: dict[str, str] = {}  # each line once, however deep
    for line in lines[first:]:
        if line.strip() and not ASIDE.match(line):
            bare = re.sub(r"^(\s*)(ERROR: |× )", r"\1", re.sub(r"/tmp/pip-[^/\s]+/", "", line)).rstrip()
            kept.setdefault(bare.strip(), bare if kept else bare.strip())
    return shortened(list(kept.values())) or ["pip says nothing"]


def shortened(lines: list[str]) -> list[str]:
    """Keeps what stands first, which says what failed, and the end."""
    return lines if len(lines) <= LONGEST else [lines[0], "…", *lines[2 - LONGEST :]]


def without_traces(lines: list[str]) -> list[str]:
    """Leaves of every trace what it ends with, the exception."""
    kept: list[str] = []
    depth = None
    for line in lines:
        margin = len(line) - len(line.lstrip())
        if TRACE in line:
            depth = margin
        elif depth is None or line.strip() and margin <= depth:
            depth = None
            kept.append(line)
    return kept


def wrong_bytes(said: str) -> str:
    lines = said.splitlines()
    start = next(i for i, line in enumerate(lines) if WRONG in line)
    facts = [line.strip() for line in lines[start + 1 : start + 12] if re.search(r"https?://|==|Expected|Got|sha256", line)]
    return "the bytes of a file are not those that its index or the requirements promise:\n" + "\n".join(facts)


def collected(said: str) -> str:
    """Returns the project that pip looked at last."""
    names = re.findall(r"^(?:Collecting|Processing) ([\w./+-]+)", said, re.M)
    return names[-1].rstrip("/").rsplit("/", 1)[-1] if names else "a project"


def unpinned(project: str, url: str, commit: str = "COMMIT") -> web.Fault:
    return web.Fault(
        "usage",
        f"{project}: another project asks for the git tree {url}, which nothing pins",
        f'pin it in the requirements: "{project} @ git+{url}@{commit}"',
    )


def missing_requirement(project: str, module: str) -> web.Fault:
    return web.Fault(
        "usage",
        f'{project}: its build imports "{module}", which it does not declare as a requirement of its build',
        f'list all that it is built with: [python.build-requires] {project} = ["setuptools", "wheel", "{module.split(".")[0].lower()}"]',
    )
