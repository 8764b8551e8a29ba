import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import elf_closure

PRINTED = """
File: /image/usr/lib/liba.so

Dynamic section at offset 0x2df0 contains 24 entries:
  Tag        Type                         Name/Value
 0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]
 0x000000000000000e (SONAME)             Library soname: [liba.so.1]
 0x000000000000001d (RUNPATH)            Library runpath: [$ORIGIN/../lib]

File: /image/usr/bin/static

There is no dynamic section in this file.

File: /proc/self/exe
 0x0000000000000001 (NEEDED)             Shared library: [libz.so.1]
"""


class ElfClosureTest(unittest.TestCase):
    def test_reads_what_readelf_prints(self) -> None:
        self.assertEqual(
            list(elf_closure.parse(PRINTED)),
            [("/usr/lib/liba.so", "NEEDED", "libc.so.6"), ("/usr/lib/liba.so", "SONAME", "liba.so.1")],
        )

    def test_missing(self) -> None:
        entries = [("/b", "NEEDED", "libx.so"), ("/a", "NEEDED", "libx.so"), ("/a", "NEEDED", "libc.so.6"), ("/a", "SONAME", "liby.so")]
        self.assertEqual(
            list(elf_closure.missing(entries, {"libc.so.6"})), ["libx.so is needed by /a and 1 more, and no file of the image bears that name"],
        )  # fmt: skip

    def test_what_is_there_twice(self) -> None:
        for soname, twice in {
            "libcublas.so.12": True, "libcublasLt.so.12": True, "libcudnn_ops.so.9": True, "libcupti.so.12": True, "libnccl.so.2": True, "libnvrtc.so.12": True,
            "libcusparseLt.so.0": True, "libz.so.1": False, "libcudart-9335f6a2.so.12": False, "libcublas.so.12.ignored": True,
        }.items():  # fmt: skip
            with self.subTest(soname=soname):
                entries = [("/b", "SONAME", soname), ("/a", "SONAME", soname), ("/c", "NEEDED", soname)]
                said = f"{soname} is there 2 times, and once is enough: prune all but one of /a, /b"
                self.assertEqual(list(elf_closure.doubled(entries, set())), [said] if twice else [])
                self.assertEqual(list(elf_closure.doubled(entries, {soname})), [])
                self.assertEqual(list(elf_closure.doubled(entries[1:], set())), [])

    def test_what_is_the_drivers(self) -> None:
        names = {"libcuda.so.1": ["/usr/lib/libcuda.so.1"], "libc.so.6": ["/lib/libc.so.6"]}
        self.assertEqual(
            list(elf_closure.drivers(names, {"libcuda.so.1", "libnvidia-ml.so.1"})),
            ["libcuda.so.1 is the driver's, and comes with the host's: prune /usr/lib/libcuda.so.1"],
        )


if __name__ == "__main__":
    unittest.main()
