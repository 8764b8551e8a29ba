#!/usr/bin/env bash
# field.sh: the requirements of seven public GPU projects, locked by Lamina and by uv.
#
# The lists in bench/field are the names and versions of their requirement files,
# without lines for other indexes. Each is locked on a running engine, with uv's cache
# empty ("cold"), then a second time ("again"); uv alone compiles the same list, with
# its own empty cache. Right: both have the same versions, or Lamina refuses with the
# reason. One list is then built, with the additions of lip-sync.toml, and its
# packages are imported.
#
# Usage:  bench/field.sh [LIST…]      (all; lip-sync.txt is built)
# Needs:  root, go, curl, python3, a network, 30 GB of disk
set -euo pipefail
# shellcheck source=bench/lib.sh
source "$(dirname "$0")/lib.sh"

lists=("$@")
[ ${#lists[@]} -gt 0 ] || lists=("$repo"/bench/field/*.txt)
mapfile -t lists < <(realpath "${lists[@]}")
need curl python3
setup
machine
use_home cache
quietly ./build engine start

# project NAME LIST makes a directory to lock.
project() {
	mkdir -p "$1"
	cp "$2" "$1/requirements.txt"
	cat >"$1/image.toml" <<-END
		name = "$1"
		[debian]
		packages = ["python3", "libgomp1", "libstdc++6", "libgl1", "libglib2.0-0"]
		[builder]
		packages = ["build-essential", "cmake", "pkg-config", "python3-dev"]
		[python]
		requirements = ["requirements.txt"]
	END
	[ ! -f "${2%.txt}.toml" ] || cat "${2%.txt}.toml" >>"$1/image.toml"
}

# of_lock FILE prints name==version of what a lock's image installs.
of_lock() {
	python3 - "$1" <<-'END'
		import sys, tomllib
		for d in tomllib.load(open(sys.argv[1], "rb"))["python"]["distributions"]:
		    if "python" in d["for"]:
		        print(f"{d['name']}=={d['version']}")
	END
}

# get_uv FILE unpacks the uv that a lock names.
get_uv() {
	python3 - "$1" <<-'END' >uv.url
		import sys, tomllib
		print(tomllib.load(open(sys.argv[1], "rb"))["python"]["uv"]["url"])
	END
	curl -fsSL "$(cat uv.url)" -o uv.whl
	python3 -m zipfile -e uv.whl uv.unpacked
	install -m 0755 uv.unpacked/*.data/scripts/uv uv
}

bad=0
printf '%-20s %6s %9s %9s %9s   %s\n' list files cold again "uv alone" versions
for list in "${lists[@]}"; do
	name=$(basename "$list" .txt)
	project "$name" "$list"
	start=${EPOCHREALTIME/./}
	if ! ./build lock "$name" >log 2>&1; then
		printf '%-20s refused:\n' "$name"
		grep -E 'error:|hint:' log
		continue
	fi
	cold=$(((${EPOCHREALTIME/./} - start) / 1000))
	timed ./build lock "$name"
	again=$ms
	[ -x uv ] || get_uv "$name/image.lock"
	rm -rf uv.cache
	timed ./uv pip compile --cache-dir uv.cache --no-header --no-annotate --python-version 3.11 \
		--python-platform x86_64-manylinux_2_36 -o "$name.uv" "$name/requirements.txt"
	of_lock "$name/image.lock" | sort >"$name.lamina"
	says=same
	sed -E 's/ ;.*//; s/\[.*\]//' "$name.uv" | grep == | sort | diff - "$name.lamina" >"$name.diff" || { says="$(grep -c '^[<>]' "$name.diff") differ"; bad=1; }
	printf '%-20s %6s %9s %9s %9s   %s\n' "$name" "$(wc -l <"$name.lamina")" "$(seconds "$cold")" "$(seconds "$again")" "$(seconds "$ms")" "$says"
done

built=$(basename "${lists[0]}" .txt)
[ ! -d lip-sync ] || built=lip-sync
timed ./build image --progress plain --smoke runtime "$built"
echo "$built built in $(seconds "$ms")"
exit $bad
