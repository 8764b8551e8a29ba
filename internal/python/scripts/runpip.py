"""Runs pip and makes sense of what it says."""

import json
import os
import re
import subprocess
import sys
import tempfile

import web

COMMON = ["--no-input", "--disable-pip-version-check", "--no-color", "--progress-bar=off"]
# What a second try may cure: the cache has what came whole.
PASSING = re.compile(r"IncompleteRead|Connection broken|ReadTimeoutError|ConnectionError|Read timed out|Connection aborted|50[0-9] Server Error")


def resolve(requirements: list[str], constraints: list[str], options: list[str]) -> list[dict]:
    """Returns the entries of pip's report on what it would install."""
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.json")
        command = [
            *("install", "--dry-run", "--ignore-installed", "--break-system-packages", "--use-pep517", "--report", report),
            *(write(folder, "-r", requirements) + write(folder, "-c", constraints) + options),
        ]
        run(command)
        with open(report, encoding="utf-8") as file:
            return json.load(file)["install"]


def install(requirements: list[str], into: str, options: list[str]) -> None:
    """Installs wheels below a folder, to look at a tree with them."""
    if requirements:
        run(["install", "--only-binary=:all:", "--target", into, *options, *requirements])


def write(folder: str, option: str, lines: list[str]) -> list[str]:
    if not lines:
        return []
    path = os.path.join(folder, f"lines{option}.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    return [option, path]


def run(command: list[str]) -> None:
    for last in (False, True):
        result = subprocess.run(
            [sys.executable, "-m", "pip", command[0], *COMMON, *command[1:]],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        print(result.stdout, flush=True)
        if result.returncode == 0:
            return
        if last or not PASSING.search(result.stdout):
            raise explain(result.stdout)


def explain(said: str) -> web.Fault:
    """Repeats pip's own explanation, without its log and its traces."""
    if undeclared := re.search(r"(?:ModuleNotFoundError|ImportError): No module named '([\w.]+)'", said):
        return undeclared_module(said, undeclared[1])
    if "HASHES" in said or "hashes are required" in said:
        return web.Fault("failure", wrong_bytes(said))
    if status := re.search(r"HTTP error (\d+) while getting (\S+)", said):
        return web.refused(status[2], int(status[1]))
    if "ERROR: Exception:" in said:
        return web.Fault("failure", "pip failed: " + said.strip().splitlines()[-1])
    kind = "transient" if PASSING.search(said) else "usage"
    return web.Fault(kind, "\n".join(errors_of(said)))


def errors_of(said: str) -> list[str]:
    """Returns from the first error on what is no trace and no advice to the user of pip."""
    lines = said.splitlines()
    first = next((i for i, line in enumerate(lines) if line.lstrip().startswith(("ERROR:", "error:", "×"))), max(len(lines) - 20, 0))
    conflict = next((i for i, line in enumerate(lines) if line.startswith("The conflict is caused by")), None)
    if conflict is not None:
        first = min(first, conflict)
    drop = re.compile(r"\s*(\[notice\]|note:|hint:|Traceback|To fix this you could|\d\. (loosen|remove)|ERROR: ResolutionImpossible|WARNING: (Ignoring|Retrying))")
    kept = [re.sub(r"^ERROR: ", "", line).rstrip() for line in lines[first:] if line.strip() and not drop.match(line)]
    return list(dict.fromkeys(kept)) or ["pip says nothing"]


def wrong_bytes(said: str) -> str:
    lines = said.splitlines()
    start = next((i for i, line in enumerate(lines) if "HASHES" in line or "ashes are required" in line), 0)
    facts = [line.strip() for line in lines[start + 1 : start + 12] if re.search(r"https?://|==|Expected|Got|sha256", line)]
    return "the bytes of a file are not those that its index or the requirements promise:\n" + "\n".join(facts)


def undeclared_module(said: str, module: str) -> web.Fault:
    collecting = re.findall(r"^(?:Collecting|Processing) ([\w.-]+)", said, re.M)
    project = collecting[-1] if collecting else "a project"
    return missing_requirement(project, module)


def missing_requirement(project: str, module: str) -> web.Fault:
    return web.Fault(
        "usage",
        f'{project}: its build imports "{module}", which it does not declare as a requirement of its build',
        f'list all that it is built with: [python.build-requires] {project} = ["setuptools", "wheel", "{module.split(".")[0].lower()}"]',
    )
