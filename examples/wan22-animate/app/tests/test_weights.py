"""Weights: the list, the places, the hub with its faults, the lease, reading ahead."""

import email.message
import hashlib
import json
import os
import threading
import time
from unittest import mock

import fetch
import hub
import lease
import modellist
import part
import warm
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
            (lambda raw: raw["files"][0].update(path="../x"), "no path inside"), (lambda raw: raw["files"][0].update(path="/x"), "no path inside"),
            (lambda raw: raw["files"][0].update(source="a/../../x"), "no path inside"), (lambda raw: raw["files"][0].update(size=-1), "has the size"),
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
        found, folder = self.read(model_json()), self.home / "m"
        fill(folder)
        self.assertEqual(modellist.lacking(folder, found), [])
        self.assertEqual(modellist.damaged(folder, found), [])
        (folder / "Wan2.1_VAE.pth").write_bytes(b"cut")
        (folder / "config.json").unlink()
        (folder / "relighting_lora.ckpt").unlink()
        (folder / "relighting_lora.ckpt").mkdir()
        self.assertEqual(sorted(modellist.lacking(folder, found)), ["Wan2.1_VAE.pth has 3 of 3000 bytes", "config.json is missing", "relighting_lora.ckpt is no file"])
        fill(self.home / "n", FILES | {"config.json": b"[]"})
        self.assertEqual(modellist.damaged(self.home / "n", found), ["config.json has another sha256"])
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
        """Each place is used while those before it are gone."""
        places = [f"{CACHE}/{COMMIT}", f"volume/models/{NAME}", f"volume/{NAME}", f"workspace/models/{NAME}", f"workspace/{NAME}", f"fetched/{NAME}", "baked"]
        for place in places:
            fill(self.home / place)
        for place in places:
            folder = self.ensure()
            self.assertEqual(folder, self.home / place)
            (folder / "config.json").unlink()
        with self.assertRaisesRegex(StartError, "HF_HUB_OFFLINE=1 forbids to fetch them: give the endpoint the cached model Wan-AI/Wan2.2-Animate-14B, or a network volume"):
            self.ensure(HF_HUB_OFFLINE=1)
        self.assertEqual(self.said().count("config.json is missing"), sum(range(len(places) + 1)))

    def test_the_cached_model_may_be_links(self):
        fill(self.home / "blobs")
        for path in FILES:
            link = self.home / CACHE / COMMIT / path
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(self.home / "blobs" / path)
        self.assertEqual(self.ensure(), self.home / CACHE / COMMIT)

    def test_another_revision(self):
        fill(self.home / CACHE / ("0" * 40))
        fill(self.home / "baked")
        self.assertEqual(self.ensure(), self.home / "baked")
        self.assertIn(f"not from the cached model: it is of another revision ({'0' * 40}) than the image's {COMMIT}: set the endpoint's model", self.said())

    def test_incomplete_and_truncated(self):
        fill(self.home / f"volume/models/{NAME}")
        fill(self.home / "baked")
        (self.home / f"volume/models/{NAME}/Wan2.1_VAE.pth").write_bytes(b"cut")
        (self.home / f"volume/models/{NAME}/config.json").unlink()
        self.assertEqual(self.ensure(), self.home / "baked")
        for words in ("not from the network volume", "config.json is missing", "Wan2.1_VAE.pth has 3 of 3000 bytes", "copy these files again"):
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


class FakeHub:
    """A hub that sends to a CDN, which knows ranges; faults are functions of path and attempt."""

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

    def assert_there(self, folder):
        self.assertEqual(tree(folder), sorted(FILES))
        for path, content in FILES.items():
            self.assertEqual((folder / path).read_bytes(), content)

    def test_to_the_container_disk(self):
        folder = self.fetch()
        self.assertEqual(folder, self.home / "fetched" / NAME)
        self.assert_there(folder)
        self.assertRegex(self.said(), r"weights: fetched 8 files, [\d.]+ [kM]B in \d+ s")
        asked = len(self.hub.requests)
        self.assertEqual(self.fetch(), folder)
        self.assertEqual(len(self.hub.requests), asked)

    def test_to_the_volume(self):
        (self.home / "volume").mkdir()
        folder = self.fetch()
        self.assertEqual(folder, self.home / "volume/models" / NAME)
        self.assert_there(folder)

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
        """By its ETag it is found at once; without one, by the sha256 at the end."""
        for tag, ranges in (('"other"', 1), ('W/"weak"', 2), (None, 2)):
            with self.subTest(tag):
                part = self.home / f"fetched/{NAME}/{self.big}.part"
                part.parent.mkdir(parents=True, exist_ok=True)
                (part.parent / self.big).unlink(missing_ok=True)
                part.write_bytes(b"spoiled")
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
        with self.assertRaisesRegex(StartError, f"{self.big} arrives with another content than the image's list has"):
            self.fetch()
        self.assertFalse((self.home / f"fetched/{NAME}/{self.big}").exists())
        self.assertEqual(self.hub.attempts[self.big], hub.SPOILED)

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
        self.assertIn("the hub answers 429; again in 1 s", self.said())

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
        self.assertIn("TimeoutError", self.said())

    def test_refusals(self):
        for status, words in ((401, "set HF_TOKEN"), (403, "set HF_TOKEN"), (404, "check that the model and its revision are still there")):
            self.hub.faults[self.big] = lambda to, attempt, content, status=status: not to.reply(status)
            with self.assertRaisesRegex(StartError, words):
                self.fetch()
        self.hub.faults[self.big] = lambda to, attempt, content: not to.reply(302, Location=to.path)
        with self.assertRaisesRegex(StartError, "redirects without end"):
            self.fetch()

    def test_a_hub_that_is_not_there(self):
        with self.assertRaisesRegex(StartError, "can't be fetched: the connection broke .ConnectionRefusedError"):
            self.fetch(HF_ENDPOINT="http://127.0.0.1:1")
        with self.assertRaisesRegex(StartError, "check HF_ENDPOINT"):
            self.fetch(HF_ENDPOINT="huggingface.co")

    def test_a_disk_without_room(self):
        (self.home / "volume").mkdir()
        with mock.patch("shutil.disk_usage", return_value=mock.Mock(free=1000)):
            with self.assertRaisesRegex(StartError, "there is no room for 0.0 GB: the network volume lacks .* GB; the container disk lacks"):
                self.fetch()
        self.assertEqual(self.hub.requests, [])

    def test_what_is_there_needs_no_room(self):
        folder = self.home / f"fetched/{NAME}"
        fill(folder, {path: content for path, content in FILES.items() if path != self.big})
        (folder / f"{self.big}.part").write_bytes(FILES[self.big][:1000])
        self.assertEqual(fetch.needed(folder, self.found()), len(FILES[self.big]) - 1000)

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

        with mock.patch("part.Part.write", full), self.assertRaisesRegex(StartError, f"the disk refuses {self.big}: no space left on device"):
            self.fetch()

    def test_stop(self):
        self.hub.faults[self.big] = lambda to, attempt, content: not time.sleep(5)
        threading.Timer(0.2, self.stop.set).start()
        started = time.monotonic()
        with self.assertRaisesRegex(StartError, "told to stop"):
            self.fetch()
        self.assertLess(time.monotonic() - started, 4)  # of the 5 that the hub takes

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
        self.assertIn("set RUNPOD_INIT_TIMEOUT to more", self.said())
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

    def test_a_dead_worker_s_is_taken_over(self):
        self.path.write_text("another 1 x")
        with mock.patch("lease.STALE_SECONDS", 0.1), lease.held(self.path, self.stop, lambda: False) as ours:
            self.assertTrue(ours)
        self.assertIn("is gone; going on in its place", self.said())
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


class WarmTest(WeightsCase):
    def test_reads_in_wan_s_order(self):
        fill(self.home / "m")
        read = []
        with mock.patch("warm._read", side_effect=lambda path, stop: read.append(str(path.relative_to(self.home / "m"))) or True):
            self.assertTrue(warm.run(self.home / "m", self.found(), self.stop, 10**9))
        self.assertEqual(read[0], "process_checkpoint/det/yolov10m.onnx")
        self.assertEqual(read[-1], "relighting_lora.ckpt")
        self.assertLess(read.index("models_t5_umt5-xxl-enc-bf16.pth"), read.index("models_clip_open.pth"))
        self.assertEqual(sorted(read), sorted(FILES))

    def test_reads_all(self):
        fill(self.home / "m")
        self.assertTrue(warm.run(self.home / "m", self.found(), self.stop, 10**9))
        self.assertIn("in the page cache after", self.said())

    def test_reads_to_the_end(self):
        counts = iter([5, 5, 1, 0])
        file = mock.MagicMock()
        file.__enter__.return_value.readinto.side_effect = lambda buffer: next(counts)
        with mock.patch("builtins.open", return_value=file):
            self.assertTrue(warm._read(self.home / "x", self.stop))
        self.assertRaises(StopIteration, next, counts)

    def test_only_if_they_fit(self):
        self.assertFalse(warm.run(self.home / "m", self.found(), self.stop, self.found().size))
        self.assertIn("not read ahead", self.said())

    def test_ends_when_told(self):
        fill(self.home / "m")
        self.stop.set()
        self.assertFalse(warm.run(self.home / "m", self.found(), self.stop, 10**9))

    def test_files_that_went_away(self):
        self.assertFalse(warm.run(self.home / "m", self.found(), self.stop, 10**9))

    def test_free_memory(self):
        for path, content in {"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:    5000 kB\n", "sys/fs/cgroup/memory.max": "4000000\n", "sys/fs/cgroup/memory.current": "1000000\n"}.items():
            (self.home / "root" / path).parent.mkdir(parents=True, exist_ok=True)
            (self.home / "root" / path).write_text(content)
        self.assertEqual(warm.free_memory(self.home / "root"), 3_000_000)
        (self.home / "root/sys/fs/cgroup/memory.max").write_text("max\n")
        self.assertEqual(warm.free_memory(self.home / "root"), 5_120_000)
        self.assertEqual(warm.free_memory(self.home / "none"), 0)
