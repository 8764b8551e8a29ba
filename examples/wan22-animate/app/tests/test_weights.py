"""Weights: the list, the places, the hub with its faults, the lease, reading ahead."""

import email.message
import hashlib
import json
import os
import shutil
import socket
import threading
import time
from unittest import mock

import fetch
import hub
import lease
import modellist
import part
import verified
import weights
from errors import StartError

from tests.support import COMMIT, FILES, Case, fill, model_json, tree

CACHE = "volume/huggingface-cache/hub/models--Wan-AI--Wan2.2-Animate-14B/snapshots"
NAME = "Wan2.2-Animate-14B"


class ListTest(Case):
    def read(self, text):
        (self.home / "model.json").write_text(text)
        return modellist.read(self.home / "model.json")

    def test_reads(self):
        found = self.read(model_json())
        self.assertEqual((found.repository, found.name, found.commit), ("Wan-AI/Wan2.2-Animate-14B", NAME, COMMIT))
        self.assertEqual(found.size, sum(map(len, FILES.values())))
        self.assertFalse(found.renamed)

    def test_names_what_is_wrong(self):
        good = json.loads(model_json())
        for change, words in (
            (lambda raw: raw.pop("from"), "'from'"), (lambda raw: raw.update(commit="main"), "names no commit"), (lambda raw: raw.update(files=[]), "names no file"),
            (lambda raw: raw["files"][0].update(path="../x"), "not a path inside"), (lambda raw: raw["files"][0].update(path="/x"), "not a path inside"),
            (lambda raw: raw["files"][0].update(source="a/../../x"), "not a path inside"), (lambda raw: raw["files"][0].update(size=-1), "has the size"),
            (lambda raw: raw["files"][0].update(size="1"), "has the size"), (lambda raw: raw["files"][0].update(sha256="x"), "has no sha256"),
            (lambda raw: raw["files"].append(raw["files"][0]), "names a file twice"), (lambda raw: raw.update(files=5), "damaged"),
        ):  # fmt: skip
            raw = json.loads(json.dumps(good))
            change(raw)
            with self.assertRaisesRegex(StartError, words):
                self.read(json.dumps(raw))
        with self.assertRaisesRegex(StartError, "is not JSON"):
            self.read("x")
        with self.assertRaisesRegex(StartError, "can't be read: No such file or directory: set MODEL_LIST"):
            modellist.read(self.home / "none")

    def test_lacking_and_damaged(self):
        found, directory = self.read(model_json()), self.home / "m"
        fill(directory)
        self.assertEqual(modellist.lacking(directory, found), [])
        self.assertEqual(modellist.damaged(directory, found), [])
        (directory / "Wan2.1_VAE.pth").write_bytes(b"cut")
        (directory / "config.json").unlink()
        (directory / "relighting_lora.ckpt").unlink()
        (directory / "relighting_lora.ckpt").mkdir()
        self.assertEqual(sorted(modellist.lacking(directory, found)), ["Wan2.1_VAE.pth has 3 of 3000 bytes", "config.json is missing", "relighting_lora.ckpt is not a file"])
        fill(self.home / "n", FILES | {"config.json": b"[]"})
        self.assertEqual(modellist.damaged(self.home / "n", found), ["config.json has a different sha256"])
        self.assertEqual(modellist.shorten(list("abcdefg")), "a; b; c; d; e; and 2 more")


class WeightsCase(Case):
    def setUp(self):
        super().setUp()
        self.stop = threading.Event()
        self.enterContext(mock.patch("hub.WAITS", (0.01,)))
        self.enterContext(mock.patch("fetch.MARGIN", 0))

    def ensure(self, **changes):
        return weights.ensure(self.settings(**changes), self.found(), self.stop)

    def found(self):
        return modellist.read(self.home / "model.json")


class PlacesTest(WeightsCase):
    def test_order(self):
        """Each place is used when those before it are gone."""
        places = [f"{CACHE}/{COMMIT}", f"volume/models/{NAME}", f"volume/{NAME}", f"workspace/models/{NAME}", f"workspace/{NAME}", f"fetched/{NAME}", "baked"]
        for place in places:
            fill(self.home / place)
        for place in places:
            directory = self.ensure()
            self.assertEqual(directory, self.home / place)
            (directory / "config.json").unlink()
        with self.assertRaisesRegex(StartError, "HF_HUB_OFFLINE=1 forbids fetching them: give the endpoint the cached model Wan-AI/Wan2.2-Animate-14B, or a network volume"):
            self.ensure(HF_HUB_OFFLINE=1)
        self.assertEqual(self.said().count("config.json is missing"), sum(range(len(places) + 1)))

    def test_each_model_of_the_image_is_looked_for_by_itself(self):
        """Two share a repository and its cached model; the third is first in the image, then nowhere."""
        for name, files, origin in (
            ("text-encoder", {"models_t5_umt5-xxl-enc-bf16.pth": FILES["models_t5_umt5-xxl-enc-bf16.pth"]}, None),
            ("image-encoder", {"image_encoder/config.json": b"{}"}, "hf://Wan-AI/Wan2.2-Animate-14B-Diffusers@main"),
        ):
            suffix = name.upper().replace("-", "_")
            self.env |= {f"MODEL_LIST_{suffix}": str(self.home / f"{name}.json"), f"MODEL_PATH_{suffix}": str(self.home / name)}
            (self.home / f"{name}.json").write_text(model_json(files, origin=origin))
        fill(self.home / CACHE / COMMIT)
        fill(self.home / "image-encoder", {"image_encoder/config.json": b"{}"})
        cached, clip = self.home / CACHE / COMMIT, self.home / "image-encoder"
        self.assertEqual(weights.of_all(self.settings(), self.stop), {"": cached, "text-encoder": cached, "image-encoder": clip})
        (clip / "image_encoder/config.json").unlink()
        with self.assertRaisesRegex(StartError, "cached model Wan-AI/Wan2.2-Animate-14B-Diffusers"):
            weights.of_all(self.settings(HF_HUB_OFFLINE=1), self.stop)

    def test_the_cached_model_may_be_links(self):
        fill(self.home / "blobs")
        for path in FILES:
            link = self.home / CACHE / COMMIT / path
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(self.home / "blobs" / path)
        self.assertEqual(self.ensure(), self.home / CACHE / COMMIT)

    def test_an_image_with_weights_takes_its_own(self):
        for place in (f"{CACHE}/{COMMIT}", f"volume/models/{NAME}", "baked"):
            fill(self.home / place)
        self.assertEqual(self.ensure(HF_HUB_OFFLINE=1), self.home / "baked")
        (self.home / "baked/config.json").unlink()
        self.assertEqual(self.ensure(HF_HUB_OFFLINE=1), self.home / CACHE / COMMIT)

    def test_another_revision_with_the_same_files(self):
        """Large files are identified by the names of their blobs, and aren't read."""
        snapshot = self.cache_as_the_hub_does("0" * 40)
        self.enterContext(mock.patch("weights.SMALL", 10_000))
        with mock.patch("modellist.digest", wraps=modellist.digest) as read:
            self.assertEqual(self.ensure(), snapshot)
        self.assertEqual(max(call.args[0].stat().st_size for call in read.call_args_list), 3000)
        self.assertIn(f"the cached model has another revision ({'0' * 40}) but the same files", self.said())

    def test_another_revision_with_other_files(self):
        fill(self.home / "baked")
        self.enterContext(mock.patch("weights.SMALL", 10_000))
        big = "models_t5_umt5-xxl-enc-bf16.pth"
        for path, corrupt in (
            ("config.json", lambda place: place.write_bytes(b"[]")),
            (big, lambda place: place.unlink() or place.write_bytes(FILES[big])),
            (big, lambda place: place.unlink() or place.symlink_to(place.parents[2] / "blobs" / ("0" * 64))),
            (big, lambda place: place.write_bytes(b"cut")),
        ):
            shutil.rmtree(self.home / "volume", ignore_errors=True)
            snapshot = self.cache_as_the_hub_does("1" * 40)
            (snapshot.parents[1] / "blobs" / ("0" * 64)).write_bytes(FILES[big])
            corrupt(snapshot / path)
            self.assertEqual(self.ensure(), self.home / "baked")

    def cache_as_the_hub_does(self, commit):
        snapshot = self.home / CACHE / commit
        blobs = snapshot.parents[1] / "blobs"
        blobs.mkdir(parents=True)
        for path, content in FILES.items():
            blob = blobs / hashlib.sha256(content).hexdigest()
            blob.write_bytes(content)
            (snapshot / path).parent.mkdir(parents=True, exist_ok=True)
            (snapshot / path).symlink_to(os.path.relpath(blob, (snapshot / path).parent))
        return snapshot

    def test_another_revision(self):
        fill(self.home / CACHE / ("0" * 40), FILES | {"config.json": b"[]"})
        fill(self.home / "baked")
        self.assertEqual(self.ensure(), self.home / "baked")
        self.assertIn(f"skipping the cached model: its revision ({'0' * 40}) is not the image's {COMMIT}: set the endpoint's model", self.said())

    def test_incomplete_and_truncated(self):
        fill(self.home / f"volume/models/{NAME}")
        fill(self.home / "baked")
        (self.home / f"volume/models/{NAME}/Wan2.1_VAE.pth").write_bytes(b"cut")
        (self.home / f"volume/models/{NAME}/config.json").unlink()
        self.assertEqual(self.ensure(), self.home / "baked")
        for words in ("skipping the network volume", "config.json is missing", "Wan2.1_VAE.pth has 3 of 3000 bytes", "copy these files again"):
            self.assertIn(words, self.said())

    def test_a_list_that_renames(self):
        raw = json.loads(model_json())
        raw["files"][0]["source"] = "other.json"
        (self.home / "model.json").write_text(json.dumps(raw))
        fill(self.home / CACHE / COMMIT)
        fill(self.home / "baked")
        self.assertEqual(self.ensure(), self.home / "baked")
        self.assertIn("other names than the hub does", self.said())

    def test_a_model_that_is_not_the_hub_s(self):
        (self.home / "model.json").write_text(model_json(origin="https://files.test/"))
        with self.assertRaisesRegex(StartError, "is not on the hub"):
            self.ensure()


class VerifiedTest(WeightsCase):
    def setUp(self):
        super().setUp()
        self.directory = self.home / f"volume/models/{NAME}"
        fill(self.directory)

    def corrupt(self, path="Wan2.1_VAE.pth"):
        """Write another file of the same size, as a copy of another revision would."""
        (self.directory / path).write_bytes(b"X" * len(FILES[path]))
        os.utime(self.directory / path, (5, 5))

    def read(self):
        """Return the files that are read in the search for weights."""
        with mock.patch("verified._digest", wraps=verified._digest) as digest:
            self.assertEqual(self.ensure(), self.directory)
        return sorted(str(call.args[0].relative_to(self.directory)) for call in digest.call_args_list)

    def test_files_are_read_once(self):
        self.assertEqual(self.read(), sorted(FILES))
        self.assertIn("comparing 8 files of the network volume with their sha256, 0.0 GB (VERIFY=0 skips this)", self.said())
        self.assertEqual(self.read(), [])
        self.assertEqual(tree(self.directory), sorted([verified.MARK, *FILES]))

    def test_what_was_replaced_is_read_again(self):
        self.read()
        os.utime(self.directory / "config.json", (5, 5))
        self.assertEqual(self.read(), ["config.json"])
        self.assertEqual(self.read(), [])

    def test_a_mark_of_another_list(self):
        self.read()
        files = FILES | {"config.json": b"[]"}
        (self.home / "model.json").write_text(model_json(files))
        fill(self.directory, {"config.json": b"[]"})
        self.assertEqual(self.read(), ["config.json"])
        (self.home / "model.json").write_text(model_json())
        fill(self.directory, {"config.json": b"{}"})
        self.assertEqual(self.read(), ["config.json"])
        self.assertEqual(len((self.directory / verified.MARK).read_text().splitlines()), len(FILES))  # one line per path

    def test_another_content_is_named_and_not_used(self):
        self.corrupt()
        fill(self.home / "baked")
        self.assertEqual(self.ensure(), self.home / "baked")
        self.assertIn("skipping the network volume: Wan2.1_VAE.pth has a different sha256: copy these files again, or remove", self.said())
        self.assertEqual(self.ensure(), self.home / "baked")
        self.assertEqual(self.said().count("has a different sha256"), 2)

    def test_a_reading_that_was_cut_off_goes_on(self):
        self.corrupt("relighting_lora.ckpt")
        with self.assertRaises(StartError):
            self.ensure(HF_HUB_OFFLINE=1)
        fill(self.directory, {"relighting_lora.ckpt": FILES["relighting_lora.ckpt"]})
        self.assertEqual(self.read(), ["relighting_lora.ckpt"])

    def test_is_a_switch(self):
        self.corrupt()
        self.assertEqual(self.ensure(VERIFY=0), self.directory)
        self.assertNotIn(verified.MARK, tree(self.directory))

    def test_a_volume_that_takes_no_mark(self):
        (self.directory / verified.MARK).mkdir()
        self.assertEqual(self.read(), sorted(FILES))
        self.assertEqual(self.read(), sorted(FILES))
        self.assertEqual(tree(self.directory), sorted(FILES))

    def test_a_file_that_cannot_be_read(self):
        with mock.patch("verified._digest", side_effect=OSError(5, "Input/output error")), self.assertRaises(StartError):
            self.ensure(HF_HUB_OFFLINE=1)
        self.assertIn("config.json can't be read (Input/output error)", self.said())

    def test_stop(self):
        self.stop.set()
        with self.assertRaisesRegex(StartError, "told to stop"):
            self.ensure()

    def test_reports(self):
        with mock.patch("verified.REPORT_SECONDS", 0):
            self.ensure()
        self.assertIn("weights: compared 0.0 of 0.0 GB", self.said())


class FakeHub:
    """A hub that redirects to a CDN, which supports ranges; faults are functions of path and attempt."""

    def __init__(self, case, files=FILES):
        self.files, self.requests, self.faults, self.attempts, self.tags = files, [], {}, {}, []
        self.cdn = case.serve(self.answer_cdn)
        self.url = case.serve(self.answer_hub)

    def answer_hub(self, to):
        self.requests.append(("hub", to.path, to.headers["Range"], to.headers["Authorization"]))
        prefix = f"/Wan-AI/Wan2.2-Animate-14B/resolve/{COMMIT}/"
        if not to.path.startswith(prefix):
            to.reply(404)
        elif to.path.endswith(".json"):
            self.answer_cdn(to)
        else:
            to.reply(302, Location=f"{self.cdn}/{to.path.removeprefix(prefix)}")

    def answer_cdn(self, to):
        path = to.path.removeprefix(f"/Wan-AI/Wan2.2-Animate-14B/resolve/{COMMIT}").lstrip("/")
        self.requests.append(("cdn", path, to.headers["Range"], to.headers["Authorization"]))
        self.attempts[path] = self.attempts.get(path, 0) + 1
        self.tags += [to.headers["If-Range"]] if to.headers["If-Range"] else []
        content = self.files[path]
        tag = '"' + hashlib.md5(content).hexdigest() + '"'  # noqa: S324 (an ETag)
        fault = self.faults.get(path, lambda *_: False)
        if fault(to, self.attempts[path], content):
            return
        start = int(to.headers["Range"][6:-1]) if to.headers["Range"] else 0
        if start and to.headers["If-Range"] not in (None, tag):
            start = 0
        if start:
            to.reply(206, content[start:], Content_Range=f"bytes {start}-{len(content) - 1}/{len(content)}", ETag=tag)
        else:
            to.reply(200, content, ETag=tag)


class FetchTest(WeightsCase):
    def setUp(self):
        super().setUp()
        self.hub = FakeHub(self)
        self.big = "models_t5_umt5-xxl-enc-bf16.pth"

    def fetch(self, **changes):
        return self.ensure(**{"HF_ENDPOINT": self.hub.url} | changes)

    def assert_there(self, directory):
        self.assertEqual(tree(directory), sorted([verified.MARK, *FILES]))
        for path, content in FILES.items():
            self.assertEqual((directory / path).read_bytes(), content)

    def test_to_the_container_disk(self):
        directory = self.fetch()
        self.assertEqual(directory, self.home / "fetched" / NAME)
        self.assert_there(directory)
        self.assertRegex(self.said(), r"weights: fetched 8 files, [\d.]+ [kM]B in \d+ s")
        asked = len(self.hub.requests)
        self.assertEqual(self.fetch(), directory)
        self.assertEqual(len(self.hub.requests), asked)

    def test_to_the_volume(self):
        (self.home / "volume").mkdir()
        directory = self.fetch()
        self.assertEqual(directory, self.home / "volume/models" / NAME)
        self.assert_there(directory)

    def test_what_was_fetched_is_not_read_again(self):
        directory = self.fetch()
        with mock.patch("verified._digest", side_effect=AssertionError):
            self.assertEqual(self.fetch(), directory)

    def test_nothing_of_others_is_replaced(self):
        """Other files on the volume, all of them or some: the weights go to the container disk."""
        directory, other = self.home / f"volume/models/{NAME}", {self.big: b"X" * len(FILES[self.big])}
        for files in (FILES | other, other):
            shutil.rmtree(self.home / "fetched", ignore_errors=True)
            shutil.rmtree(directory, ignore_errors=True)
            fill(directory, files)
            self.assert_there(self.fetch())
            self.assertEqual((directory / self.big).read_bytes(), other[self.big])
            self.assertIn(f"the network volume already has other files ({self.big} has a different sha256; remove them to fetch", self.said())
        fill(self.home / f"fetched/{NAME}", other)
        with self.assertRaisesRegex(StartError, "no room.*the container disk already has other files"):
            self.fetch()

    def test_only_what_is_missing(self):
        fill(self.home / f"fetched/{NAME}", {path: content for path, content in FILES.items() if path != self.big})
        self.fetch()
        self.assertEqual({path for where, path, *_ in self.hub.requests if where == "cdn"}, {self.big})

    def test_a_cut_is_resumed(self):
        def cut(to, attempt, content):
            if attempt <= 2:
                half = content[int((to.headers["Range"] or "bytes=0-")[6:-1]) :]
                to.reply(206 if attempt > 1 else 200, half[: len(half) // 2], len(half), Content_Range=f"bytes {len(content) - len(half)}-{len(content) - 1}/{len(content)}", ETag='"' + hashlib.md5(content).hexdigest() + '"')  # noqa: S324
                return True

        self.hub.faults[self.big] = cut
        self.assert_there(self.fetch())
        size = len(FILES[self.big])
        ranges = [line[2] for line in self.hub.requests if line[:2] == ("cdn", self.big)]
        self.assertEqual(ranges, [None, f"bytes={size // 2}-", f"bytes={size // 2 + size // 4}-"])
        self.assertEqual(self.hub.tags, ['"' + hashlib.md5(FILES[self.big]).hexdigest() + '"'] * 2)  # noqa: S324
        self.assertIn(f"resuming {self.big} at {size // 2} bytes", self.said())

    def test_what_an_earlier_worker_left_is_continued(self):
        part = self.home / f"fetched/{NAME}/{self.big}.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(FILES[self.big][:1000])
        self.assert_there(self.fetch())
        self.assertIn(("cdn", self.big, "bytes=1000-", None), self.hub.requests)

    def test_a_part_of_something_else(self):
        """Its ETag reveals it at once; without one, the sha256 does at the end."""
        for tag, ranges in (('"other"', 1), ('W/"weak"', 2), (None, 2)):
            with self.subTest(tag):
                part = self.home / f"fetched/{NAME}/{self.big}.part"
                part.parent.mkdir(parents=True, exist_ok=True)
                (part.parent / self.big).unlink(missing_ok=True)
                part.write_bytes(b"corrupted")
                if tag:
                    part.with_name(part.name + ".etag").write_text(tag)
                self.hub.requests.clear()
                self.assert_there(self.fetch())
                self.assertEqual(len([line for line in self.hub.requests if line[:2] == ("cdn", self.big)]), ranges)

    def test_a_part_that_is_too_long(self):
        def no_range(to, attempt, content):
            if to.headers["Range"]:
                to.reply(416)
                return True

        self.hub.faults[self.big] = no_range
        part = self.home / f"fetched/{NAME}/{self.big}.part"
        part.parent.mkdir(parents=True)
        part.write_bytes(FILES[self.big] + b"more")
        self.assert_there(self.fetch())

    def test_a_wrong_range(self):
        def wrong(to, attempt, content):
            if attempt == 1:
                to.reply(206, b"x", Content_Range=f"bytes 5-5/{len(content)}")
                return True

        self.hub.faults[self.big] = wrong
        self.assert_there(self.fetch())

    def test_content_that_is_not_the_list_s(self):
        self.hub.files = FILES | {self.big: b"X" * len(FILES[self.big])}
        with self.assertRaisesRegex(StartError, f"{self.big} arrives with content that differs from the image's list"):
            self.fetch()
        self.assertFalse((self.home / f"fetched/{NAME}/{self.big}").exists())
        self.assertEqual(self.hub.attempts[self.big], hub.CORRUPTED)

    def test_the_token_is_for_the_hub_alone(self):
        self.fetch(HF_TOKEN="secret")
        seen = {(where, token) for where, path, _, token in self.hub.requests if not path.endswith(".json")}
        self.assertEqual(seen, {("hub", "Bearer secret"), ("cdn", None)})
        self.assertNotIn("secret", self.said())

    def test_waits_when_it_is_asked_to(self):
        def busy(to, attempt, content):
            if attempt == 1:
                to.reply(429, Retry_After="1")
                return True

        self.hub.faults[self.big] = busy
        started = time.monotonic()
        self.assert_there(self.fetch())
        self.assertGreater(time.monotonic() - started, 0.9)
        self.assertIn("the hub answers 429; retrying in 1 s", self.said())

    def test_a_server_that_breaks_for_a_while(self):
        self.hub.faults[self.big] = lambda to, attempt, content: attempt < 4 and not to.reply(503)
        self.assert_there(self.fetch())

    def test_a_server_that_stays_broken(self):
        self.hub.faults[self.big] = lambda to, attempt, content: not to.reply(500)
        with self.assertRaisesRegex(StartError, f"{self.big} can't be fetched: the hub answers 500"):
            self.fetch()
        self.assertEqual(self.hub.attempts[self.big], hub.TRIES)

    def test_a_stall_is_resumed(self):
        def stall(to, attempt, content):
            if attempt == 1:
                to.reply(200, content[:500], len(content))
                time.sleep(0.6)
                return True

        self.hub.faults[self.big] = stall
        self.assert_there(self.fetch(HF_HUB_DOWNLOAD_TIMEOUT=0.2))
        self.assertEqual([line[2] for line in self.hub.requests if line[:2] == ("cdn", self.big)], [None, "bytes=500-"])

    def test_refusals(self):
        for status, words in ((401, "set HF_TOKEN"), (403, "set HF_TOKEN"), (404, "check that the model and its revision are still there")):
            self.hub.faults[self.big] = lambda to, attempt, content, status=status: not to.reply(status)
            with self.assertRaisesRegex(StartError, words):
                self.fetch()
        self.hub.faults[self.big] = lambda to, attempt, content: not to.reply(302, Location=to.path)
        with self.assertRaisesRegex(StartError, "redirects endlessly"):
            self.fetch()

    def test_a_hub_that_is_not_there(self):
        with self.assertRaisesRegex(StartError, "can't be fetched: the connection broke .ConnectionRefusedError"):
            self.fetch(HF_ENDPOINT="http://127.0.0.1:1")
        with self.assertRaisesRegex(StartError, "check HF_ENDPOINT"):
            self.fetch(HF_ENDPOINT="huggingface.co")

    def test_a_disk_without_room(self):
        (self.home / "volume").mkdir()
        with mock.patch("shutil.disk_usage", return_value=mock.Mock(free=1000)):
            with self.assertRaisesRegex(StartError, "no room for 0.0 GB: the network volume needs .* GB more; the container disk needs"):
                self.fetch()
        self.assertEqual(self.hub.requests, [])

    def test_what_is_there_needs_no_room(self):
        directory = self.home / f"fetched/{NAME}"
        fill(directory, {path: content for path, content in FILES.items() if path != self.big})
        (directory / f"{self.big}.part").write_bytes(FILES[self.big][:1000])
        self.assertEqual(fetch.needed(directory, self.found()), len(FILES[self.big]) - 1000)

    def test_a_volume_that_cannot_be_written_to(self):
        (self.home / "volume").mkdir()
        (self.home / "volume/models").write_text("a file")
        self.assertEqual(self.fetch(), self.home / "fetched" / NAME)
        self.assertIn("the network volume can't be written to", self.said())

    def test_a_disk_that_fills_up(self):
        real = part.Part.write

        def full(part, response, count, stop, tag):
            if part._file.path == self.big:
                open("/dev/full", "wb", 0).write(b"x")
            real(part, response, count, stop, tag)

        with mock.patch("part.Part.write", full), self.assertRaisesRegex(StartError, f"can't write {self.big}: no space left on device"):
            self.fetch()

    def test_stop(self):
        self.hub.faults[self.big] = lambda to, attempt, content: not time.sleep(5)
        threading.Timer(0.2, self.stop.set).start()
        started = time.monotonic()
        with self.assertRaisesRegex(StartError, "told to stop"):
            self.fetch()
        self.assertLess(time.monotonic() - started, 4)  # of the 5 that the hub takes

    def test_stop_while_connecting(self):
        ended = threading.Event()
        self.addCleanup(ended.set)
        url, started = self.black_hole(), time.monotonic()
        for look_up in (socket.getaddrinfo, lambda *_, **__: ended.wait(20)):
            self.stop.clear()
            threading.Timer(0.2, self.stop.set).start()
            with self.assertRaisesRegex(StartError, "told to stop"), mock.patch("socket.getaddrinfo", look_up):
                self.fetch(HF_ENDPOINT=url)
        self.assertLess(time.monotonic() - started, 8)  # of the 10 that each address may take

    def test_two_workers_fetch_once(self):
        (self.home / "volume").mkdir()
        self.hub.faults[self.big] = lambda to, attempt, content: time.sleep(0.3)
        with mock.patch("lease.LOOK_SECONDS", 0.05), mock.patch("lease._name", side_effect=lambda: threading.current_thread().name):
            threads = [threading.Thread(target=self.fetch) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assert_there(self.home / "volume/models" / NAME)
        self.assertEqual(set(self.hub.attempts.values()), {1})
        self.assertIn("another worker is fetching them", self.said())

    def test_workers_that_look_at_a_volume_at_once(self):
        found = []
        threads = [threading.Thread(target=lambda: found.extend(fetch._writable(self.home) for _ in range(100))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(found, [True] * 400)

    def test_a_file_without_bytes(self):
        files = FILES | {"empty.json": b""}
        (self.home / "model.json").write_text(model_json(files))
        self.hub.files = files
        self.assertEqual((self.fetch() / "empty.json").read_bytes(), b"")


class PauseTest(Case):
    def pause(self, **headers):
        message = email.message.Message()
        for name, value in headers.items():
            message[name.replace("_", "-")] = value
        return hub.pause(message, 1_000_000_000)

    def test_reads_the_headers(self):
        self.assertEqual(self.pause(Retry_After="7"), 7)
        self.assertEqual(self.pause(Retry_After="Sun, 09 Sep 2001 01:46:50 GMT"), 10)
        self.assertEqual(self.pause(Retry_After="Sun, 09 Sep 2001 01:46:30 GMT"), 0)
        self.assertEqual(self.pause(RateLimit='"resolvers";r=0;t=123'), 123)
        self.assertEqual(self.pause(RateLimit='"resolvers";r=5;t=123'), 0)
        self.assertEqual(self.pause(Retry_After="soon"), 0)
        self.assertEqual(self.pause(), 0)

    def test_other_threads_wait_too(self):
        one = hub.Hub("http://h/", "", 1, threading.Event())
        one._wait(modellist.File("x", 1, "", "x"), part.Passing("429", 60), 1)
        self.assertGreater(one._not_before - time.monotonic(), 59)


class MeterTest(Case):
    def test_reports(self):
        meter = fetch.Meter(10_000_000_000, 1_000_000_000, 420)
        meter._started, meter._reported = time.monotonic() - 10, time.monotonic() - 10
        meter.add(100_000_000)
        meter.report()
        self.assertIn("fetched 1.1 GB of 10.0 GB, 10.0 MB/s, 14 min 50 s left", self.said())
        self.assertIn("raise RUNPOD_INIT_TIMEOUT", self.said())
        meter.report()
        self.assertEqual(self.said().count("left"), 1)

    def test_nothing_yet(self):
        meter = fetch.Meter(10, 0, 420)
        meter._reported -= 60
        meter.report()
        self.assertIn("unknown time left", self.said())


class LeaseTest(Case):
    def setUp(self):
        super().setUp()
        self.path, self.stop = self.home / "lease", threading.Event()
        self.enterContext(mock.patch("lease.LOOK_SECONDS", 0.02))

    def test_is_held_and_left(self):
        with mock.patch("lease.BEAT_SECONDS", 0.02), lease.held(self.path, self.stop, lambda: False) as ours:
            self.assertTrue(ours)
            os.utime(self.path, (0, 0))
            while self.path.stat().st_mtime < 1:
                time.sleep(0.01)
        self.assertFalse(self.path.exists())

    def test_one_that_was_taken_over_is_left_alone(self):
        """By a worker that took ours for dead, while this one stalled."""
        with mock.patch("lease.BEAT_SECONDS", 0.02), lease.held(self.path, self.stop, lambda: False):
            aside = self.home / "theirs"
            aside.write_text("another 1 x")
            os.utime(aside, (5, 5))
            aside.replace(self.path)
            time.sleep(0.2)
            self.assertEqual(self.path.stat().st_mtime, 5)
        self.assertEqual(self.path.read_text(), "another 1 x")

    def test_a_dead_worker_s_is_taken_over(self):
        self.path.write_text("another 1 x")
        with mock.patch("lease.STALE_SECONDS", 0.1), lease.held(self.path, self.stop, lambda: False) as ours:
            self.assertTrue(ours)
        self.assertIn("is gone; taking over", self.said())
        self.assertEqual(tree(self.home), ["model.json"])

    def test_an_earlier_life_s_is_taken_at_once(self):
        for pid in (os.getpid(), 2**22 + 1):
            self.path.write_text(f"{lease._name()} {pid} x")
            with lease.held(self.path, self.stop, lambda: False) as ours:
                self.assertTrue(ours)

    def test_a_living_worker_s_is_respected(self):
        self.path.write_text("another 1 x")
        ended = threading.Event()

        def touch():
            while not ended.wait(0.02):
                os.utime(self.path)

        threading.Thread(target=touch).start()
        self.addCleanup(ended.set)
        began = time.monotonic()
        with mock.patch("lease.STALE_SECONDS", 0.6), lease.held(self.path, self.stop, lambda: time.monotonic() - began > 0.9) as ours:
            self.assertFalse(ours)
        self.assertTrue(self.path.exists())

    def test_stop(self):
        self.path.write_text("another 1 x")
        threading.Timer(0.1, self.stop.set).start()
        with self.assertRaises(StartError), lease.held(self.path, self.stop, lambda: False):
            pass
