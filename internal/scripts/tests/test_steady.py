import hashlib
import os
import struct
import subprocess
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from world import SCRIPTS, WithFolder


def keystore(date: int, password: str = "changeit", version: int = 2, key: bool = False) -> bytes:
    """Returns a store as Java writes it: a certificate, and a key with two where that is wanted."""

    def name(text: str) -> bytes:
        return struct.pack(">H", len(text)) + text.encode()

    certificate = (name("X.509") if version == 2 else b"") + struct.pack(">I", 300) + bytes(range(100)) * 3
    body = struct.pack(">III", 0xFEEDFEED, version, 2 if key else 1)
    if key:
        body += struct.pack(">I", 1) + name("mine") + struct.pack(">Q", date) + struct.pack(">I", 5) + b"a key" + struct.pack(">I", 2) + certificate * 2
    body += struct.pack(">I", 2) + name("debian:root") + struct.pack(">Q", date) + certificate
    return body + hashlib.sha1(password.encode("utf-16-be") + b"Mighty Aphrodite" + body).digest()


def berkeley(number: bytes, order: str, magic: int, date: bytes = b"1796018400") -> bytes:
    aliases = b"\x01root\x00\x01postmaster\x00\x01" + date + b"\x01YP_LAST_MODIFIED"
    return struct.pack(order + "QIII", 1, 0, magic, 9) + bytes(32) + number + bytes(4020) + aliases + number + bytes(10)


class SteadyTest(WithFolder):
    def steady(self, data: bytes) -> bytes:
        self.write(data, "file")
        os.chmod(self.path("file"), 0o640)
        done = subprocess.run(
            ["perl", os.path.join(SCRIPTS, "steady.pl"), self.path("file")], capture_output=True, text=True, env={**os.environ, "SOURCE_DATE_EPOCH": "315532800"}
        )
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))
        self.assertEqual(os.stat(self.path("file")).st_mode & 0o777, 0o640)
        with open(self.path("file"), "rb") as file:
            return file.read()

    def test_key_stores_have_the_date_of_the_epoch(self) -> None:
        for how in ({}, {"version": 1}, {"key": True}):
            self.assertEqual(self.steady(keystore(1796018400123, **how)), keystore(315532800000, **how))

    def test_a_key_store_with_another_password_stays(self) -> None:
        self.assertEqual(self.steady(keystore(1, "another")), keystore(1, "another"))

    def test_berkeley_databases_have_no_number(self) -> None:
        for order in "<>":
            for magic in (0x061561, 0x053162, 0x042253):
                self.assertEqual(self.steady(berkeley(b"x" * 20, order, magic)), berkeley(bytes(20), order, magic, b"0315532800"))

    def test_other_files_stay(self) -> None:
        for data in (b"", b"\xfe\xed\xfe\xed", b"\xfe\xed\xfe\xed" + b"x" * 100, b"text\n" * 50):
            self.assertEqual(self.steady(data), data)


if __name__ == "__main__":
    unittest.main()
