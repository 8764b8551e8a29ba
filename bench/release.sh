#!/usr/bin/env bash
# release.sh: a changed app, built on a fresh engine and pushed, with the
# cache that an earlier build left in a registry.
#
# Prints the medians of time and of bytes each way, counted at the registry's
# connections, for --smoke off on a fresh engine, the same with the client's
# cache empty, too, and --smoke all. One registry of memory, on this machine: the
# times are those of a network that costs nothing. Starting the engine isn't timed.
#
# Usage:  bench/release.sh [ROUNDS]      (3)
# Needs:  root, go, curl, a network for the first build
set -euo pipefail
# shellcheck source=bench/lib.sh
source "$(dirname "$0")/lib.sh"

rounds=${1:-3}
need curl
setup
machine
cp -r "$repo/examples/faceblend" .
rm -rf faceblend/image.lock faceblend/dist

(cd "$repo" && go build -o "$work/registry" ./bench/registry)
exec {addresses}< <(exec "$work/registry")
background+=($!)
read -r registry <&"$addresses"
ref=$registry/faceblend
push() { ./build image --progress quiet --push --insecure-registry -t "$ref:$1" "${@:2}" faceblend; }

use_home first
note "starting the first engine"
quietly ./build engine start
note "the first build, lock and push included: a few minutes"
quietly push first --cache-to "type=registry,ref=$ref"
quietly ./build engine stop
# Weights are stored as they are, all else by zstd.
runtime=$(curl -fsS -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$registry/v2/faceblend/manifests/first" |
	tr -d ' \n' | tr '{' '\n' | sed -nE '/tar\+zstd/s/.*"size":([0-9]+).*/\1/p' | awk '{ n += $1 } END { printf "%d", n }')

# release CASE SMOKE changes the app and releases it from a fresh engine.
release() {
	use_home fresh
	[ "$1" = bare ] || cp -a "$work"/first/lamina/{files,packed,tools} "$XDG_CACHE_HOME/lamina/"
	quietly ./build engine start
	echo "# $1 $round" >>faceblend/app/handler.py
	curl -fsS -X POST "http://$registry/_reset"
	timed push "$1-$round" --smoke "$2" --cache-from "type=registry,ref=$ref"
	local counters
	counters=$(curl -fsS "http://$registry/_counters")
	[[ $counters =~ \"in\":([0-9]+),\"out\":([0-9]+) ]]
	echo "$ms" >>"$1.ms"
	echo "${BASH_REMATCH[1]}" >>"$1.in"
	echo "${BASH_REMATCH[2]}" >>"$1.out"
	note "round $round, $1: $(seconds "$ms"), ${BASH_REMATCH[1]} bytes to the registry, ${BASH_REMATCH[2]} from it"
	drop_home fresh
}

for ((round = 1; round <= rounds; round++)); do
	release off off
	release bare off
	release all all
done

# row CASE TITLE TARGET
row() {
	local took in out
	mapfile -t took <"$1.ms"
	mapfile -t in <"$1.in"
	mapfile -t out <"$1.out"
	printf '%-40s %s  %9d bytes in  %9d bytes out   %s\n' "$2" "$(seconds "$(median "${took[@]}")")" \
		"$(median "${in[@]}")" "$(median "${out[@]}")" "$3"
}
echo "medians of $rounds rounds; in is to the registry, out is from it"
row off "--smoke off" "(at most 2 s, 1 MB each way)"
row bare "--smoke off, client's cache empty, too" ""
row all "--smoke all" "(out: the layers without the weights, $runtime, no more)"
