import unittest

import world  # noqa: F401  (it says where the scripts are)

from askers import Askers, name_of

INDEX = "http://127.0.0.1:8000/token/index/0"
LINES = [
    "Alpha[x]>=1 --hash=sha256:00", "gamma; python_version > '3'", "beta<2", "https://f.example/w/torch_geo-1.0%2Bcu1-py3-none-any.whl#sha256=00",
    "/.lamina/project/wheels/here-2.0-py3-none-any.whl[a,b] ; os_name == 'posix'", "sam2 @ file:///tmp/trees/0/sam2", "beta==1.0",
]  # fmt: skip


def link(file: str) -> str:
    return f"LinkCandidate('http://f.example/{file} (from {INDEX}/x/) (requires-python:>=3)')"


HEARD = f"""Collecting gamma
Reporter.adding_requirement(SpecifierRequirement('gamma; python_version > "3"'), None)
Reporter.adding_requirement(SpecifierRequirement('Deep>=1'), {link("gamma-1.0-py3-none-any.whl")})
Reporter.adding_requirement(ExplicitRequirement({link("deep-1.0.tar.gz")}), ExtrasCandidate(base={link("deep-1.0.tar.gz")}, extras=frozenset({{'x'}})))
Reporter.adding_requirement(SpecifierRequirement('deeper'), ExtrasCandidate(base={link("deep-1.0.tar.gz")}, extras=frozenset({{'x'}})))
Reporter.adding_requirement(RequiresPythonRequirement('>=3.7'), {link("deep-1.0.tar.gz")})
Reporter.adding_requirement(SpecifierRequirement('deeper'), {link("alpha-1.0-py3-none-any.whl")})
Reporter.adding_requirement(SpecifierRequirement('beta'), {link("alpha-1.0-py3-none-any.whl")})
      Reporter.adding_requirement(SpecifierRequirement('setuptools'), {link("beta-1.0-py3-none-any.whl")})
"""


class AskersTest(unittest.TestCase):
    def setUp(self) -> None:
        self.askers = Askers(LINES, HEARD)

    def test_names(self) -> None:
        self.assertEqual([name_of(line) for line in LINES], ["alpha", "gamma", "beta", "torch-geo", "here", "sam2", "beta"])

    def test_markers(self) -> None:
        lines = ["a; python_version < '3' --hash=sha256:00", "b ; extra == 'x'", "c; python_version > '3' --hash=sha256:00", "d; no marker"]
        self.assertEqual(Askers(lines, "").lines, lines[2:])

    def test_the_nearest_lines(self) -> None:
        alpha, gamma, beta, *_, beta1 = LINES
        for project, want in {"deep": [gamma], "deeper": [alpha, gamma], "beta": [beta, beta1], "setuptools": [], "nothing": []}.items():
            with self.subTest(project=project):
                self.assertEqual(self.askers.of(project), want)

    def test_whom_a_message_speaks_of(self) -> None:
        alpha, gamma, beta, geo, here, sam2, beta1 = LINES
        for message, want in {
            "Could not find a version that satisfies the requirement beta==9 (from versions: 1.0)\nNo matching distribution found for beta==9": [beta, beta1],
            "Could not find a version that satisfies the requirement beta>=5 (from alpha[x]) (from versions: none)\nNo matching distribution found for beta>=5": [alpha],
            "Could not find a version that satisfies the requirement far (from Deep) (from versions: none)\nNo matching distribution found for far": [gamma],
            "Cannot install alpha[x]>=1, gamma; python_version > '3' and beta<2 because these package versions have conflicting dependencies.": [alpha, gamma, beta, beta1],
            "Cannot install gamma because these\nThe conflict is caused by:\n    gamma 1.0 depends on deep\n    The user requested (constraint) beta<2": [gamma, beta, beta1],
            "Package 'deeper' requires a different Python: 3.11.2 not in '>=3.13'": [alpha, gamma],
            "the bytes of a file are not those that its index or the requirements promise:\nbeta==1.0 from http://f.example/beta.whl:": [beta, beta1],
            "Hashes are required\n    gamma==1.0 --hash=sha256:00": [gamma],
            "deeper: its build imports \"numpy\"": [alpha, gamma],
            "https://f.example/w/torch_geo-1.0%2Bcu1-py3-none-any.whl: it is empty": [geo],
            "./wheels/here-2.0-py3-none-any.whl: it is empty": [here],
            "deep-1.0.tar.gz: pip failed": [gamma],
            "sam2: pip failed": [sam2],
            "index own: http://i.example/beta/: the server answers 502": [],
            "pip says nothing": [],
        }.items():  # fmt: skip
            with self.subTest(message=message):
                self.assertEqual(self.askers.about(message), want)


if __name__ == "__main__":
    unittest.main()
