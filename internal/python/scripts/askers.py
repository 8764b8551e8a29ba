"""Finds the lines that a fault is about: pip speaks of projects, and people look for where they asked for them."""

import re
from urllib.parse import urldefrag

from packaging.markers import InvalidMarker, Marker
from packaging.version import InvalidVersion

import web
from router import FILE, normal, project_of

# What pip's resolver says where it is told to tell all: no other word of it names the parent of every project.
REPORTER = re.compile(r"^[ \t]*Reporter\..*\n?", re.M)
EDGE = re.compile(r"^Reporter\.adding_requirement\((\w+Requirement\(.*?\)), (\w+Candidate\(.*\))\)$", re.M)
# Of a project that is not to be had, who needs it is in the way.
PARENT = re.compile(r"the requirement \S.*? \(from (?!versions:)([\w.-]+)")
SPOKEN_OF = re.compile(r"(?:found for|the requirement|\(constraint\)) ([\w.-]+)|Package '([\w.-]+)' requires|^\s*([\w.-]+)\S* (?:from \w+:|--hash)", re.M)
TOGETHER = re.compile(r"Cannot install (.*) because")
SUBJECT = re.compile(r"(\S+): ")


class Askers:
    """Knows which lines asked for a project, themselves or through others."""

    def __init__(self, lines: list[str], heard: str) -> None:
        self.lines = [line for line in lines if applies(line)]
        self.names = [name_of(line) for line in self.lines]
        self.parents: dict[str, set[str]] = {}
        for child, parent in EDGE.findall(heard):
            self.parents.setdefault(subject_of(child), set()).add(subject_of(parent))

    def of(self, *projects: str) -> list[str]:
        """Returns the nearest lines, in their order."""
        waiting, seen, own = [*projects], set(), set(self.names)
        while waiting:
            if (name := waiting.pop()) not in seen:
                seen.add(name)
                waiting += [] if name in own else self.parents.get(name, ())
        return [line for line, name in zip(self.lines, self.names) if name in seen]

    def about(self, message: str) -> list[str]:
        """Returns the lines that asked for what an explanation speaks of."""
        if parent := PARENT.search(message):
            return self.of(normal(parent[1]))
        names = ["".join(found) for found in SPOKEN_OF.findall(message)]
        if together := TOGETHER.search(message):
            names += re.findall(r"(?:^|, | and )([\w.-]+)", together[1])
        if subject := SUBJECT.match(message):
            file = web.file_name(subject[1])
            names.append(project_of(file) if FILE.search(file) else subject[1])
        return self.of(*map(normal, names))


def applies(line: str) -> bool:
    """Says whether the marker of a requirement holds here. pip passes over it otherwise."""
    marker = re.sub(r" --hash=\S+", "", line).partition(";")[2].strip()
    try:
        return not marker or Marker(marker).evaluate({"extra": ""})
    except (InvalidMarker, InvalidVersion):
        return True


def name_of(line: str) -> str:
    """Returns the project of a requirement, from the name of the file where it has no other."""
    if name := re.match(r"[A-Za-z0-9][\w.-]*(?=\s*([\[@=<>!~;,(]|--|$))", line):
        return normal(name[0])
    return project_of(web.file_name(re.sub(r"\[.*", "", urldefrag(line.split(" ")[0])[0])))


def subject_of(text: str) -> str:
    """Returns the project of a requirement or candidate, as pip's resolver writes it."""
    if name := re.match(r"SpecifierRequirement\('([\w.-]+)", text):
        return normal(name[1])
    link = re.search(r"LinkCandidate\('([^'\s#]+)", text)
    return project_of(web.file_name(link[1])) if link else ""
