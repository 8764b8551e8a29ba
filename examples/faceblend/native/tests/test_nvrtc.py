"""The kernels through the real compiler, which needs no GPU. Needs libnvrtc11.2."""

import re
import unittest

from faceblend_native import nvrtc
from faceblend_native.cuda import Unavailable

# The parameters that gpu.py passes: u64 for addresses, u32 for ints.
PARAMETERS = {
    "faceblend_moments": "u64 u64 u64 u32 u64",
    "faceblend_rows": "u64 u32 u32 u64 u32 u64",
    "faceblend_mix": "u64 u64 u64 u64 u32 u32 u64 u32 u64 u64",
}


class NvrtcTest(unittest.TestCase):
    def test_known_device_gets_machine_code(self):
        self.assertTrue(nvrtc.compile_kernels((9, 0)).startswith(b"\x7fELF"))

    def test_newer_device_gets_ptx_with_the_expected_parameters(self):
        ptx = nvrtc.compile_kernels((12, 0))
        self.assertTrue(ptx.endswith(b"\0"))
        text = ptx.decode()
        self.assertIn(".target sm_90", text)
        entries = re.findall(r"\.entry (\w+)\(([^)]*)\)", text)
        got = {name: " ".join(re.findall(r"\.param \.(\w+)", body)) for name, body in entries}
        self.assertEqual(got, PARAMETERS)

    def test_contracts_nothing(self):
        text = nvrtc.compile_kernels((12, 0)).decode()
        self.assertNotIn("fma", text)
        self.assertIn("mul.rn.f32", text)  # .rn forbids the driver to contract, too

    def test_shows_the_log_of_a_bad_source(self):
        compiler = nvrtc._Compiler("libnvrtc.so.11.2")
        with self.assertRaisesRegex(nvrtc.CompileError, "blend.cu.*no_such_name"):
            compiler.compile("compute_90", b"int x = no_such_name;", b"")

    def test_missing_library_and_old_device(self):
        with self.assertRaisesRegex(Unavailable, "no NVRTC"):
            nvrtc.compile_kernels((9, 0), "libnosuchnvrtc.so")
        with self.assertRaisesRegex(Unavailable, "too old"):
            nvrtc.compile_kernels((2, 0))


if __name__ == "__main__":
    unittest.main()
