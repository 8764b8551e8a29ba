import base64
import hashlib
import io
import json
import os
import stat
import subprocess
import sys
import tarfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from world import PYTHON, SCRIPTS, WithDir

# In two parts, so that an image with this file has no key.
PEM = b"-----BEGIN PRIVATE " + b"KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgabcdefghijklmnop\n-----END PRIVATE KEY-----\n"
SITE = "usr/local/lib/python3.11/dist-packages"


class CheckLayerTest(WithDir):
    """Each test makes a layer, and what a step mounts next to it."""

    def setUp(self) -> None:
        super().setUp()
        os.makedirs(self.path("layer", ""), exist_ok=True)

    def check(self, *places: str, apart: list[str] | None = None, keep: list[str] | None = None) -> subprocess.CompletedProcess[str]:
        options = {"name": "torch 2", "places": places or ["/"], "apart": apart or [], "keep": keep or []}
        command = [PYTHON, "-I", "-S", os.path.join(SCRIPTS, "check_layer.py"), json.dumps(options), self.directory]
        return subprocess.run(command, capture_output=True, text=True)

    def passes(self, *places: str, says: str = "", **options: object) -> None:
        done = self.check(*places, **options)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn(says, done.stdout)

    def fails(self, problems: list[str], *places: str, **options: object) -> None:
        done = self.check(*places, **options)
        self.assertEqual((done.returncode, done.stderr.splitlines()), (1, problems))

    def lists(self, **files: str) -> None:
        self.write(b"", "lists", "status")
        for name, text in files.items():
            self.write(text.encode(), "lists", name.replace("__", "."))

    # Places

    def test_what_lies_beneath_its_place(self) -> None:
        self.write(b"", "layer", "usr", "local", "bin", "tool")
        self.passes("/usr/local", says="4 entries, ")

    def test_what_lies_elsewhere_is_told_once(self) -> None:
        self.write(b"", "layer", "sbin", "python3")
        self.write(b"", "layer", "usr", "locale")
        self.write(b"", "layer", "usr", "local", "sbin", "a")
        self.write(b"", "layer", "usr", "local", "sbin", "b")
        self.fails(
            ["/sbin is outside /usr/local", "/usr/local/sbin is where no layer of its kind may be", "/usr/locale is outside /usr/local"],
            "/usr/local", apart=["/usr/local/sbin"],
        )  # fmt: skip

    def test_a_directory_above_its_place_that_is_none(self) -> None:
        os.symlink("etc", self.path("layer", "opt"))
        self.fails(["/opt is outside /opt/tree"], "/opt/tree")

    def test_a_place_that_is_a_file(self) -> None:
        self.write(b"", "layer", "usr", "share", "list.json")
        self.passes("/usr/share/list.json")
        self.write(b"", "layer", "usr", "share", "other.json")
        self.fails(["/usr/share/other.json is outside /usr/share/list.json"], "/usr/share/list.json")

    # Kinds of entries

    def test_names_that_delete(self) -> None:
        self.write(b"", "layer", "app", ".wh.main.py")
        self.path("layer", "app", ".wh..wh..opq", "")
        self.fails([f"/app/{name} is a whiteout: it deletes files of other layers" for name in (".wh..wh..opq", ".wh.main.py")])

    def test_pipes_are_of_debian_packages_alone(self) -> None:
        os.mkfifo(self.path("layer", "pipe"))
        self.fails(["/pipe is not a file, directory or link"])
        self.lists()
        self.passes()

    @unittest.skipIf(os.getuid(), "only root makes devices")
    def test_devices(self) -> None:
        os.mknod(self.path("layer", "gone"), stat.S_IFCHR, os.makedev(0, 0))
        os.mknod(self.path("layer", "null"), stat.S_IFCHR, os.makedev(1, 3))
        os.mknod(self.path("layer", "disk"), stat.S_IFBLK, os.makedev(8, 0))
        self.lists()
        self.fails(["/disk is a device node", "/gone is a whiteout: it deletes files of other layers", "/null is a device node"])

    @unittest.skipIf(os.getuid(), "only root sets such attributes")
    def test_attributes(self) -> None:
        capability = bytes.fromhex("0100000200200000000000000000000000000000")
        for name in ("ping", "other"):
            self.write(b"", "layer", name)
            os.setxattr(self.path("layer", name), "security.capability", capability)
        self.path("layer", "opaque", "")
        os.setxattr(self.path("layer", "opaque"), "trusted.overlay.opaque", b"y")
        self.lists(iputils__list="/.\n/ping\n")
        self.fails(["/opaque is a whiteout: it deletes files of other layers", "/other has capabilities, but no Debian package owns it"])

    # Privileges

    def test_setuid_is_of_debian_packages_alone(self) -> None:
        for name, mode in (("su", 0o4755), ("wall", 0o2755), ("sh", 0o755)):
            self.write(b"", "layer", "usr", "bin", name)
            os.chmod(self.path("layer", "usr", "bin", name), mode)
        self.path("layer", "var", "mail", "")
        os.chmod(self.path("layer", "var", "mail"), 0o2775)
        told = "is setuid or setgid, but no Debian package owns it"
        self.fails([f"/usr/bin/su {told}", f"/usr/bin/wall {told}"])
        self.lists(util__list="/bin/su\n", bsd__list="/usr/bin/wall.distrib\n", diversions="/usr/bin/wall.distrib\n/usr/bin/wall\nother\n")
        self.passes()
        self.lists(util__list="/bin/su.old\n", diversions="")
        self.fails([f"/usr/bin/su {told}", f"/usr/bin/wall {told}"])

    # Keys of Debian packages

    def test_keys_that_packages_make(self) -> None:
        self.write(PEM, "layer", "etc", "named", "control.pem")
        self.write(b"x" * 9, "layer", "etc", "munge", "munge.key")
        self.write(PEM, "layer", "opt", "tls", "deep", "key")
        self.write(PEM, "layer", "srv", "key")
        self.lists(named__postinst="openssl genpkey > /etc/$x/control.pem", munge_amd64__list="/etc/munge\n", tls__list="/opt\n/opt/tls\n", base_files__list="/srv\n")
        os.rename(self.path("lists", "munge_amd64.list"), self.path("lists", "munge:amd64.list"))
        os.rename(self.path("lists", "base_files.list"), self.path("lists", "base-files.list"))
        self.fails([
            "/etc/munge/munge.key holds a private key (munge), made while munge was installed",
            "/etc/named/control.pem holds a private key (PEM), made while named was installed",
            "/opt/tls/deep/key holds a private key (PEM), made while tls was installed",
            "/srv/key holds a private key (PEM), made while a package was installed",
        ])  # fmt: skip
        self.passes(keep=["/etc/*/*", "/opt/**", "/srv"], says="/srv/key holds a private key (PEM), and is kept")

    def test_keys_that_packages_publish(self) -> None:
        md5 = hashlib.md5(PEM, usedforsecurity=False).hexdigest()
        self.write(PEM, "layer", "usr", "share", "test.pem")
        for lists in ({"x__md5sums": f"{md5}  usr/share/test.pem\n"}, {"status": f"Package: x\nConffiles:\n /usr/share/test.pem {md5}\n"}):
            self.lists(**{"x__md5sums": "", **lists})
            self.passes(says="/usr/share/test.pem holds a private key (PEM) that is public: its source lists its hash")
        self.lists(x__md5sums=f"{'0' * 32}  usr/share/test.pem\n", x__list="/usr/share/test.pem\n")
        self.fails(["/usr/share/test.pem holds a private key (PEM), made while x was installed"])

    # Files of no package

    def test_what_scripts_make_is_told(self) -> None:
        self.write(b"1", "layer", "var", "lib", "made", "number")
        self.write(b"2", "layer", "etc", "changed.conf")
        self.write(b"3", "layer", "etc", "same.conf")
        self.write(b"4", "layer", "etc", "ld.so.cache")
        self.write(b"5", "layer", "usr", "lib", "owned")
        self.write(b"6", "layer", "var", "lib", "made", "other")
        self.write(b"7", "layer", "etc", "template.conf")
        self.write(b"8", "layer", "srv", "filled.conf")
        same, other, template, filled = (hashlib.md5(text, usedforsecurity=False).hexdigest() for text in (b"3", b"other", b"7", b"8"))
        self.lists(
            status=f"Package: x\nConffiles:\n /etc/changed.conf {other}\n /etc/same.conf {same}\n",
            # ucf takes any file for a template; only x publishes one.
            hashfile=f"{template}  /etc/template.conf\n{filled}  /srv/filled.conf\n", x__md5sums=f"{template}  usr/share/x/template.conf\n",
            x__list="/etc/changed.conf\n/etc/same.conf\n/lib/owned\n", maker__postinst="date >/var/lib/made/number\n",
            filler__postinst="ucf /tmp/filled /srv/filled.conf\n",
        )  # fmt: skip
        told = "; it may differ between builds"
        notes = (
            "/etc/changed.conf was made while x was", "/srv/filled.conf was made while filler was",
            "/var/lib/made/number and 1 more next to it were made while maker was",
        )  # fmt: skip
        self.passes(says="".join(f"lamina: note {note} installed{told}\n" for note in notes) + "15 entries, ")

    # Keys of wheels, sdists and trees

    def installed(self, *names: str) -> None:
        for name in names:
            self.write(PEM, "layer", *SITE.split("/"), "pkg", name)
        self.write(f"pkg/{names[0]},,\n".encode(), "layer", *SITE.split("/"), "my_pkg-1.0.dist-info", "RECORD")

    def test_keys_of_wheels(self) -> None:
        self.installed("key.pem")
        problem = f"/{SITE}/pkg/key.pem holds a private key (PEM), of my_pkg 1.0, which has published no hash of it"
        self.fails([problem])
        self.archive("w-1-py3-none-any.whl", [("pkg/key.pem", PEM), ("w-1.dist-info/RECORD", b"pkg/key.pem,,\nbroken\npkg/key.pem,md4=,\npkg/x,sha256=!\n")])
        self.fails([problem])
        self.wheel("other", {"tests/key.pem": PEM})
        self.passes(says="is public")

    def test_hashes_of_other_algorithms(self) -> None:
        self.installed("key.pem")
        value = base64.urlsafe_b64encode(hashlib.sha512(PEM).digest()).rstrip(b"=")
        self.archive("w-1-py3-none-any.whl", [("w-1.dist-info/RECORD", b"pkg/key.pem,sha512=" + value + b",9\n")])
        self.passes(says="is public")

    def test_keys_of_sdists(self) -> None:
        self.installed("key.pem")
        with tarfile.open(self.path("source", "x-1.tar.gz"), "w:gz") as archive:
            for name, data in (("x-1/setup.py", b""), ("x-1/src/key.pem", PEM)):
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        self.passes(says="is public")
        os.unlink(self.path("source", "x-1.tar.gz"))
        self.archive("x-1.zip", [("x-1/key.pem", PEM + b"\n")])
        os.rename(self.path("wheels", "x-1.zip"), self.path("source", "x-1.zip"))
        self.assertEqual(self.check().returncode, 1)

    def test_bytecode_is_its_sources(self) -> None:
        self.installed("test.py", "__pycache__/test.cpython-311.pyc")
        self.wheel("my_pkg", {"pkg/test.py": PEM})
        self.passes(says=f"/{SITE}/pkg/test.py holds")
        os.unlink(self.path("layer", *SITE.split("/"), "pkg", "test.py"))
        os.unlink(self.path("wheels", "my_pkg-1.0-py3-none-any.whl"))
        self.assertIn("test.cpython-311.pyc holds a private key", self.check().stderr)

    def test_keys_of_trees(self) -> None:
        self.write(PEM, "layer", "opt", "tree", "key")
        self.fails(["/opt/tree/key holds a private key (PEM), of torch 2, which has published no hash of it"], "/opt/tree")

    def test_links_are_not_followed(self) -> None:
        self.write(PEM, "outside")
        os.symlink("../outside", self.path("layer", "link"))
        os.symlink("..", self.path("layer", "up"))
        self.passes(says="2 entries")

    def test_names_that_are_no_text(self) -> None:
        self.write(PEM, "layer", os.fsdecode(b"a\xff\nb"))
        self.fails([r"/a\xff\x0ab holds a private key (PEM), of torch 2, which has published no hash of it"])


if __name__ == "__main__":
    unittest.main()
