"""The GPU's side without a GPU: a fake driver runs the real kernels. Needs g++."""

import ctypes
import subprocess
import tempfile
import threading
import unittest
from importlib import resources
from pathlib import Path

import numpy as np
from faceblend_native import CpuBlender, GpuBlender, Look
from faceblend_native.cuda import CudaError, Driver, Unavailable
from faceblend_native.nvrtc import CompileError, architecture

from .test_cpu import images


class GpuTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.library = str(Path(directory.name, "libfakecuda.so"))
        kernels = resources.files("faceblend_native")
        source = Path(__file__).with_name("fake_cuda.cc")
        subprocess.run(
            ["g++", "-std=c++17", "-O1", "-ffp-contract=off", "-Wall", "-Werror", "-shared", "-fPIC",
             f"-I{kernels}", source, "-o", cls.library],
            check=True,
        )  # fmt: skip
        cls.fake = ctypes.CDLL(cls.library)

    def setUp(self):
        self.addCleanup(self.fake.fake_devices, 1)
        self.addCleanup(self.fake.fake_fail, b"")

    def open(self):
        blender = GpuBlender(Driver(self.library), lambda _: b"kernels")
        self.addCleanup(blender.close)
        return blender

    def test_agrees_with_the_cpu(self):
        blender = self.open()
        self.assertEqual(blender.device, "gpu: Fake GPU, compute capability 8.6")
        for seed, (height, width) in enumerate(((40, 60), (1, 1), (300, 7), (16, 16), (150, 130))):
            region, patch, mask = images(height, width, seed)
            with self.subTest(height=height, width=width):
                got = blender.blend(region, patch, mask, Look())
                want = CpuBlender().blend(region, patch, mask, Look())
                np.testing.assert_array_equal(got, want)
                self.assertEqual(self.fake.fake_live_buffers(), 0)

    def test_works_from_another_thread(self):
        blender, results = self.open(), []
        region, patch, mask = images(20, 20)
        work = threading.Thread(
            target=lambda: results.append(blender.blend(region, patch, mask, Look()))
        )
        work.start()
        work.join()
        np.testing.assert_array_equal(results[0], CpuBlender().blend(region, patch, mask, Look()))

    def test_frees_its_memory_whatever_fails(self):
        blender = self.open()
        for name in ("cuMemAlloc_v2", "third cuMemAlloc_v2", "cuMemcpyHtoD_v2", "cuMemsetD8_v2",
                     "cuLaunchKernel", "cuCtxSynchronize", "cuMemcpyDtoH_v2"):  # fmt: skip
            with self.subTest(name):
                self.fake.fake_fail(name.encode())
                with self.assertRaisesRegex(CudaError, r"CUDA_ERROR_OUT_OF_MEMORY \(2\)"):
                    blender.blend(*images(9, 9), Look())
                self.assertEqual(self.fake.fake_live_buffers(), 0)
                self.fake.fake_fail(b"")

    def test_is_unavailable_when_it_cannot_start(self):
        before = self.fake.fake_live_contexts()
        for name in ("cuInit", "cuDevicePrimaryCtxRetain", "cuModuleLoadData", "cuModuleGetFunction"):
            with self.subTest(name):
                self.fake.fake_fail(name.encode())
                with self.assertRaisesRegex(Unavailable, name):
                    GpuBlender(Driver(self.library), lambda _: b"kernels")
        self.fake.fake_fail(b"")
        self.fake.fake_devices(0)
        with self.assertRaisesRegex(Unavailable, "no device"):
            GpuBlender(Driver(self.library), lambda _: b"kernels")
        self.assertEqual(self.fake.fake_live_contexts(), before)

    def test_is_unavailable_without_a_compiler(self):
        before = self.fake.fake_live_contexts()
        for err in (CompileError("log"), Unavailable("no NVRTC")):

            def compile_kernels(_, err=err):
                raise err

            with self.assertRaises(Unavailable):
                GpuBlender(Driver(self.library), compile_kernels)
        self.assertEqual(self.fake.fake_live_contexts(), before)

    def test_is_unavailable_without_a_driver(self):
        for library in ("libnosuchdriver.so.1", "libm.so.6"):
            with self.assertRaisesRegex(Unavailable, "no CUDA driver"):
                Driver(library)

    def test_refuses_what_does_not_fit(self):
        region, patch, mask = images(8, 9)
        for arguments in ((region[:7], patch, mask), (region, patch, mask[:0]), (region, patch, mask * 1.0)):
            with self.assertRaises(ValueError):
                self.open().blend(*arguments, Look())


class ArchitectureTest(unittest.TestCase):
    def test_names(self):
        known = [70, 75, 80, 86, 89, 90]
        cases = {(9, 0): "sm_90", (7, 5): "sm_75", (8, 7): "compute_86", (12, 0): "compute_90"}
        for capability, name in cases.items():
            self.assertEqual(architecture(capability, known), name)
        with self.assertRaises(Unavailable):
            architecture((6, 1), known)


if __name__ == "__main__":
    unittest.main()
