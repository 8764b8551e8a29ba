#!/usr/bin/env bash
# onexec.sh: a set of real wheels, by Lamina and by one "uv pip install" in a Dockerfile.
#
# One engine builds both in turns, from one index on this machine, on the base of Lamina's
# image, with the same compression. The wheels are PyPI's own; each round gives every file
# another comment, so that none is cached. The base and Lamina's builder are cached, and
# Lamina has a lock. Lamina compiles bytecode and checks what it installs. uv compiles only
# if asked, so a second Dockerfile asks. None runs smoke tests.
#
# Usage:  bench/onexec.sh [ROUNDS [REQUIREMENT…]]      (3, and some 100 MB of what models need)
#         KEEP_LOGS=DIRECTORY keeps the engine's output of the last round there
# Needs:  root, go, python3 with pip, a network
set -euo pipefail
# shellcheck source=bench/lib.sh
source "$(dirname "$0")/lib.sh"

rounds=${1:-3}
shift || true
[ $# -gt 0 ] || set -- numpy==1.26.4 librosa==0.11.0 scikit-image==0.25.2 opencv-python-headless==4.11.0.86 \
	decord==0.6.0 soundfile==0.13.1 onnxruntime==1.20.1
need python3
setup
machine
use_home cache

mkdir base wheels onexec compiled pristine
note "fetching wheels"
quietly python3 -m pip download -q -d pristine --only-binary :all: --python-version 3.11 "$@"
serve ./bench registry
base=$address/base:1
python3 -u -m http.server --bind 127.0.0.1 --directory "$work/index" 0 >served 2>/dev/null &
background+=($!)
mkdir index
until port=$(sed -nE 's/.* port ([0-9]+) .*/\1/p' served) && [ -n "$port" ]; do sleep 0.1; done
debian='[debian]
packages = ["ca-certificates", "libgomp1", "libstdc++6", "python3"]
[python]
requirements = ["requirements.txt"]'
printf 'name = "base"\n%s\n' "$debian" >base/image.toml
printf 'name = "wheels"\n%s\n' "$debian" >wheels/image.toml
echo uv >base/requirements.txt
for name in onexec compiled; do
	if [ "$name" = compiled ]; then option=--compile-bytecode; else option=; fi
	cat >"$name/Dockerfile" <<-END
		FROM $base
		COPY requirements.txt /
		RUN uv pip install --system --break-system-packages --no-cache --no-deps $option -r requirements.txt
	END
done

# publish ROUND makes the index, and requirements with a line for each of its files. Round 0
# has only one that requires no other: it is for the base and the builder.
publish() {
	python3 - "$1" "http://127.0.0.1:$port/" <<-'END'
		import pathlib, re, shutil, sys, zipfile
		lines = [f"--index-url {sys.argv[2]}"]
		files = sorted(pathlib.Path("pristine").glob("*.whl"), key=lambda f: f.stat().st_size)
		def alone(file):
		    with zipfile.ZipFile(file) as z:
		        metadata = next(n for n in z.namelist() if n.endswith(".dist-info/METADATA"))
		        return b"\nRequires-Dist:" not in z.read(metadata)
		if sys.argv[1] == "0":
		    files = [next(filter(alone, files))]
		for old in files:
		    name, version = old.name.split("-")[:2]
		    new = pathlib.Path("index", re.sub(r"[-_.]+", "-", name).lower(), old.name)
		    new.parent.mkdir(parents=True, exist_ok=True)
		    shutil.copy(old, new)
		    with zipfile.ZipFile(new, "a") as z:
		        z.comment = f"round {sys.argv[1]}".encode()
		    lines.append(f"{name}=={version}")
		for project in "wheels", "onexec", "compiled":
		    pathlib.Path(project, "requirements.txt").write_text("\n".join(lines) + "\n")
	END
	for name in onexec compiled; do echo "# round $1" >>"$name/requirements.txt"; done
	quietly ./build lock wheels
}

archive() {
	if [ "$1" = wheels ]; then
		./build image --progress rawjson --smoke off -o type=oci,dest=- wheels
	else
		./bench dockerfile "$engine" "$1" -
	fi >/dev/null
}

note "starting the engine, building the base"
quietly ./build engine start
engine=$(engine)
quietly ./build image --progress quiet --smoke off --push --insecure-registry -t "$base" base
publish 0
for name in wheels onexec compiled; do quietly archive "$name"; done # the builder, and the base

for ((round = 1; round <= rounds; round++)); do
	publish "$round"
	if ((round % 2)); then order=(wheels onexec compiled); else order=(compiled onexec wheels); fi
	for name in "${order[@]}"; do
		sync
		timed archive "$name"
		keep "$name" "$ms"
		note "round $round, $name: $(seconds "$ms")"
		cp log "$name.log"
	done
done

echo "medians of $rounds rounds, $(find pristine -name '*.whl' | wc -l) wheels of $(du -sm pristine | cut -f 1) MB"
row "one exec of uv pip install" "$(time_of onexec)"
row "the same with --compile-bytecode" "$(time_of compiled)" "$(share compiled onexec)"
row "Lamina" "$(time_of wheels)" "$(share wheels onexec)" "(at most 0.9)"
[ -z "${KEEP_LOGS:-}" ] || cp wheels.log onexec.log compiled.log "$KEEP_LOGS"
