#!/usr/bin/env bash
# base.sh: a cold base, built by Lamina and by mmdebstrap.
#
# Alternates: mmdebstrap --variant=essential | zstd -3; Lamina from a spec (lock
# included) to the exported OCI layout; Lamina from the lock to the layout. Both have
# the same packages of one suite, and the script fails if they differ. Cold: the
# engine runs, its cache is pruned, the client's cache is empty; both fetch indexes
# and packages from the mirror of this host's apt.
#
# Usage:  bench/base.sh [ROUNDS [PACKAGE…]]      (3, python3 python3-numpy)
# Needs:  root, go, a Debian with apt sources for bookworm, zstd, and
#         mmdebstrap (apt install mmdebstrap)
set -euo pipefail
# shellcheck source=bench/lib.sh
source "$(dirname "$0")/lib.sh"

rounds=${1:-3}
packages=("${@:2}")
[ ${#packages[@]} -gt 0 ] || packages=(python3 python3-numpy)
need mmdebstrap
need zstd
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Release: bookworm' 'Component: main' 'Created-By: Packages' | sed -n 1p)
[ -n "$mirror" ] || die "apt has no source for bookworm" 2
setup
machine
use_home cache

mkdir base
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

# locked lists the image's packages as name=version, from the lock.
locked() { sed -nE '/"runtime"/s/^ *\{ name = "([^"]*)", version = "([^"]*)".*/\1=\2/p' base/image.lock | sort; }

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

theirs=() from_spec=() from_lock=()
for ((round = 1; round <= rounds; round++)); do
	timed bootstrap
	theirs+=("$ms")
	cold
	rm base/image.lock
	timed image
	from_spec+=("$ms")
	cold
	timed image
	from_lock+=("$ms")
	note "round $round: mmdebstrap $(seconds "${theirs[-1]}"), with lock $(seconds "${from_spec[-1]}"), from lock $(seconds "${from_lock[-1]}")"
	diff <(bootstrapped) <(locked) >&2 || die "the two have different packages (< mmdebstrap, > Lamina)"
done

m=$(median "${theirs[@]}") s=$(median "${from_spec[@]}") l=$(median "${from_lock[@]}")
size() { du -sk --apparent-size "$1" | cut -f1; }
echo "medians of $rounds rounds, $(locked | wc -l) packages"
echo "mmdebstrap | zstd -3     $(seconds "$m")         $(($(size base.tar.zst) / 1024)) MiB"
echo "Lamina, lock included    $(seconds "$s")  $(ratio "$s" "$m")   (at most 1.3)"
echo "Lamina, from the lock    $(seconds "$l")  $(ratio "$l" "$m")   (at most 1.0, aim 0.7)   $(($(size dist) / 1024)) MiB"
