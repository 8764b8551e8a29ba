package testworld

// backend is a small substitute for setuptools: it packs the modules of a source tree
// unchanged.
const backend = `import base64, hashlib, os, re, zipfile
from email.parser import HeaderParser


def _info():
    with open("PKG-INFO") as f:
        text = f.read()
    info = HeaderParser().parsestr(text)
    stem = re.sub("[-_.]+", "_", info["Name"]) + "-" + info["Version"]
    wheel = "Wheel-Version: 1.0\nGenerator: worldbackend\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    return stem, {stem + ".dist-info/METADATA": text, stem + ".dist-info/WHEEL": wheel}


def _modules():
    for directory, directories, names in os.walk("."):
        directories.sort()
        for name in sorted(names):
            path = os.path.relpath(os.path.join(directory, name), ".")
            if path.endswith(".py") and path != "setup.py":
                with open(path) as f:
                    yield path, f.read()


def get_requires_for_build_wheel(config_settings=None):
    if not os.path.exists("build-requires.txt"):
        return []
    with open("build-requires.txt") as f:
        return f.read().split()


def prepare_metadata_for_build_wheel(directory, config_settings=None):
    stem, files = _info()
    os.makedirs(os.path.join(directory, stem + ".dist-info"))
    for path, text in files.items():
        with open(os.path.join(directory, path), "w") as f:
            f.write(text)
    return stem + ".dist-info"


def build_wheel(directory, config_settings=None, metadata_directory=None):
    stem, files = _info()
    record = ""
    name = stem + "-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as archive:
        for path, text in [*_modules(), *files.items()]:
            data = text.encode()
            hash = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
            record += "%s,sha256=%s,%d\n" % (path, hash, len(data))
            archive.writestr(zipfile.ZipInfo(path), data)
        path = stem + ".dist-info/RECORD"
        archive.writestr(zipfile.ZipInfo(path), record + path + ",,\n")
    return name
`

// Backend returns the wheel of a build backend that needs only Python. It builds an [Sdist]
// with "worldbackend" as its only BuildRequires and its Backend. A build-requires.txt in it
// lists the backend's further requirements.
func Backend() Wheel {
	return Wheel{Name: "worldbackend", Files: map[string]string{"worldbackend.py": backend}}
}
