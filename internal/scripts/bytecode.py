"""Makes the bytecode of Debian's Python packages valid without a look at its source.

SOURCE_DATE_EPOCH made Python write bytecode that is checked against a hash of
its source. In an image the source never changes, so it need not be read for that
at each import: PEP 552, unchecked hash.
"""

import os

for directory, _, files in os.walk("/usr/lib"):
    if not directory.endswith("/__pycache__"):
        continue
    for name in files:
        with open(os.path.join(directory, name), "r+b") as f:
            flags = f.read(8)[4]
            if flags == 0:
                raise SystemExit(f"{directory}/{name}: valid by its source's time")
            if flags == 3:
                f.seek(4)
                f.write(b"\1")
