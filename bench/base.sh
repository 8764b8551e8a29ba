#!/usr/bin/env bash
# base.sh: a base, built by Lamina and by mmdebstrap.
#
# Alternates: mmdebstrap --variant=essential | zstd -3; Lamina from a spec (lock
# included) to the exported OCI layout; Lamina from the lock to the layout. Both have
# the same packages of one suite, and the script fails if they differ. Cold: the
# engine runs, its cache is pruned, the client's cache is empty; both fetch indexes
# and packages from the mirror of this host's apt. Warm: both have all packages, and
# Lamina what the builder is made of, but nothing is installed.
#
# Usage:  bench/base.sh [ROUNDS [PACKAGE…]]        (3, python3 python3-numpy)
#         bench/base.sh warm [ROUNDS [PACKAGE…]]   (1, a desktop's 600 packages)
# Needs:  root, go, a Debian with apt sources for bookworm, zstd, and
#         mmdebstrap (apt install mmdebstrap)
set -euo pipefail
# shellcheck source=bench/lib.sh
source "$(dirname "$0")/lib.sh"

mode=cold rounds=3 packages=(python3 python3-numpy) limits=(1.3 'at most 1.0, aim 0.7')
if [ "${1-}" = warm ]; then
	mode=warm rounds=1 limits=(1.2 'at most 1.2')
	packages=(ffmpeg gtk-3-examples libreoffice-calc libreoffice-gtk3 libreoffice-writer python3-opencv)
	shift
fi
rounds=${1:-$rounds}
[ $# -lt 2 ] || packages=("${@:2}")
need mmdebstrap
need zstd
need curl
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Release: bookworm' 'Component: main' 'Created-By: Packages' | sed -n 1p)
[ -n "$mirror" ] || die "apt has no source for bookworm" 2
setup
machine
use_home cache

mkdir base debs
{
	echo 'name = "base"'
	echo '[debian]'
	echo 'suites = ["bookworm"]'
	printf 'packages = ['
	printf '"%s", ' "${packages[@]}"
	echo ']'
} >base/image.toml

lamina() { ./build "$@" --debian-mirror "$mirror" base; }
image() { lamina image --smoke off --progress quiet; }

cold() {
	quietly ./build engine prune --all
	rm -rf dist "$XDG_CACHE_HOME"/lamina/{files,packed,tools}
}

# warm has the packages installed again, into the same image: the name of what to keep,
# which no package makes, is new.
warm() {
	rm -rf dist
	sed -i -e '/^keep = /d' -e "/^packages = /a keep = [\"/etc/$EPOCHREALTIME\"]" base/image.toml
}

# locked lists the image's packages as name=version, from the lock.
locked() { sed -nE '/"runtime"/s/^ *\{ name = "([^"]*)", version = "([^"]*)".*/\1=\2/p' base/image.lock | sort; }

# download fetches the image's packages, under the names of apt's cache.
download() {
	sed -nE 's/^ *\{ name = "([^"]*)", version = "([^"]*)", arch = "([^"]*)".* path = "([^"]*)".*"runtime".*/\4 \1_\2_\3.deb/p' base/image.lock |
		while read -r path name; do printf 'url = "%s/%s"\noutput = "debs/%s"\n' "${mirror%/}" "$path" "${name//:/%3a}"; done |
		quietly curl -fsSZ --retry 3 -K -
}

bootstrap() {
	mmdebstrap --quiet "${flags[@]}" --variant=essential --include="$include" bookworm - "$mirror" | zstd -q -3 -f -o base.tar.zst
}

bootstrapped() {
	zstd -dc base.tar.zst | tar -xO ./var/lib/dpkg/status |
		sed -nE 's/^Package: //p; s/^Version: //p' | paste -d= - - | sort
}

note "starting the engine"
quietly ./build engine start
quietly lamina lock

# Neither has apt unless it is required. If usr-is-merged is required, the hook makes
# mmdebstrap merge /usr.
include=$(IFS=,; echo "${packages[*]}")
flags=()
if locked | grep -q '^usr-is-merged='; then
	include+=,usr-is-merged
	flags=(--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr)
fi

if [ $mode = warm ]; then
	note "filling the caches"
	flags+=(--setup-hook='mkdir -p "$1/var/cache/apt/archives" && cp -l debs/* "$1/var/cache/apt/archives/"')
	download
	quietly image
fi

theirs=() from_spec=() from_lock=()
for ((round = 1; round <= rounds; round++)); do
	timed bootstrap
	theirs+=("$ms")
	$mode
	rm base/image.lock
	if [ $mode = warm ]; then
		timed lamina lock
		from_spec+=("$ms")
	else
		timed image
		from_spec+=("$ms")
		cold
	fi
	timed image
	from_lock+=("$ms")
	[ $mode = cold ] || from_spec[-1]=$((from_spec[-1] + ms))
	note "round $round: mmdebstrap $(seconds "${theirs[-1]}"), with lock $(seconds "${from_spec[-1]}"), from lock $(seconds "${from_lock[-1]}")"
	diff <(bootstrapped) <(locked) >&2 || die "the two have different packages (< mmdebstrap, > Lamina)"
done

m=$(median "${theirs[@]}") s=$(median "${from_spec[@]}") l=$(median "${from_lock[@]}")
size() { du -sk --apparent-size "$1" | cut -f1; }
echo "medians of $rounds rounds, $(locked | wc -l) packages"
echo "mmdebstrap | zstd -3     $(seconds "$m")         $(($(size base.tar.zst) / 1024)) MiB"
echo "Lamina, lock included    $(seconds "$s")  $(ratio "$s" "$m")   (at most ${limits[0]})"
echo "Lamina, from the lock    $(seconds "$l")  $(ratio "$l" "$m")   (${limits[1]})   $(($(size dist) / 1024)) MiB"
