import hashlib
import io
import json
import os
import tarfile
import unittest
import urllib.error
import urllib.request
import zipfile

from world import JSON, WithServer, sdist, wheel

import router
import web

PYPROJECT = b"[build-system]\nrequires = [\"numpy\"]\n"


class WithRouter(WithServer):
    def route(self, *indexes: dict, links: list[str] | None = None, **build_requires: list[str]) -> router.Router:
        listed = list(indexes) or [self.index(self.server.url + "/simple")]
        r = router.Router({"indexes": listed, "links": links or [], "build_requires": build_requires})
        self.addCleanup(r.close)
        return r

    def index(self, url: str, *packages: str, name: str = "") -> dict:
        return {"name": name or url, "url": url, "packages": list(packages)}

    def get(self, url: str) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(url) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as e:
            with e:
                return e.code, e.read()

    def files(self, r: router.Router, path: str) -> list[dict]:
        status, body = self.get(f"{r.base}/{path}/")
        self.assertEqual(status, 200, r.faults)
        return json.loads(body)["files"]

    def page(self, text: str, project: str = "a", kind: str = "text/html") -> list[dict]:
        self.server.put(f"/simple/{project}/", text.encode(), kind=kind)
        return self.files(self.route(), f"index/0/{project}")


class PageTest(WithRouter):
    def test_links_of_every_form(self) -> None:
        for base, href, want in [
            ("", "a-1.whl", "/simple/a/a-1.whl"),
            ("", "../../f/a-1.whl", "/f/a-1.whl"),
            ("", "/f/a-1.whl", "/f/a-1.whl"),
            ("", "//files.example/a-1.whl", "http://files.example/a-1.whl"),
            ("", "https://files.example/a-1.whl?x=1&amp;y=%20#egg=a", "https://files.example/a-1.whl?x=1&y=%20"),
            ("", "a-1%2Bcu1.whl", "/simple/a/a-1%2Bcu1.whl"),
            ("", "with space/a-1.whl", "/simple/a/with%20space/a-1.whl"),
            ("", "https://me:secret@files.example/a-1.whl", "https://files.example/a-1.whl"),
            ("/f/", "a-1.whl", "/f/a-1.whl"),
            ("https://files.example/x/", "a-1.whl", "https://files.example/x/a-1.whl"),
        ]:
            with self.subTest(base=base, href=href):
                router.read_page.cache_clear()
                tag = f'<base href="{base}"><base href="/second/">' if base else ""
                files = self.page(f'<!DOCTYPE html><html><head>{tag}</head><body><a href="{href}">a</a></body></html>')
                self.assertEqual([f["url"] for f in files], [want if "://" in want else self.server.url + want])

    def test_what_a_link_says(self) -> None:
        files = self.page(
            '<a href="a-1.whl#sha256=00ff" data-requires-python="&gt;=3.8,&lt;4" data-dist-info-metadata="sha256=1">a-1.whl</a>'
            '<a href="b-1.whl#md5=0a" data-yanked="broken &amp; bad">x</a><a href="c-1.whl" data-yanked>x</a><a href="../">up</a><a>none</a>'
            '<a href="mailto:x">x</a><a href="file:///etc/a-1.whl">x</a>'
        )
        self.assertEqual(files[0], {
            "filename": "a-1.whl", "url": self.server.url + "/simple/a/a-1.whl", "hashes": {"sha256": "00ff"}, "requires-python": ">=3.8,<4",
        })
        self.assertEqual([(f["filename"], f["hashes"], f.get("yanked")) for f in files[1:]], [("b-1.whl", {"md5": "0a"}, "broken & bad"), ("c-1.whl", {}, True)])

    def test_json(self) -> None:
        given = {"filename": "a-1.whl", "url": "../../f/a-1.whl", "hashes": {"sha256": "00"}, "yanked": "why", "requires-python": ">=3", "core-metadata": {"sha256": "1"}, "size": 3}
        files = self.page(json.dumps({"meta": {"api-version": "1.1"}, "files": [given, {"filename": "a-2.whl", "url": "/f/a-2.whl", "hashes": None}]}), kind=JSON)
        self.assertEqual(files[0], {"filename": "a-1.whl", "url": self.server.url + "/f/a-1.whl", "hashes": {"sha256": "00"}, "yanked": "why", "requires-python": ">=3", "size": 3})
        self.assertEqual(files[1]["hashes"], {})

    def test_names_are_normalised(self) -> None:
        self.server.put("/simple/a-b/", b'<a href="A.b-1.whl">x</a>', kind="text/html")
        self.assertEqual(len(self.files(self.route(), "index/0/A._b")), 1)

    def test_a_page_follows_where_it_leads(self) -> None:
        self.server.put("/simple/a/", location="/real/a/")
        self.server.put("/real/a/", b'<a href="a-1.whl">x</a>', kind="text/html")
        self.assertEqual(self.files(self.route(), "index/0/a")[0]["url"], self.server.url + "/real/a/a-1.whl")


class BoundTest(WithRouter):
    def setUp(self) -> None:
        super().setUp()
        for path in "public", "private":
            self.server.index(wheel("a"), wheel("b"), wheel("c_d"), path="/" + path)
        self.public = self.index(self.server.url + "/public")
        self.private = self.index(self.server.url + "/private", "a", "c-d")

    def test_a_bound_project_is_at_its_index_alone(self) -> None:
        r = self.route(self.public, self.private)
        for path, want in {
            "index/0/a": 404, "index/1/a": 200, "index/0/b": 200, "index/1/b": 404, "index/0/C.D": 404, "index/1/c_d": 200, "index/0/nothing": 404,
        }.items():
            with self.subTest(path=path):
                self.assertEqual(self.get(f"{r.base}/{path}/")[0], want)
        self.assertEqual(r.faults, [])
        self.assertEqual(self.server.asked("/public/a/"), [])

    def test_a_bound_project_is_not_on_links_pages(self) -> None:
        names = ["a-1.0-py3-none-any.whl", "A-2.0.tar.gz", "a-1.0-1.tar.gz", "c.d-1.0.zip", "a-b-1.0.tar.gz", "b-1.0.tar.bz2"]
        self.server.put("/links", "".join(f'<a href="f/{n}" data-requires-python="&gt;=3" data-yanked="x">{n}</a>' for n in names).encode(), kind="text/html")
        for name in names:
            open(os.path.join(self.folder, name), "wb").close()
        r = self.route(self.public, self.private, links=[self.server.url + "/links", self.folder, self.folder + "/gone"])
        page, folder = self.files(r, "links/0"), self.files(r, "links/1")
        self.assertEqual([f["filename"] for f in page], ["a-b-1.0.tar.gz", "b-1.0.tar.bz2"])
        self.assertEqual((page[0]["requires-python"], page[0]["yanked"]), (">=3", "x"))
        self.assertEqual([f["url"] for f in folder], [f"file://{self.folder}/{n}" for n in ("a-b-1.0.tar.gz", "b-1.0.tar.bz2")])
        self.assertEqual(self.files(r, "links/2"), [])

    def test_what_pip_is_told(self) -> None:
        r = self.route(self.public, self.private, links=["https://l.example/x", "/folder"])
        self.assertEqual(r.options(), [
            "--index-url", r.base + "/index/0/", "--extra-index-url", r.base + "/index/1/",
            "--find-links", r.base + "/links/0/", "--find-links", r.base + "/links/1/",
        ])
        none = router.Router({"indexes": [], "links": [], "build_requires": {}})
        self.addCleanup(none.close)
        self.assertEqual(none.options(), ["--no-index"])

    def test_names_of_files(self) -> None:
        for name, want in {
            "A.b_c-1.0-py3-none-any.whl": "a-b-c", "a-b-1.0.tar.gz": "a-b", "a_b-1.0rc1.zip": "a-b", "a-1.0-1.tar.gz": "a", "a-3d-1.0.tgz": "a-3d",
            "a-1.0+cu12.tar.xz": "a", "a-v1.0.tar.bz2": "a", "nothing.tar.gz": "nothing", "a-b.zip": "a-b",
        }.items():
            with self.subTest(name=name):
                self.assertEqual(router.project_of(name), want)


class TokenTest(WithRouter):
    def test_nothing_is_there_without_the_token(self) -> None:
        self.server.index(wheel("a"))
        r = self.route()
        root = r.base.removesuffix("/" + r.token)
        for path in ("/", "/index/0/a/", "/" + "0" * 32 + "/index/0/a/", f"/x/{r.token}/index/0/a/", f"/{r.token}", f"/{r.token}/", f"/{r.token}/else/0/a/"):
            with self.subTest(path=path):
                self.assertEqual(self.get(root + path), (404, b""))
        self.assertEqual(self.get(f"{root}/{r.token}/index/0/a/")[0], 200)
        self.assertEqual(r.faults, [])
        self.assertNotEqual(r.token, self.route().token)

    def test_messages_speak_of_the_indexes(self) -> None:
        self.server.index(sdist("a"))
        r = self.route(self.index(self.server.url + "/simple", name="https://i.example/simple/"), self.index("x", "b", name="own"), links=["https://l.example/x.html"], a=["numpy"])
        altered = self.files(r, "index/0/a")[0]["url"]
        said = f"{r.base}/index/0/a/ {r.base}/index/1 {r.base}/links/0/ ({altered}#x)"
        self.assertEqual(r.rename(said), f"https://i.example/simple/a/ own https://l.example/x.html ({self.server.url}/files/a-1.0.tar.gz#x)")


class FaultTest(WithRouter):
    def check(self, kind: str, *says: str, url: str = "", hint: str = "") -> None:
        r = self.route(self.index(url or self.server.url + "/simple", name="own"))
        self.assertEqual(self.get(r.base + "/index/0/a/"), (404, b""))
        self.assertEqual([f.kind for f in r.faults], [kind])
        for text in "index own: ", *says:
            self.assertIn(text, r.faults[0].message)
        self.assertIn(hint, r.faults[0].hint)

    def test_an_index_that_refuses(self) -> None:
        for status in 401, 403:
            with self.subTest(status=status):
                self.server.put("/simple/a/", faults=[status], always=True)
                self.check("usage", f"({status})", hint="put a login for 127.0.0.1 into ~/.netrc")

    def test_an_index_that_fails(self) -> None:
        self.server.put("/simple/a/", faults=[500], always=True)
        self.check("transient", "the server answers 500")
        self.assertEqual(self.server.asked("/simple/a/"), ["GET"] * 3)

    def test_an_index_that_is_down(self) -> None:
        gone = self.serve("127.0.0.3")
        gone.server_close()
        self.check("transient", "refused", url=gone.url + "/simple")

    def test_garbage(self) -> None:
        for kind, data in {
            JSON: b"{", "application/vnd.pypi.simple.v1+json; charset=utf-8": b"[]", "application/octet-stream": b"\0", "text/plain": b"<a href=a-1.whl>", "image/png": b"PNG",
        }.items():
            with self.subTest(kind=kind):
                self.server.put("/simple/a/", data, kind=kind)
                self.check("failure", "what comes is no page of an index")
        for data in {}, {"files": [{"url": "x"}]}, {"files": {"a": 1}}, {"files": [{"url": "http://[", "filename": "x"}]}:
            with self.subTest(data=data):
                self.server.put("/simple/a/", json.dumps(data).encode(), kind=JSON)
                self.check("failure", "what comes is no page of an index")

    def test_what_is_not_there_is_no_fault(self) -> None:
        for status in 404, 410:
            self.server.put("/simple/a/", faults=[status], always=True)
            r = self.route()
            self.assertEqual((self.get(r.base + "/index/0/a/")[0], r.faults), (404, []))

    def test_a_bucket_forbids_what_it_does_not_have(self) -> None:
        self.server.put("/simple/", b"<html>", kind="text/html")
        self.server.put("/simple/a/", faults=[403], always=True)
        r = self.route()
        self.assertEqual((self.get(r.base + "/index/0/a/")[0], r.faults), (404, []))
        self.assertIn("(403)", r.doubts["a"].message)

    def test_one_with_a_login_does_not(self) -> None:
        self.netrc("machine 127.0.0.1 login me password secret\n")
        self.server.put("/simple/", b"<html>", kind="text/html")
        self.server.put("/simple/a/", faults=[403], always=True)
        self.check("usage", "(403)")

    def test_a_circle(self) -> None:
        self.server.put("/simple/a/", location="/simple/a/")
        self.check("failure", f"{self.server.url}/simple/a/: the server redirects in a circle")

    def doubt(self, *projects: str, url: str = "") -> str:
        r = self.route(self.index(url or self.server.url + "/simple", name="own"))
        for project in projects:
            self.get(f"{r.base}/index/0/{project}/")
        self.assertEqual(r.faults, [])
        told = r.doubt("a")
        self.assertIn(told and told.kind, (None, "usage"))
        return told.message if told else ""

    def test_a_path_that_is_wrong(self) -> None:
        self.assertEqual(self.doubt("a", "b", url=self.server.url + "/wrong/"), f"{self.server.url}/wrong/ answers 404 for every project, is the path right?")
        self.assertEqual(self.server.asked("/wrong/"), ["GET"])

    def test_an_index_that_has_something_is_one(self) -> None:
        """Be it another project, or no more than a list of them."""
        self.server.index(wheel("b"))
        self.assertEqual(self.doubt("a", "b"), "")
        self.server.put("/other/", b"<html>", kind="text/html")
        self.assertEqual(self.doubt("a", url=self.server.url + "/other"), "")
        self.assertNotIn("c", self.route().missed)

    def test_a_page_of_something_else(self) -> None:
        portal, says = b'<html><a href="/login">Log in</a></html>', "/simple/ answers text/html without links to files, is it a package index?"
        self.server.put("/simple/a/", portal, kind="text/html")
        self.server.put("/simple/", portal, kind="text/html")
        self.assertEqual(self.doubt("a"), self.server.url + says)
        self.server.index(wheel("b"))
        self.assertEqual(self.doubt("a", "b"), "")

    def test_a_project_without_files(self) -> None:
        for kind, page in (JSON, b'{"files": []}'), ("application/vnd.pypi.simple.v1+html", b"<html>"), ("text/html", b'<meta name="pypi:repository-version" content="1.0">'):
            with self.subTest(kind=kind):
                router.read_page.cache_clear()
                self.server.put("/simple/a/", page, kind=kind)
                self.assertEqual(self.doubt("a"), "")

    def test_a_crash_is_no_empty_index(self) -> None:
        def crash(url: str) -> None:
            raise RuntimeError("oops")

        self.replace(router, "read_page", crash)
        r = self.route()
        self.assertEqual(self.get(r.base + "/index/0/a/")[0], 404)
        self.assertEqual([f.message for f in r.faults], ["internal error at /index/0/a/: RuntimeError('oops')"])


class AlteredTest(WithRouter):
    def altered(self, name: str, data: bytes, sums: bool = True) -> tuple[router.Router, dict, bytes]:
        self.server.index((name, data), sums=sums)
        r = self.route(a=["cython", "numpy<2"])
        file = self.files(r, "index/0/a")[0]
        return r, file, self.get(file["url"])[1]

    def test_the_spec_says_what_an_sdist_is_built_with(self) -> None:
        for ending in ".tar.gz", ".tgz", ".zip", ".tar.xz", ".tar.bz2":
            with self.subTest(ending=ending):
                router.read_page.cache_clear()
                name, data = sdist("a", ending=ending)
                r, file, got = self.altered(name, data)
                self.assertEqual((file["filename"], file["hashes"]), (name, {}))
                self.assertIn('requires = ["cython", "numpy<2"]\n', self.member(name, got, "a-1.0/pyproject.toml"))
                self.assertIn("setuptools", self.member(name, got, "a-1.0/setup.py"))
                one = r.original(file["url"])
                self.assertEqual((one.url, one.sha256), (self.server.url + "/files/" + name, hashlib.sha256(data).hexdigest()))

    def member(self, name: str, data: bytes, path: str) -> str:
        if name.endswith(".zip"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                return archive.read(path).decode()
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            return archive.extractfile(path).read().decode()

    def test_it_is_altered_once(self) -> None:
        r, file, got = self.altered(*sdist("a"), sums=False)
        self.assertEqual(self.files(r, "index/0/a")[0]["url"], file["url"])
        self.assertEqual(self.get(file["url"])[1], got)
        self.assertEqual(self.server.asked("/files/a-1.0.tar.gz"), ["GET"])

    def test_other_bytes_than_the_index_says_are_refused(self) -> None:
        name, data = sdist("a")
        self.server.index((name, data))
        self.server.files[f"/files/{name}"].data = data + b"x"
        r = self.route(a=["numpy"])
        self.assertEqual(self.get(self.files(r, "index/0/a")[0]["url"])[0], 404)
        self.assertEqual(r.faults[0].kind, "failure")
        self.assertIn(f"/files/{name}: its sha256 is {hashlib.sha256(data + b'x').hexdigest()}, and its index says", r.faults[0].message)

    def test_garbage_is_no_sdist(self) -> None:
        for name, data in ("a-1.0.tar.gz", b"garbage"), ("a-1.0.zip", b"garbage"), ("a-1.0.tar.xz", sdist("a", ending=".tar.xz")[1][:90]):
            with self.subTest(name=name):
                router.read_page.cache_clear()
                r, _, _ = self.altered(name, data)
                self.assertEqual(r.faults[0].message, f"{self.server.url}/files/{name}: it is not a {'zip' if name.endswith('.zip') else 'tar'} archive, or not the whole of one")

    def test_others_and_wheels_are_as_they_are(self) -> None:
        self.server.index(wheel("a"), sdist("b"))
        r = self.route(a=["numpy"])
        for project in "a", "b":
            url = self.files(r, f"index/0/{project}")[0]["url"]
            self.assertTrue(url.startswith(self.server.url + "/files/"))
            self.assertIsNone(r.original(url))

    def test_links_have_altered_ones_too(self) -> None:
        name, data = sdist("a")
        with open(os.path.join(self.folder, name), "wb") as file:
            file.write(data)
        r = self.route(links=[self.folder], a=["numpy"])
        url = self.files(r, "links/0")[0]["url"]
        self.assertIn('requires = ["numpy"]', self.member(name, self.get(url)[1], "a-1.0/pyproject.toml"))
        self.assertEqual(r.original(url).url, f"file://{self.folder}/{name}")


class LineTest(WithRouter):
    def test_hashes_vouch_for_what_pip_gets(self) -> None:
        name, data = sdist("A_b")
        self.server.index((name, data), sdist("A_b", "2.0"))
        r = self.route(**{"a-b": ["numpy"]})
        line = f"A.b==1.0 --hash=sha256:{hashlib.sha256(data).hexdigest()}"
        got = r.line(line)
        altered = self.get(self.files(r, "index/0/a-b")[0]["url"])[1]
        self.assertEqual(got, f"{line} --hash=sha256:{hashlib.sha256(altered).hexdigest()}")
        self.assertEqual(self.server.asked("/files/A_b-2.0.tar.gz"), [])

    def test_others_stay(self) -> None:
        r = self.route(a=["numpy"])
        for line in ("a", "a>=1; python_version > '3'", "b==1 --hash=sha256:00", "a @ https://f.example/a-1.0-py3-none-any.whl", "a @ https://f.example/x.zip#subdirectory=s", "/.lamina/project/x.whl"):
            with self.subTest(line=line):
                self.assertEqual(r.line(line), line)
        self.assertEqual(self.server.seen, [])

    def test_an_archive_is_altered_where_it_is_named(self) -> None:
        name, data = sdist("a")
        url = self.server.put("/f/" + name, data)
        sha256 = hashlib.sha256(data).hexdigest()
        for fragment, rest in ("", ""), (f"#sha256={sha256}", ""), ("", f" --hash=sha256:{sha256}"):
            with self.subTest(fragment=fragment, rest=rest):
                r = self.route(a=["numpy"])
                line = r.line(f"a[x] @ {url}{fragment} ; python_version > '3'{rest}")
                there = line.split(" ")[2]
                if rest:
                    rest += f" --hash=sha256:{hashlib.sha256(self.get(there)[1]).hexdigest()}"
                self.assertEqual(line, f"a[x] @ {there} ; python_version > '3'{rest}")
                self.get(there)
                self.assertEqual((r.original(there).url, r.original(there).sha256), (url, sha256))


if __name__ == "__main__":
    unittest.main()
