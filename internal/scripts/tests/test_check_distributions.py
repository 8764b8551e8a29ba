import os
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from world import PYTHON, UV, Files, WithDir, row, wheel_files

SITE = "/usr/local/lib/python3.11/dist-packages"


class CheckTest(WithDir):
    def has(
        self, name: str, *requires: str, version: str = "1.0", files: Files | None = None, metadata: str = ""
    ) -> None:
        """Puts a distribution into the image, as the wheels' layers have it."""
        metadata += "".join(f"Requires-Dist: {text}\n" for text in requires)
        for path, content in wheel_files(name, files or {}, version=version, metadata=metadata).items():
            self.write(content, "image" + SITE, path)

    def has_debian(self, path: str, text: str) -> None:
        self.write(text.encode(), "image/usr/lib/python3/dist-packages", path)

    def check(self, *want: str, **options: list[str]) -> None:
        """Compares all problems; none means success."""
        done = self.run_script("check_distributions.py", self.path("image"), options=options)
        self.assertEqual(done.stderr.splitlines(), list(want))
        self.assertEqual(done.returncode, 1 if want else 0)
        self.stdout = done.stdout

    def test_what_fits(self) -> None:
        self.has("A.b", "c_D (>=1.0,<2)", 'gone; python_version < "3"', 'more; extra == "x"',
                 metadata="Requires-Python: >=3.8\n")
        self.has("C-d", version="1.5")
        self.check()
        self.assertEqual(self.stdout, "2 distributions, all their requirements are met\n")

    def test_what_nobody_asked_for(self) -> None:
        self.has("a", "B[x]", "gone; os_name == 'nt'")
        self.has("b", "c; extra == 'x'", "d; extra == 'y'", "odd ?", "old[x] (>=1.0<2.0)", "? odd")
        self.has("old", "older; extra == 'x'")
        self.has("older")
        self.has("c", "a")
        self.has("d", "e")
        self.has("e")
        self.has("tree", "of-tree")
        self.has("of_tree")
        locked = ["a", "b", "c", "d", "e", "of-tree", "old", "older"]
        self.check()
        nobody = "{} 1.0 is required by neither the spec nor its dependencies: the lock must not have it"
        self.check(nobody.format("d"), nobody.format("e"), asked=["A"], locked=locked)
        self.check(asked=["a", "B[y]"], locked=locked)
        self.check(nobody.format("a"), nobody.format("c"), asked=["b", "D"], locked=locked)
        self.check(*(nobody.format(name) for name in (*"abcde", "old", "older")), asked=[], locked=locked)

    def test_nothing_is_fine(self) -> None:
        self.path("image", "usr", "x")
        self.check()
        self.assertEqual(self.stdout, "0 distributions, all their requirements are met\n")

    def test_all_problems_are_printed_sorted(self) -> None:
        self.has("diffusers", "huggingface-hub<2.0,>=0.34", "numpy", "torch>=2; python_version > '3'", version="0.36.0")
        self.has("huggingface_hub", version="0.20.0")
        self.check(
            "diffusers 0.36.0 needs huggingface-hub<2.0,>=0.34, but 0.20.0 is installed",
            "diffusers 0.36.0 needs numpy, which is not installed",
            "diffusers 0.36.0 needs torch>=2, which is not installed",
        )

    def test_prereleases_and_local_versions_count(self) -> None:
        self.has("a", "torch>=2.6", "b>=2.0a1", "c==1.0")
        self.has("torch", version="2.7.0.dev1+cu124")
        self.has("b", version="2.0rc1")
        self.has("c", version="1.0+cu124")
        self.check()

    def test_optional_ones_may_be_missing_but_not_wrong(self) -> None:
        self.has("a", "Flash_Attn>=2", "sam2>=1.5")
        self.has("sam2")
        self.check("a 1.0 needs sam2>=1.5, but 1.0 is installed", optional=["flash-attn", "SAM2"])

    def test_overridden_ones_may_be_anything(self) -> None:
        self.has("a", "NumPy<2", "gone>=1", "b>=2")
        self.has("numpy", version="2.1")
        self.has("b")
        self.check("a 1.0 needs b>=2, but 1.0 is installed", overridden=["numpy", "Gone"])

    def test_debians_packages_count(self) -> None:
        self.has("a", "numpy>=1.20", "six>=1.16", "yaml>=6", "old>=2")
        self.has_debian("numpy-1.24.2.egg-info/PKG-INFO", "Metadata-Version: 2.1\nName: numpy\nVersion: 1.24.2\n")
        self.has_debian("six-1.16.0.egg-info", "Metadata-Version: 1.2\nName: six\nVersion: 1.16.0\n")
        self.has_debian("yaml-6.dist-info/METADATA", "Name: yaml\nVersion: 6\nRequires-Dist: gone\n")
        self.has_debian("old-1.egg-info", "Name: old\nVersion: 1-weird~2\n")
        self.check("a 1.0 needs old>=2, but 1-weird~2 is installed")
        self.has("old", version="2.0")
        self.check()

    def test_extras_bring_their_requirements(self) -> None:
        self.has("a", "imageio[FFmpeg]>=2")
        self.has("imageio", "pillow", 'imageio-ffmpeg; extra == "ffmpeg"', 'psutil[x]; extra == "ffmpeg"',
                 'av; extra == "av"', version="2.3")
        self.has("psutil", 'y; extra == "x"')
        self.check(
            "imageio 2.3 needs pillow, which is not installed",
            "imageio[FFmpeg] 2.3 needs imageio-ffmpeg, which is not installed",
            "psutil[x] 1.0 needs y, which is not installed",
        )

    def test_extras_may_go_in_circles(self) -> None:
        self.has("a", "b[x]", 'b[x]; extra == "y"')
        self.has("b", 'a[y]; extra == "x"', 'b[z]; extra == "x"')
        self.check()

    def test_other_pythons(self) -> None:
        self.has("a", metadata="Requires-Python: >=3.99\n")
        self.has("b", metadata="Requires-Python: >=3.6.*\n")
        for name, begins in {"c": "<3", "d": "==3.*,!=3.*", "e": "~=3.1.0", "f": ">3.1,<=3.2"}.items():
            self.has(name, metadata=f"Requires-Python: {begins}\n")
        version = subprocess.run([PYTHON, "-V"], capture_output=True, text=True).stdout.split()[1]
        self.check(f"a 1.0 needs Python >=3.99, but {version} is installed")

    def test_requirements_that_are_none(self) -> None:
        self.has("a", "b (>dev)", "===")
        self.check()
        self.assertIn("a 1.0 has an unreadable requirement, which isn't checked: b (>dev)\n", self.stdout)

    def test_requirements_that_were_fine_once(self) -> None:
        self.has("a", "b (>=5.1.*)", "b>=1.*,<6.*", "c (>=7.*)")
        self.has("b", version="5.1")
        self.has("c", version="6")
        self.check("a 1.0 needs c>=7, but 6 is installed")

    def test_extras_are_spelled_in_many_ways(self) -> None:
        self.has("a", "b[gpu_x]")
        self.has("b", 'missing; extra == "GPU-x"')
        self.check("b[gpu_x] 1.0 needs missing, which is not installed")

    def test_the_kernel_of_the_build_does_not_matter(self) -> None:
        self.has("a", 'b; platform_system == "Darwin" and platform_release >= "20.0"', 'c; platform_version < "0"')
        self.check()

    def test_one_distribution_twice(self) -> None:
        self.has("torch", version="2.5")
        self.has("torch", version="2.6")
        self.check("torch 2.5 and torch 2.6 are one distribution, installed twice")

    def test_one_path_with_two_contents(self) -> None:
        self.has("a", files={"x/__init__.py": b"1", "LICENSE": b"a", "same.py": b"", "__pycache__/same.pyc": b"p"})
        self.has("b", files={"x/__init__.py": b"2", "LICENSE": b"bc", "same.py": b"", "__pycache__/same.pyc": b"p"})
        self.check(f"a 1.0 and b 1.0 have {SITE}/x/__init__.py with different content", collisions=["**/LICENSE"])
        self.check(collisions=["x", "LICENSE"])

    def test_one_script_with_two_contents(self) -> None:
        self.has("a", files={"../../../bin/go": b"1"})
        self.has("b", files={"../../../bin/go": b"2"})
        self.check("a 1.0 and b 1.0 have /usr/local/bin/go with different content")
        self.check(collisions=["bin/go"])

    def test_scripts_that_hide_debians_programs(self) -> None:
        self.has("a", files={"../../../bin/ls": b"", "../../../bin/a": b"", "../../../bin/f2py": b""})
        self.has("numpy", files={"../../../bin/f2py3": b""})
        self.has_debian("numpy-1.0.egg-info/PKG-INFO", "Name: numpy\nVersion: 1.0\n")
        os.symlink("usr/bin", self.path("image", "bin"))
        for name in ("ls", "f2py", "f2py3"):
            self.write(b"", "image/usr/bin", name)
        self.check(
            'a 1.0: /usr/local/bin/ls runs in place of /usr/bin/ls; collisions = ["bin/ls"] would allow that',
            collisions=["bin/f2py"],
        )

    def test_files_are_as_record_says(self) -> None:
        self.has("a", files={"gone": b"", "short": b"12", "link": b"12", "fine": b"12", "directory/gone": b""})
        os.unlink(self.path("image" + SITE, "gone"))
        os.unlink(self.path("image" + SITE, "directory", "gone"))
        os.rmdir(self.path("image" + SITE, "directory"))
        self.write(b"1", "image" + SITE, "short")
        os.unlink(self.path("image" + SITE, "link"))
        os.symlink("fine", self.path("image" + SITE, "link"))
        self.check(
            f"a 1.0: {SITE}/directory/gone is missing",
            f"a 1.0: {SITE}/gone is missing",
            f"a 1.0: {SITE}/link is not a regular file",
            f"a 1.0: {SITE}/short has 1 bytes, but RECORD says 2",
        )

    def test_no_link_leads_out(self) -> None:
        self.has("a", "b", files={"out/file": b"12"})
        self.write(b"12", "outside", "file")
        os.unlink(self.path("image" + SITE, "out", "file"))
        os.rmdir(self.path("image" + SITE, "out"))
        os.symlink(self.path("outside"), self.path("image" + SITE, "out"))
        self.write(b"Name: b\nVersion: 1\n", "outside", "b", "METADATA")
        os.symlink(self.path("outside", "b"), self.path("image" + SITE, "b-1.dist-info"))
        self.has_debian("b-1.egg-info/x", "")
        egg_info = self.path("image/usr/lib/python3/dist-packages/b-1.egg-info/PKG-INFO")
        os.symlink(self.path("outside", "b", "METADATA"), egg_info)
        self.check("a 1.0 needs b, which is not installed", f"a 1.0: {SITE}/out/file is missing")

    def test_links_inside_are_followed(self) -> None:
        self.has("a", files={"real/file": b"12"})
        os.rename(self.path("image" + SITE, "real"), self.path("image" + SITE, "moved"))
        os.symlink("moved", self.path("image" + SITE, "real"))
        self.check()

    def test_broken_distributions(self) -> None:
        self.has("a")
        os.unlink(self.path("image" + SITE, "a-1.0.dist-info", "RECORD"))
        self.write(b"x\n" + row("a-1.0.dist-info/WHEEL", b"").encode(), "image" + SITE, "c-1.dist-info", "RECORD")
        self.check(
            "a 1.0 has no RECORD",
            "c-1.dist-info has no METADATA with a name and a version",
            f"c-1.dist-info: {SITE}/a-1.0.dist-info/WHEEL has 59 bytes, but RECORD says 0",
            f"c-1.dist-info: {SITE}/x is missing",
        )


@unittest.skipUnless(os.path.exists(UV), "UV names no uv")
class InstalledWheelsTest(WithDir):
    def test_what_the_installation_makes_is_fine(self) -> None:
        shared = {"shared/__init__.py": b"x = 1\n"}
        self.wheel("p", {**shared, "p/m.py": b"", "p/x.a": b"1", "LICENSE": b"1"}, metadata="Requires-Dist: q\n")
        self.wheel("q", {**shared, "q-1.0.data/scripts/go": b"#!python\n", "LICENSE": b"2", "q/two.py": b"print 1\n"})
        done = self.install(out="image", options={"prune": ["**/*.a"], "collisions": ["LICENSE"]})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = self.run_script("check_distributions.py", self.path("image"))
        self.assertEqual((done.stdout, done.stderr), ("2 distributions, all their requirements are met\n", ""))


if __name__ == "__main__":
    unittest.main()
