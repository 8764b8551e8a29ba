"""What pip says of every trouble lies in the folder said, since pip takes its time to say it.

RECORD=1 lets the pip of this machine, which should be Debian 12's, say it anew.
"""

import contextlib
import hashlib
import io
import os
import pathlib
import unittest
from concurrent.futures import ThreadPoolExecutor

from world import Server, WithServer, sdist, wheel, zipped

import router
import runpip
import web

SAID = pathlib.Path(__file__).parent / "said"
SUM = "0" * 64
ROUTER = "http://127.0.0.1:8000/token"  # in what is recorded
FILES = "http://files.example"
INDEX = "https://pypi.example/simple"


def backend(asks: str = "return []", describes: str = "pass", requires: str = "") -> dict[str, str]:
    """Returns an sdist that brings its own backend, which needs nobody."""
    return {
        "pyproject.toml": f'[build-system]\nrequires = [{requires}]\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": f"def get_requires_for_build_wheel(config=None):\n    {asks}\n"
        f"def prepare_metadata_for_build_wheel(folder, config=None):\n    {describes}\ndef build_wheel(*_): pass\n",
    }


CHAIN = "try:\n        open('/nonexistent')\n    except OSError as e:\n        raise ValueError('first line\\nsecond line') from e"
LONG = "[print('line', i) for i in range(500)]; raise KeyError('at its end')"


def publish(server: Server) -> None:
    server.index(
        wheel("alpha", requires=["beta>=2"]), wheel("beta"), wheel("beta", "2.1"), wheel("gitty", requires=["tree @ git+http://127.0.0.1:1/tree.git"]),
        sdist("exits", files=backend(asks="raise SystemExit('it says no')")), sdist("imports", files=backend(asks="import nothing.such")),
        sdist("chain", files=backend(asks=CHAIN)), sdist("long", files=backend(describes=LONG)), sdist("needs", files=backend(requires='"nowhere>=3"')),
        sdist("odd", files={"pyproject.toml": "[build-system\n"}), ("garbage-1.0-py3-none-any.whl", b"garbage"), ("rubbish-1.0.tar.gz", b"rubbish"),
        wheel("gone"), wheel("down"), wheel("lie"), sdist("altered", files=backend(asks="import numpy")),
        ("nowheel-1.0-py3-none-any.whl", zipped({"nowheel-1.0.dist-info/METADATA": b"Name: nowheel\nVersion: 1.0\n"})),
        ("older-2.0-py3-none-any.whl", wheel("older")[1]), sdist("untold", files=backend(describes="import os; os.mkdir(folder + '/untold-1.0.dist-info'); return 'untold-1.0.dist-info'")),
        wheel("x" * 300), wheel("deep", requires=["alpha"]), ("circle-1.0-py3-none-any.whl", b""), sdist("vacant", files={"x": ""}),
    )  # fmt: skip
    server.files["/files/circle-1.0-py3-none-any.whl"].location = "/files/circle-1.0-py3-none-any.whl"
    server.files["/files/gone-1.0-py3-none-any.whl"].faults = [404]
    server.files["/files/gone-1.0-py3-none-any.whl"].always = True
    server.files["/files/down-1.0-py3-none-any.whl"].faults = [503]
    server.files["/files/down-1.0-py3-none-any.whl"].always = True
    server.files["/files/lie-1.0-py3-none-any.whl"].data += b"x"


CASES = {
    "no version": ["beta==9"],
    "no project": ["nothing"],
    "conflict": ["alpha", "beta<2"],
    "wrong bytes": ["lie"],
    "wrong hash": [f"beta==2.1 --hash=sha256:{SUM}"],
    "missing hash": [f"beta==2.1 --hash=sha256:{hashlib.sha256(wheel('beta', '2.1')[1]).hexdigest()}", "alpha==1.0"],
    "no pin": [f"beta --hash=sha256:{SUM}"],
    "gone": ["gone"],
    "git": ["gitty"],
    "exits": ["exits"],
    "imports": ["imports"],
    "chain": ["chain"],
    "long": ["long"],
    "needs": ["needs"],
    "odd": ["odd"],
    "garbage": ["garbage"],
    "rubbish": ["rubbish"],
    "altered": ["altered"],
    "no wheel": ["nowheel"],
    "older": ["older"],
    "untold": ["untold"],
    "too long": ["x" * 300],
    "circle": ["circle"],
    "vacant": ["vacant"],
}


def said(case: str, lines: list[str], server: Server) -> str:
    """Returns what pip says."""
    indexes = router.Router({"indexes": [{"name": INDEX, "url": server.url + "/simple", "packages": []}], "links": [], "build_requires": {"altered": ["pyyaml"]}})
    heard: list[str] = []
    try:
        with contextlib.suppress(web.Fault):
            runpip.resolve(lines, [], indexes.options(), lambda text: heard.append(text) or text)
    finally:
        indexes.close()
    return heard[-1].replace(indexes.base, ROUTER).replace(server.url, FILES)


def record() -> None:
    server = Server("127.0.0.1")
    publish(server)
    places, runpip.without_places = runpip.without_places, lambda text, _: text
    SAID.mkdir(exist_ok=True)
    with ThreadPoolExecutor(4) as pool, contextlib.redirect_stdout(io.StringIO()):
        for case, text in zip(CASES, pool.map(lambda case: said(case, CASES[case], server), CASES)):
            SAID.joinpath(f"{case.replace(' ', '_')}.txt").write_text(text, "utf-8")
    runpip.without_places = places
    server.stop()


class ExplainTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        if os.environ.get("RECORD"):
            record()
        cls.told = {case: cls.explain(case, lines) for case, lines in CASES.items()}

    @classmethod
    def explain(cls, case: str, lines: list[str]) -> web.Fault:
        text = SAID.joinpath(f"{case.replace(' ', '_')}.txt").read_text("utf-8")
        return runpip.explain(runpip.without_places(text, lines).replace(ROUTER + "/index/0", INDEX))

    def check(self, case: str, kind: str, *says: str, hint: str = "") -> None:
        """Compares the lines of an explanation, which may go on where they end with an ellipsis."""
        fault = self.told[case]
        self.assertEqual(fault.kind, kind, fault.message)
        lines = fault.message.splitlines()
        self.assertEqual(len(lines), len(says), fault.message)
        for line, want in zip(lines, says):
            self.assertTrue(line == want or want.endswith("…") and line.startswith(want[:-1]), f"{line!r} is not {want!r}")
        self.assertIn(hint, fault.hint)

    def test_nobody_sees_traces_and_places(self) -> None:
        for case, fault in self.told.items():
            with self.subTest(case=case):
                self.assertNotRegex(fault.message, r'Traceback|File "|\^\^|/tmp/|lines-r|/index/0|\[notice\]|exit code|See above|end of output')

    def test_no_version(self) -> None:
        self.check("no version", "usage", "Could not find a version that satisfies the requirement beta==9 (from versions: 1.0, 2.1)", "No matching distribution found for beta==9")
        self.check("no project", "usage", "Could not find a version that satisfies the requirement nothing (from versions: none)", "No matching distribution found for nothing")

    def test_conflict(self) -> None:
        self.check("conflict", "usage", "Cannot install alpha and beta<2 because these package versions have conflicting dependencies.",
                   "The conflict is caused by:", "    The user requested beta<2", "    alpha 1.0 depends on beta>=2")

    def test_hashes(self) -> None:
        first = "the bytes of a file are not those that its index or the requirements promise:"
        self.check("wrong bytes", "failure", first, "lie from http://files.example/files/lie-1.0-py3-none-any.whl:", "Expected sha256 …", "Got        …")
        self.check("wrong hash", "failure", first, "beta==2.1 from http://files.example/files/beta-2.1-py3-none-any.whl:", f"Expected sha256 {SUM}", "Got        …")
        self.check("missing hash", "usage", "Hashes are required in --require-hashes mode, but they are missing from some requirements. …", "    alpha==1.0 --hash=sha256:…")
        self.check("no pin", "usage", "In --require-hashes mode, all requirements must have their versions pinned with ==. These do not:", "    beta from http://files.example/files/beta-2.1…")

    def test_a_file_that_is_gone(self) -> None:
        self.check("gone", "usage", "http://files.example/files/gone-1.0-py3-none-any.whl: the server has no such file (404)", hint="an index may have dropped it")

    def test_a_git_tree_that_nothing_pins(self) -> None:
        self.check("git", "usage", "tree: another project asks for the git tree http://127.0.0.1:1/tree.git, which nothing pins", hint='"tree @ git+http://127.0.0.1:1/tree.git@COMMIT"')

    def test_a_module_that_is_not_declared(self) -> None:
        self.check("imports", "usage", 'imports: its build imports "nothing", which it does not declare as a requirement of its build',
                   hint='[python.build-requires] imports = ["setuptools", "wheel", "nothing"]')

    def test_a_build_that_breaks(self) -> None:
        first = ": Getting requirements to build wheel did not run successfully."
        self.check("exits", "usage", "exits" + first, "      it says no")
        self.check("chain", "usage", "chain" + first, "      FileNotFoundError: [Errno 2] No such file or directory: '/nonexistent'", "      ValueError: first line", "      second line")
        self.check("long", "usage", "long: Preparing metadata (pyproject.toml) did not run successfully.", "…", *(f"      line {i}" for i in range(478, 500)), "      KeyError: 'at its end'")

    def test_a_build_requirement_that_is_nowhere(self) -> None:
        for case, name in ("needs", "nowhere>=3"), ("altered", "pyyaml"):
            self.check(case, "usage", f"{case}: pip subprocess to install build dependencies did not run successfully.",
                       f"      Could not find a version that satisfies the requirement {name} (from versions: none)", f"      No matching distribution found for {name}")

    def test_archives_that_are_none(self) -> None:
        for case, file, says in (
            ("garbage", "garbage-1.0-py3-none-any.whl", "Wheel 'garbage' located at garbage-1.0-py3-none-any.whl is invalid."),
            ("rubbish", "rubbish-1.0.tar.gz", "pip failed: tarfile.ReadError: not a gzip file"),
            ("odd", "odd-1.0.tar.gz", "pip failed: pip._vendor.tomli.TOMLDecodeError: Expected ']' at the end of a table declaration (at line 1, column 14)"),
            ("no wheel", "nowheel-1.0-py3-none-any.whl", "nowheel has an invalid wheel, …"),
            ("untold", "untold-1.0.tar.gz", "its build gives it no metadata with a name and a version"),
            ("too long", "x" * 300 + "-1.0-py3-none-any.whl", "Could not install packages due to an OSError: [Errno 36] File name too long: …"),
            ("older", "older-2.0-py3-none-any.whl", "its metadata has the version 1.0, not 2.0"),
            ("vacant", "vacant-1.0.tar.gz", "vacant from http://files.example/files/vacant-1.0.tar.gz does not appear to be a Python project: …"),
        ):
            with self.subTest(case=case):
                self.check(case, "failure", f"{FILES}/files/{file}: {says}")
                self.assertEqual(self.told[case].file, f"{FILES}/files/{file}")

    def test_a_circle(self) -> None:
        self.check("circle", "failure", "circle: the server of its file redirects in a circle")


class SaidTest(unittest.TestCase):
    """What takes a real pip too long to say, or a network to fail."""

    def test_what_passes(self) -> None:
        for said in (
            "ERROR: Could not install packages due to an OSError: HTTPConnectionPool(host='f.example', port=80): Max retries exceeded with url: /x (Caused by ResponseError('too many 503 error responses'))",
            "ERROR: Exception:\nTraceback (most recent call last):\n  File x\npip._vendor.urllib3.exceptions.ReadTimeoutError: HTTPSConnectionPool(host='f.example', port=443): Read timed out.",
            "ERROR: Could not install packages due to an OSError: ('Connection broken: IncompleteRead(5 bytes read)')",
        ):
            with self.subTest(said=said):
                self.assertEqual(runpip.explain(said).kind, "transient")

    def test_what_was_put_away_is_told_where_it_was_wanted(self) -> None:
        said = (
            "Discarding https://f.example/{0}-2.0.tar.gz (from https://i.example/a-b/) (requires-python:>=3, <4): Requested A_b from https://f.example/{0}-2.0.tar.gz"
            " has inconsistent name: expected 'a-b', but metadata has 'c'\nERROR: No matching distribution found for A.b"
        )
        self.assertEqual(runpip.explain(said.format("A_b")).message, "https://f.example/A_b-2.0.tar.gz: its metadata has the name c, not a-b")
        self.assertEqual(runpip.explain(said.format("other")).message, "No matching distribution found for A.b")

    def test_a_full_disk_is_no_question_of_usage(self) -> None:
        told = runpip.explain("Collecting a\nERROR: Could not install packages due to an OSError: [Errno 28] No space left on device")
        self.assertEqual((told.kind, told.file), ("failure", ""))
        self.assertIn("a: Could not install", told.message)

    def test_a_refused_file(self) -> None:
        fault = runpip.explain("Collecting a\n  ERROR: HTTP error 401 while getting https://f.example/a.whl#sha256=00 (from https://i.example/a/)\nERROR: Could not install")
        self.assertEqual((fault.kind, fault.message), ("usage", "https://f.example/a.whl: the server asks for a login, or refuses the one it got (401)"))

    def test_nothing(self) -> None:
        self.assertEqual(runpip.explain("").message, "pip says nothing")

    def test_where_requirements_stand(self) -> None:
        for said, want in {
            "Collecting a (from -r /tmp/tmpx/lines-r.txt (line 2))": "Collecting a",
            "Collecting a (from -c /tmp/tmpx/lines-c.txt (line 2))": "Collecting a",
            "Collecting b (from a->-r /tmp/tmpx/lines-r.txt (line 2))": "Collecting b (from a)",
            "Cannot install -r /tmp/tmpx/lines-r.txt (line 1) and -r /tmp/tmpx/lines-r.txt (line 2) because": "Cannot install a>=1 and b because",
        }.items():
            with self.subTest(said=said):
                self.assertEqual(runpip.without_places(said, ["a>=1", "b"]), want)

    def test_the_project_that_is_built(self) -> None:
        for said, want in {"Collecting A.b[x]>=1": "A.b", "Collecting a\nProcessing sam2": "sam2", "Processing ./dist/x-1.0.tar.gz": "x-1.0.tar.gz", "": "a project"}.items():
            self.assertEqual(runpip.collected(said), want)


class RunTest(WithServer):
    def test_pip_gets_no_configuration(self) -> None:
        self.replace(os, "environ", {"PIP_INDEX_URL": "https://evil.example", "NO_PROXY": "a.example", "PATH": "/bin"})
        self.assertEqual(runpip.environment(), {"NO_PROXY": "a.example", "PATH": "/bin", "PIP_CONFIG_FILE": "/dev/null", "PIP_RESOLVER_DEBUG": "1", "no_proxy": "a.example,127.0.0.1"})

    def test_pip_trusts_what_everybody_trusts(self) -> None:
        self.replace(os, "environ", {"SSL_CERT_FILE": "/ca.pem", "PIP_CERT": "/other.pem"})
        self.assertEqual(runpip.environment()["PIP_CERT"], "/ca.pem")

    def test_a_real_pip(self) -> None:
        """Also one that is cut short: to Debian's pip that is the end of the file."""
        url = self.server.index(wheel("a", files={"a.py": b"", "a-1.0.data/scripts/tool": b"#!python\n"}), wheel("b"), wheel("c", requires=["b"]))
        self.server.files["/files/b-1.0-py3-none-any.whl"].faults = ["cut"]
        indexes = router.Router({"indexes": [{"name": INDEX, "url": url, "packages": []}], "links": [], "build_requires": {}})
        self.addCleanup(indexes.close)
        web.opener()  # knows no proxy, which nothing that pip asks may go through
        self.replace(os, "environ", {**os.environ, "http_proxy": "http://127.0.0.1:1", "no_proxy": ""})
        into = os.path.join(self.folder, "into")
        with contextlib.redirect_stdout(io.StringIO()) as log:
            entries = runpip.resolve(["c", "a"], ["b<2"], indexes.options(), indexes.rename)
            fault = self.fault(lambda: runpip.resolve(["a", "c"], ["b==2"], indexes.options()))
            runpip.install(["a"], into, indexes.options())
            runpip.install([], into, [])
        self.assertEqual({entry["metadata"]["name"]: entry["lines"] for entry in entries}, {"a": ["a"], "b": ["c"], "c": ["c"]})
        self.assertEqual(fault.lines, ["c", "b==2"])
        self.assertNotIn("Reporter", log.getvalue())
        self.assertLessEqual({"a.py", "bin"}, set(os.listdir(into)))
        self.assertIn(f"Looking in indexes: {INDEX}/\n", log.getvalue())


if __name__ == "__main__":
    unittest.main()
