import io
import unittest
import zipfile

from world import WithServer, zipped

import web


class FetchTest(WithServer):
    def test_what_passes_is_tried_again(self) -> None:
        for faults in ([503], [500, 502], [429], ["cut"]):
            with self.subTest(faults=faults):
                url = self.server.put("/x", b"content", faults=list(faults))
                self.assertEqual(web.read_all(url), (b"content", "application/octet-stream", url))

    def test_what_stays_is_transient(self) -> None:
        for fault, says in (503, "the server answers 503"), ("cut", "also after 3 attempts"):
            with self.subTest(fault=fault):
                url = self.server.put(f"/{fault}", b"content", faults=[fault], always=True)
                told = self.fault(lambda: web.read_all(url))
                self.assertEqual(told.kind, "transient")
                self.assertIn(says, told.message)
                self.assertEqual(self.server.asked(f"/{fault}"), ["GET"] * 3)

    def test_a_refused_connection_is_transient(self) -> None:
        gone = self.serve("127.0.0.3")
        gone.server_close()
        told = self.fault(lambda: web.read_all(gone.url + "/x"))
        self.assertEqual(told.kind, "transient")
        self.assertIn("refused, also after 3 attempts", told.message)

    def test_what_is_refused_is_not_tried_again(self) -> None:
        for status, kind, hint in (401, "usage", "put a login for 127.0.0.1"), (403, "usage", "put a login"), (404, "usage", "dropped"), (410, "usage", ""), (418, "failure", ""), (501, "failure", ""):
            with self.subTest(status=status):
                url = self.server.put(f"/{status}", faults=[status], always=True)
                told = self.fault(lambda: web.read_all(url))
                self.assertEqual((told.kind, told.status), (kind, status))
                self.assertIn(hint, told.hint)
                self.assertIn(str(status), told.message)
                self.assertEqual(self.server.asked(f"/{status}"), ["GET"])

    def test_a_circle_is_told_as_one(self) -> None:
        self.server.put("/x", location="/y")
        told = self.fault(lambda: web.read_all(self.server.put("/y", location="/x")))
        self.assertEqual((told.kind, told.message), ("failure", f"{self.server.url}/y: the server redirects in a circle"))

    def test_other_words_for_the_same(self) -> None:
        told = web.Fault("usage", "no", "log in", 403, "h.example")
        told.lines = ["a"]
        other = told.saying("not at all")
        self.assertEqual((other.kind, other.message, other.hint, other.status, other.host, other.lines), ("usage", "not at all", "log in", 403, "h.example", ["a"]))

    def test_a_download_begins_anew_after_a_cut(self) -> None:
        url = self.server.put("/x", b"0123456789", faults=["cut"])
        file = io.BytesIO()
        self.assertEqual(web.download(url, file), "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882")
        self.assertEqual(file.getvalue(), b"0123456789")
        always = self.server.put("/y", b"0123456789", faults=["cut"], always=True)
        self.assertEqual(self.fault(lambda: web.download(always, file)).kind, "transient")
        self.assertIn("5 of 10 bytes came", self.fault(lambda: web.download(always, file)).message)


class LoginTest(WithServer):
    LOGIN = "Basic bWU6cyJlIGNcciM="  # me:s"e c\r#

    def setUp(self) -> None:
        super().setUp()
        self.netrc('machine "127.0.0.1" login "me" password "s\\"e c\\\\r#"\nmachine "other.example" login "" password ""\n')

    def credentials(self, server: object, path: str) -> list[str | None]:
        return [headers.get("Authorization") for _, at, headers in server.seen if at == path]

    def test_a_login_goes_to_its_host(self) -> None:
        url = self.server.put("/x", b"1", login=self.LOGIN)
        self.assertEqual(web.read_all(url)[0], b"1")
        elsewhere = self.serve("127.0.0.2")
        web.read_all(elsewhere.put("/x", b"1"))
        self.assertEqual(self.credentials(elsewhere, "/x"), [None])

    def test_a_login_does_not_follow_to_another_host(self) -> None:
        elsewhere = self.serve("127.0.0.2")
        url = self.server.put("/x", location=elsewhere.put("/y", b"1"))
        self.assertEqual(web.read_all(url), (b"1", "application/octet-stream", elsewhere.url + "/y"))
        self.assertEqual(self.credentials(self.server, "/x"), [self.LOGIN])
        self.assertEqual(self.credentials(elsewhere, "/y"), [None])

    def test_a_login_is_there_where_a_redirect_comes_home(self) -> None:
        self.server.put("/y", b"1", login=self.LOGIN)
        web.read_all(self.server.put("/x", location=self.server.url + "/y"))
        self.assertEqual(self.credentials(self.server, "/y"), [self.LOGIN])

    def test_no_file_is_no_login(self) -> None:
        self.netrc("")
        self.assertEqual(web.login_for("127.0.0.1"), "")


class SizeTest(WithServer):
    def test_size_is_what_the_server_announces(self) -> None:
        self.assertEqual(web.size_of(self.server.put("/x", b"12345")), 5)
        self.assertEqual(self.server.asked("/x"), ["HEAD"])

    def test_size_is_asked_for_without_the_content_across_redirects(self) -> None:
        self.server.put("/y", b"12345")
        self.assertEqual(web.size_of(self.server.put("/x", location="/y")), 5)
        self.assertEqual(self.server.asked("/y"), ["HEAD"])

    def test_not_every_server_tells(self) -> None:
        self.assertEqual(web.size_of(self.server.put("/x", b"12345", length=False)), -1)
        for status in 403, 405, 501:
            with self.subTest(status=status):
                self.assertEqual(web.size_of(self.server.put("/y", b"12345", head=status)), -1)
        self.assertEqual(self.fault(lambda: web.size_of(self.server.url + "/gone")).status, 404)


class RemoteFileTest(WithServer):
    def test_a_zip_is_read_by_its_end(self) -> None:
        # The directory is bigger than a part, and begins in the middle of one.
        files = {f"folder/{i:05}-{'x' * 90}": b"" for i in range(6000)}
        data = zipped({"blob": bytes(8 * web.CHUNK), **files})
        url = self.server.put("/x.whl", data)
        with zipfile.ZipFile(io.BufferedReader(web.RemoteFile(url, len(data)), web.CHUNK)) as archive:
            self.assertEqual(len(archive.namelist()), 6001)
            self.assertEqual(archive.read("blob")[:3], bytes(3))
        ranges = [headers["Range"] for _, _, headers in self.server.seen]
        self.assertEqual(len(ranges), len(set(ranges)), "a part was asked for twice")

    def test_only_the_end_is_fetched(self) -> None:
        data = zipped({"blob": bytes(40 * web.CHUNK), "x": b"1"})
        with zipfile.ZipFile(io.BufferedReader(web.RemoteFile(self.server.put("/x.whl", data), len(data)), web.CHUNK)) as archive:
            self.assertEqual(archive.namelist(), ["blob", "x"])
        self.assertLessEqual(len(self.server.seen), 2)

    def test_a_part_that_is_cut_is_asked_for_again(self) -> None:
        url = self.server.put("/x", b"0123456789", faults=["cut", 503])
        self.assertEqual(web.RemoteFile(url, 10).read(), b"0123456789")

    def test_a_server_without_ranges_is_told_apart(self) -> None:
        data = zipped({"x": b"1"})
        url = self.server.put("/x", data, ranges=False)
        with self.assertRaises(web.NoParts):
            zipfile.ZipFile(io.BufferedReader(web.RemoteFile(url, len(data))))


if __name__ == "__main__":
    unittest.main()
