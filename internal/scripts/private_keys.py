"""Recognizes files that hold a private key, or data that only one machine may have.

internal/layers does the same with what the client packs, using the same keys.json.
A text may have a key anywhere: files up to WHOLE are read in full, larger ones, into which no tool writes
keys, only at the head. ELF files are skipped: a program may contain the beginning of a key, but no key.
"""

import json
import os
import re
import sys

from globs import pattern

WHOLE = 1 << 20
HEAD = 1 << 16
START = 1 << 12

KEY_BAGS = (b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x01", b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x02")
PKCS7 = b"\x2a\x86\x48\x86\xf7\x0d\x01\x07"
ENCRYPTIONS = (b"\x2a\x86\x48\x86\xf7\x0d\x01\x05", b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01")  # PKCS#5, and PKCS#12's own
INTEGER, OCTETS, OID, SEQUENCE = 0x02, 0x04, 0x06, 0x30


class Keys:
    def __init__(self, table: str) -> None:
        with open(table, encoding="utf-8") as file:
            kinds = json.load(file)
        self.texts = [(text["kind"], text["find"].encode(), re.compile(text["pattern"].encode())) for text in kinds["texts"]]
        self.paths = [(place["kind"], pattern(place["glob"])) for place in kinds["paths"]]

    def kind(self, path: str, file: str, size: int) -> str:
        """Returns the kind of key in a file that an image has at path; "" if there is none."""
        if not size:
            return ""
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            data = os.read(descriptor, START)
            if data.startswith(b"\x7fELF"):
                return ""
            wanted = size if size <= WHOLE else HEAD
            while len(data) < wanted and (more := os.read(descriptor, wanted - len(data))):
                data += more
        finally:
            os.close(descriptor)
        return self.of_content(data) or next((kind for kind, test in self.paths if test.fullmatch(path)), "")

    def of_content(self, data: bytes) -> str:
        data = narrow(data)
        for kind, hint, test in self.texts:
            if hint in data and test.search(data):
                return kind
        try:
            return binary(data)
        except IndexError:  # it only begins like one
            return ""


def narrow(data: bytes) -> bytes:
    """Returns a text of Windows, with a byte order mark and perhaps two bytes for each letter, as others are."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data[2:].replace(b"\0", b"")
    return data.removeprefix(b"\xef\xbb\xbf")


def binary(data: bytes) -> str:
    if data[:4] in (b"\xfe\xed\xfe\xed", b"\xce\xce\xce\xce"):
        return "JKS" if has_private_entry(data) else ""
    if data[:2] in (b"\x05\x01", b"\x05\x02"):
        return "Kerberos" if has_principal(data) else ""
    if data[0] in (0x94, 0x95, 0x96, 0xC5):
        return "OpenPGP" if is_secret_packet(data) else ""
    return der(data) if data[:1] == b"\x30" else ""


def has_principal(data: bytes) -> bool:
    """Reads a keytab up to the realm of its first entry; those that were removed have a negative size."""
    at, order = 2, "big" if data[1] == 2 else sys.byteorder
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], order, signed=True)
        if size > 0:
            realm = int.from_bytes(data[at + 6 : at + 8], order)
            name = data[at + 8 : at + 8 + realm]
            return at + 4 + size <= len(data) and len(name) == realm > 0 and all(0x20 < byte < 0x7F for byte in name)
        at += 4 - size
    return False


ALGORITHMS = (*range(1, 4), *range(16, 23), *range(25, 37))  # of OpenPGP's public keys


def is_secret_packet(data: bytes) -> bool:
    """Reads an OpenPGP secret key, and whether a packet that may follow it does."""
    first, at = data[0], 2
    if first != 0xC5:
        at = 1 + (1 << (first & 3))
        end = at + number(data, 1, at - 1)
    elif data[1] < 0xC0:
        end = at + data[1]
    elif data[1] < 0xE0:
        at, end = 3, 3 + ((data[1] - 0xC0) << 8) + data[2] + 0xC0
    else:
        at, end = 6, 6 + number(data, 2)
    version = data[at]
    algorithm = data[at + (7 if version == 3 else 5)]
    if version not in range(3, 7) or algorithm not in ALGORITHMS or end - at < 20 or end > len(data):
        return False
    after = data[end] if end < len(data) else 0x88  # a signature
    return (after & 0x3F if after & 0x40 else after >> 2 & 0xF) in (2, 7, 13, 17) and after & 0x80 > 0


def has_private_entry(data: bytes) -> bool:
    """Reads a Java key store up to its first entry that is not a certificate."""
    version, count = number(data, 4), number(data, 8)
    at = 12
    for _ in range(count):
        if number(data, at) != 2:
            return True
        at += 4
        at += 2 + number(data, at, 2) + 8  # its name and date
        if version == 2:
            at += 2 + number(data, at, 2)  # "X.509"
        at += 4 + number(data, at)
    return False


def number(data: bytes, at: int, size: int = 4) -> int:
    data[at + size - 1]  # IndexError if it ends before
    return int.from_bytes(data[at : at + size])


def der(data: bytes) -> str:
    """Recognizes private keys by how their ASN.1 begins. A PKCS#12 store with only certificates is none."""
    tag, at, end = head(data, 0)
    if end < len(data.rstrip(b"\r\n")) or end > len(data):
        return ""
    first, body, after = head(data, at)
    if first == SEQUENCE:
        if encrypted(data, at, end):
            return "encrypted PKCS#8"
        return "BCFKS" if data[after:end] and encrypted(data, body, after) else ""
    if first != INTEGER or after - body != 1:
        return ""
    version, (second, start, stop) = data[body], head(data, after)
    if version == 3 and second == SEQUENCE and data[start : start + 64].find(PKCS7) >= 0:
        return "PKCS#12" if any(bag in data for bag in KEY_BAGS) else ""
    if version in (0, 1) and second == SEQUENCE and data[start] == OID and data[stop] == OCTETS:
        return "PKCS#8"
    if version == 1 and second == OCTETS and stop - start in range(20, 67):
        return "SEC 1"
    if version in (0, 1) and second == INTEGER and stop - start > 60 and data[stop] == INTEGER:
        return "PKCS#1"
    return ""


def encrypted(data: bytes, at: int, end: int) -> bool:
    """Reports whether a value's content is the name of a cipher and what it has encrypted."""
    first, body, after = head(data, at)
    name, start, stop = head(data, body)
    known = first == SEQUENCE and name == OID and data[start:stop].startswith(ENCRYPTIONS)
    return known and head(data, after)[0] == OCTETS and head(data, after)[2] == end


def head(data: bytes, at: int) -> tuple[int, int, int]:
    """Returns the tag of a value, its start and its end; one of indefinite length, as in PKCS#12, ends with the data."""
    tag, length = data[at], data[at + 1]
    if length == 0x80:
        return tag, at + 2, len(data)
    if length < 0x80:
        return tag, at + 2, at + 2 + length
    size = length & 0x7F
    start = at + 2 + size
    return tag, start, start + number(data, at + 2, size)
