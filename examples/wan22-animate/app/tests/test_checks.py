"""Smoke tests of the image, the GPU, and the settings."""

import contextlib
import io
import math
import sys
import types
import unittest
from unittest import mock

import checks
import gpu
import plan
import settings
import versions
from errors import StartError

from tests.support import Case, fill, model_json

GOOD = {
    "torch": "2.6.0+cu124", "torchvision": "0.21.0+cu124", "numpy": "1.26.4", "transformers": "4.51.3", "peft": "0.17.1",
    "diffusers": "0.37.1", "huggingface-hub": "0.36.0", "onnxruntime-gpu": "1.20.2", "runpod": "1.12.0", "opencv-python-headless": "4.11.0.86",
}  # fmt: skip
BLACKWELL = GOOD | {"torch": "2.8.0", "torchvision": "0.23.0", "onnxruntime-gpu": "1.22.0"}


class VersionsTest(unittest.TestCase):
    def test_good_sets(self):
        self.assertEqual(versions.problems(GOOD), [])
        self.assertEqual(versions.problems(BLACKWELL), [])

    def test_sets_that_do_not_fit(self):
        for changes, words in (
            ({"torchvision": "0.22.0"}, "torchvision is 0.22.0: torch 2.6.0+cu124 needs 0.21.0"),
            ({"torchvision": "0.21.0+cpu"}, "torchvision is built for cpu, torch for cu124"), ({"torchvision": None}, "torchvision is not installed"),
            ({"numpy": "2.0.0"}, "Wan needs numpy<2"), ({"transformers": "4.52.0"}, "Wan's last is 4.51.3"), ({"transformers": "4.48.3"}, "transformers is 4.48.3"),
            ({"peft": "0.18.0"}, "0.18 needs transformers 4.52"), ({"diffusers": "0.36.0"}, "0.37 is the first"), ({"huggingface-hub": "1.0.0"}, "huggingface-hub<1"),
            ({"opencv-python": "4.11.0.86"}, "cv2 is in 2 distributions (opencv-python, opencv-python-headless)"), ({"opencv-python-headless": None}, "cv2 is in 0 distributions"),
            ({"opencv-python-headless": "4.12.0.88"}, "needs numpy 2"), ({"onnxruntime": "1.20.1"}, "onnxruntime is next to onnxruntime-gpu"),
            ({"onnxruntime-gpu": None}, "onnxruntime-gpu is not installed"), ({"onnxruntime-gpu": "1.18.0"}, "built for CUDA 12"), ({"runpod": "1.9.0"}, "lose jobs"),
            ({"torch": None}, "torch is not installed"),
        ):  # fmt: skip
            found = {name: version for name, version in (GOOD | changes).items() if version}
            with self.subTest(changes):
                self.assertTrue([problem for problem in versions.problems(found) if words in problem], versions.problems(found))

    def test_installed(self):
        made = [types.SimpleNamespace(metadata={"Name": name}, version=version) for name, version in (("SAM_2", "1.0"), ("opencv.python", "4"), (None, "1"), ("sam-2", "2.0"))]
        with mock.patch("importlib.metadata.distributions", return_value=made):
            self.assertEqual(versions.installed(), {"sam-2": "1.0", "opencv-python": "4"})


class CheckTest(Case):
    def check(self, what, deep=False):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = checks.run(what, deep, self.settings())
        return code, said.getvalue()

    def test_versions(self):
        with mock.patch("versions.installed", return_value=GOOD):
            self.assertEqual(self.check("versions"), (0, "versions: 10 distributions are compatible\n"))
        with mock.patch("versions.installed", return_value=GOOD | {"numpy": "2.1", "peft": "0.18"}):
            code, said = self.check("versions")
        self.assertEqual((code, said.count("\n")), (1, 2))

    def test_model(self):
        code, said = self.check("model")
        self.assertEqual(code, 0)
        self.assertIn("there are no weights in the image", said)
        fill(self.home / "baked")
        self.assertIn("model: complete: 8 files", self.check("model")[1])
        (self.home / "baked/config.json").write_bytes(b"[]")
        self.assertEqual(self.check("model")[0], 0)
        self.assertEqual(self.check("model", deep=True), (1, "model: config.json has a different sha256\n"))
        (self.home / "baked/config.json").unlink()
        self.assertEqual(self.check("model", deep=True), (1, "model: config.json is missing\n"))
        (self.home / "model.json").write_text("{}")
        self.assertIn("is damaged", self.check("model")[1])

    def test_each_model_of_the_image(self):
        fill(self.home / "baked")
        self.env |= {"MODEL_LIST_IMAGE_ENCODER": str(self.home / "clip.json"), "MODEL_PATH_IMAGE_ENCODER": str(self.home / "clip")}
        clip = {"image_encoder/config.json": b"{}", "image_encoder/model.safetensors": b"vision"}
        (self.home / "clip.json").write_text(model_json(clip, origin="hf://Wan-AI/Wan2.2-Animate-14B-Diffusers@main"))
        fill(self.home / "clip", clip)
        code, said = self.check("model")
        self.assertEqual((code, said.count("complete: ")), (0, 2), said)
        (self.home / "clip/image_encoder/model.safetensors").unlink()
        (self.home / "baked/config.json").unlink()
        self.assertEqual(self.check("model"), (1, "model: config.json is missing\nmodel: image_encoder/model.safetensors is missing\n"))

    def torch(self, available=True, total=499500, providers=("CUDAExecutionProvider", "CPUExecutionProvider"), loaded="CUDAExecutionProvider", doubled=2000):
        module = mock.MagicMock()
        module.cuda.is_available.return_value = available
        module.cuda.get_device_name.return_value = "H100"
        module.arange.return_value.sum.return_value.item.return_value = total
        session = mock.MagicMock()
        session.get_providers.return_value = [loaded, "CPUExecutionProvider"]
        session.run.return_value = [[doubled]]
        onnx = types.SimpleNamespace(get_available_providers=lambda: list(providers), InferenceSession=lambda model, providers: session) if providers else None
        return mock.patch.dict(sys.modules, {"torch": module, "numpy": mock.MagicMock(), "onnx": mock.MagicMock(), "onnxruntime": onnx})

    def test_gpu(self):
        with self.torch():
            self.assertEqual(self.check("gpu"), (0, "gpu: H100, a first kernel computes correctly\n"))
        with self.torch(total=0):
            self.assertEqual(self.check("gpu"), (1, "gpu: the sum of 1000 numbers is 0 on the GPU, not 499500\n"))
        with self.torch(providers=["AzureExecutionProvider", "CPUExecutionProvider"]):
            self.assertEqual(self.check("gpu"), (1, "gpu: onnxruntime has no CUDA support: install onnxruntime-gpu, without onnxruntime next to it\n"))
        with self.torch(loaded="CPUExecutionProvider"):
            self.assertEqual(self.check("gpu"), (1, "gpu: onnxruntime can't load CUDA and falls back to the CPU: its log names the missing library\n"))
        with self.torch(doubled=0):
            self.assertEqual(self.check("gpu"), (1, "gpu: 1000 doubled is 0 in onnxruntime on the GPU\n"))
        with self.torch(providers=None):
            self.assertIn("onnxruntime can't be imported", self.check("gpu")[1])
        with self.torch(available=False):
            self.assertIn("torch sees no GPU", self.check("gpu")[1])
        with mock.patch.dict(sys.modules, {"torch": None}):
            self.assertIn("torch can't be imported", self.check("gpu")[1])


class GpuTest(Case):
    def problem(self, code):
        with self.assertRaises(StartError) as caught:
            gpu.check((sys.executable, "-S", "-c", code))
        return str(caught.exception)

    def test_what_the_driver_says(self):
        said = 'print(\'{"name": "NVIDIA L40S", "total": 48318382080}\')'
        self.assertEqual(gpu.check((sys.executable, "-S", "-c", said)), plan.Card("NVIDIA L40S", 45 << 30))
        self.assertIn("libcuda.so.1 is missing: start the container with the NVIDIA runtime", self.problem("raise SystemExit(99)"))
        self.assertIn("the driver sees no GPU", self.problem("print(100); raise SystemExit(1)"))
        self.assertIn("cuInit failed with 999", self.problem("print(999); raise SystemExit(1)"))
        self.assertIn("REQUIRE_GPU=0", self.problem("import os; os.abort()"))

    def test_a_driver_that_hangs(self):
        with mock.patch("gpu.SECONDS", 0.2):
            self.assertIn("the driver didn't answer", self.problem("import time; time.sleep(5)"))

    def test_asks_the_library(self):
        self.assertEqual(gpu.main("libnothing.so.9"), gpu.NO_DRIVER)
        said = io.StringIO()

        def write(pointer, value):
            pointer._obj.value = value
            return 0

        for init, devices, code in ((0, 1, 0), (0, 0, 1), (803, 1, 1)):
            library = types.SimpleNamespace(
                cuInit=lambda _, init=init: init, cuDeviceGetCount=lambda pointer, devices=devices: write(pointer, devices),
                cuDeviceGet=lambda pointer, number: write(pointer, number), cuDeviceTotalMem_v2=lambda pointer, device: write(pointer, 45 << 30),
                cuDeviceGetName=lambda name, size, device: setattr(name, "value", b"NVIDIA L40S") or 0,
            )
            with mock.patch("ctypes.CDLL", return_value=library), contextlib.redirect_stdout(said):
                self.assertEqual(gpu.main(), code)
        self.assertEqual(said.getvalue().splitlines(), ['{"name": "NVIDIA L40S", "total": 48318382080}', "100", "803"])


class SettingsTest(unittest.TestCase):
    def test_defaults(self):
        found = settings.read({})
        self.assertEqual((found.mode, found.port, found.health_port, found.job_timeout, found.max_inline), ("queue", 80, 80, math.inf, 7_000_000))
        self.assertTrue(found.require_gpu and not found.preload and not found.allow_private and not found.offline)
        self.assertEqual(settings.read({"PORT": "8000"}).health_port, 8000)
        found = settings.read({"WORKER_MODE": "load-balancing", "PORT_HEALTH": "81", "HF_ENDPOINT": "http://h/", "PRELOAD": "yes", "JOB_TIMEOUT": " "})
        self.assertEqual((found.health_port, found.job_timeout, found.max_inline, found.hub, found.preload), (81, 320, 22_000_000, "http://h", True))

    def test_an_answer_fits_what_runpod_lets_through(self):
        for mode, limit in (("queue", 10**7), ("load-balancing", 3 * 10**7)):
            self.assertLess(settings.INLINE[mode] * 4 / 3, limit - 10_000)

    def test_all_that_is_wrong(self):
        with self.assertRaises(StartError) as caught:
            settings.read({"PORT": "-1", "PRELOAD": "x", "JOB_TIMEOUT": "nan", "MAX_SECONDS": "inf", "WORKER_MODE": "y"})
        for name in ("PORT", "PRELOAD", "JOB_TIMEOUT", "MAX_SECONDS", "WORKER_MODE"):
            self.assertIn(f"{name} is", str(caught.exception))
