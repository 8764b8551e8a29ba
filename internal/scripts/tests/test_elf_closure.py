import contextlib
import io
import json
import os
import sys
import tempfile
import unittest
from unittest import mock

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


def debs(lists: dict[str, str], *third_party: str) -> elf_closure.Debs:
    """Returns packages with dpkg's records of what they own."""
    with tempfile.TemporaryDirectory() as directory:
        for package, paths in lists.items():
            with open(f"{directory}/{package}.list", "w") as file:
                file.write(paths)
        return elf_closure.Debs(directory, set(third_party))


class ElfClosureTest(unittest.TestCase):
    def test_reads_what_readelf_prints(self) -> None:
        self.assertEqual(
            list(elf_closure.parse(PRINTED)),
            [("/usr/lib/liba.so", "NEEDED", "libc.so.6"), ("/usr/lib/liba.so", "SONAME", "liba.so.1")],
        )

    def test_the_whole_of_it(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            os.mkdir(f"{directory}/lib")
            for name in ("libcudart-9335f6a2.so.12", "user.so"):
                with open(f"{directory}/lib/{name}", "wb") as file:
                    file.write(b"\x7fELF" + bytes(999_996))
            os.symlink("user.so", f"{directory}/lib/link.so")
            os.mkfifo(f"{directory}/lib/pipe.so")
            with open(f"{directory}/options.json", "w") as file:
                json.dump({"driver": ["libcuda.so.1"], "ignore": [], "third_party": []}, file)
            entries = [("/lib/user.so", "NEEDED", "libcudart-9335f6a2.so.12")]
            out, arguments = io.StringIO(), ["elf_closure.py", f"{directory}/options.json"]
            with mock.patch.multiple(elf_closure, IMAGE=directory, LISTS=directory, read=lambda _: entries), mock.patch.object(sys, "argv", arguments), contextlib.redirect_stdout(out):
                elf_closure.main()
        self.assertEqual(out.getvalue(), "lamina: note /lib/libcudart-9335f6a2.so.12: a private copy of libcudart, 1.0 MB\n2 ELF files, all needed libraries are present\n")

    def test_what_is_ignored_by_its_path(self) -> None:
        entries = [("/opt/a/x.so", "NEEDED", "libx.so"), ("/opt/b/y.so", "NEEDED", "liby.so")]
        with tempfile.TemporaryDirectory() as directory:
            for path in (*(entry[0] for entry in entries), "/opt/a/libcuda.so.1"):
                os.makedirs(os.path.dirname(directory + path), exist_ok=True)
                with open(directory + path, "wb") as file:
                    file.write(b"\x7fELF")
            with open(f"{directory}/options.json", "w") as file:
                json.dump({"driver": ["libcuda.so.1"], "ignore": ["/opt/a/**"], "third_party": []}, file)
            said, arguments = io.StringIO(), ["elf_closure.py", f"{directory}/options.json"]
            read = mock.Mock(side_effect=lambda programs: [entry for entry in entries if directory + entry[0] in programs])
            with mock.patch.multiple(elf_closure, IMAGE=directory, LISTS=directory, read=read), mock.patch.object(sys, "argv", arguments), contextlib.redirect_stderr(said), self.assertRaises(SystemExit):
                elf_closure.main()
        self.assertEqual(said.getvalue(), "liby.so is needed by /opt/b/y.so, but no file in the image has that name\n")

    def test_missing(self) -> None:
        entries = [("/b", "NEEDED", "libx.so"), ("/a", "NEEDED", "libx.so"), ("/a", "NEEDED", "libc.so.6"), ("/a", "SONAME", "liby.so")]
        self.assertEqual(
            list(elf_closure.missing(entries, {"libc.so.6"}, debs({}))), [("libx.so is needed by /a and 1 more, but no file in the image has that name", False)],
        )  # fmt: skip

    def test_missing_of_a_package(self) -> None:
        """For files of the distribution's packages their Depends are the check, but not for files of others."""
        lists = debs({"tool": "/usr/lib/plugin.so\n/lib/plug2.so", "theirs": "/opt/theirs.so", "libz1": "/usr/lib/libz.so.1"}, "theirs")
        for users, name, want in (
            (["/usr/lib/plugin.so", "/usr/lib/plug2.so"], "libx.so", ("libx.so is needed by /usr/lib/plug2.so and 1 more, and nothing that tool depends on has it", True)),
            (["/opt/theirs.so"], "libx.so", ("libx.so is needed by /opt/theirs.so, but no file in the image has that name", False)),
            (["/usr/lib/plugin.so", "/srv/a.so"], "libx.so", ("libx.so is needed by /srv/a.so, but no file in the image has that name", False)),
            (["/usr/lib/plugin.so"], "libz.so.1", ("libz.so.1 is needed by /usr/lib/plugin.so, but excluded: libz1 has it as /usr/lib/libz.so.1", False)),
        ):
            with self.subTest(users=users, name=name):
                self.assertEqual(list(elf_closure.missing([(user, "NEEDED", name) for user in users], set(), lists)), [want])

    def test_what_is_there_twice(self) -> None:
        for soname, twice in {
            "libcublas.so.12": True, "libcublasLt.so.12": True, "libcudnn_ops.so.9": True, "libcupti.so.12": True, "libnccl.so.2": True, "libnvrtc.so.12": True,
            "libcusparseLt.so.0": True, "libz.so.1": False, "libcublas.so.12.ignored": True,
        }.items():  # fmt: skip
            with self.subTest(soname=soname):
                entries = [("/b", "SONAME", soname), ("/a", "SONAME", soname), ("/c", "NEEDED", soname)]
                said = f"{soname} is there 2 times, and once is enough: prune all but one of /a, /b"
                self.assertEqual(list(elf_closure.doubled(entries, set())), [said] if twice else [])
                self.assertEqual(list(elf_closure.doubled(entries, {soname})), [])
                self.assertEqual(list(elf_closure.doubled(entries[1:], set())), [])
                self.assertEqual(list(elf_closure.unasked(entries, {}, set())), [])

    def test_what_is_there_twice_and_nothing_is_linked_with(self) -> None:
        entries = [(f"/{name}/libcupti.so.12", "SONAME", "libcupti.so.12") for name in "ba"] + [("/c", "NEEDED", "libcudart.so.12")]
        sizes = {"/a/libcupti.so.12": 7_600_000, "/b/libcupti.so.12": 50_000}
        self.assertEqual(list(elf_closure.doubled(entries, set())), [])
        self.assertEqual(
            list(elf_closure.unasked(entries, sizes, set())),
            ["libcupti.so.12 is there 2 times, but nothing is linked with it: /a/libcupti.so.12 (7.6 MB), /b/libcupti.so.12 (0.1 MB)"],
        )
        self.assertEqual(list(elf_closure.unasked(entries, sizes, {"libcupti.so.12"})), [])
        self.assertEqual(list(elf_closure.unasked(entries[1:], sizes, set())), [])

    def test_private_copies(self) -> None:
        """As in torchvision 0.21.0: its _C.so needs CUDA's own library, its image.so a copy with the same SONAME."""
        for name, soname in {
            "libcudart.41118559.so.12": "libcudart.so.12",
            "libcudart-9335f6a2.so.12.4.127": "libcudart-9335f6a2.so.12.4.127",
        }.items():
            with self.subTest(name=name):
                site = "/usr/local/lib/python3.11/dist-packages"
                ours, copy = f"{site}/nvidia/cuda_runtime/lib/libcudart.so.12", f"{site}/torchvision.libs/{name}"
                entries = [
                    (ours, "SONAME", "libcudart.so.12"), (copy, "SONAME", soname),
                    (f"{site}/torchvision/_C.so", "NEEDED", "libcudart.so.12"), (f"{site}/torchvision/image.so", "NEEDED", name),
                ]  # fmt: skip
                sizes = {ours: 700_000, copy: 707_904, f"{site}/torchvision.libs/libz.d13a2644.so.1": 124_744}
                self.assertEqual(list(elf_closure.doubled(entries, set())), [])
                self.assertEqual(list(elf_closure.unasked(entries, sizes, set())), [])
                self.assertEqual(list(elf_closure.private(sizes, set())), [f"torchvision.libs/{name}: a private copy of libcudart, 0.7 MB"])
                self.assertEqual(list(elf_closure.private(sizes, {name})), [])
                self.assertEqual(list(elf_closure.missing(entries, {"libcudart.so.12"}, debs({}))), [(f"{name} is needed by {site}/torchvision/image.so, but no file in the image has that name", False)])

    def test_names_of_private_copies(self) -> None:
        for name, want in {
            "libcudart.41118559.so.12": "libcudart.so.12", "libcudart-9335f6a2.so.11.0": "libcudart.so.11.0", "libnvjpeg.02b6d700.so.12": "libnvjpeg.so.12",
            "libopenblas64_p-r0-0cf96a72.3.23.dev.so": "libopenblas64_p-r0.3.23.dev.so", "libcudart.so.12": "", "libcudart.so.12.41118559": "",
            "libcudart-static.so.12": "", "libcudart-9335F6A2.so": "", "notlib-9335f6a2.so": "",
        }.items():  # fmt: skip
            with self.subTest(name=name):
                self.assertEqual(elf_closure.original(f"/x/{name}"), want)

    def test_what_is_the_drivers(self) -> None:
        names = {"libcuda.so.1": ["/usr/lib/libcuda.so.1"], "libc.so.6": ["/lib/libc.so.6"]}
        self.assertEqual(
            list(elf_closure.drivers(names, {"libcuda.so.1", "libnvidia-ml.so.1"}, lambda _: None)),
            ["libcuda.so.1 belongs to the driver, which the host provides: prune /usr/lib/libcuda.so.1"],
        )


if __name__ == "__main__":
    unittest.main()
