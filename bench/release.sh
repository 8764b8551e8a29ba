#!/usr/bin/env bash
# release.sh: a changed app, built on a fresh engine and pushed, with the
# cache that an earlier build left in a registry.
#
# Prints the medians of time and of bytes each way, counted at the registry's
# connections, for --smoke off on a fresh engine, the same with an empty client cache,
# too, the same with lock, SBOM and signed provenance attached, and --smoke all. There is one registry in memory, on this machine, so that the
# network costs nothing. Starting the engine isn't timed.
#
# Usage:  bench/release.sh [ROUNDS]      (3)
# Needs:  root, go, curl, openssl, a network for the first build
set -euo pipefail
# shellcheck source=bench/lib.sh
source "$(dirname "$0")/lib.sh"

rounds=${1:-3}
need curl
need openssl
setup
machine
cp -r "$repo/examples/faceblend" .
rm -rf faceblend/image.lock faceblend/dist

openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out sign.key
serve ./bench registry
registry=$address counters=$control
ref=$registry/faceblend
push() { ./build image --progress quiet --push --insecure-registry -t "$ref:$1" "${@:2}" faceblend; }

use_home first
note "starting the first engine"
quietly ./build engine start
note "the first build, lock and push included: a few minutes"
quietly push first --cache-to "type=registry,ref=$ref"
quietly ./build engine stop
runtime=$(zstd_layers "$registry" faceblend first | awk '{ n += $2 } END { printf "%d", n }')

# release CASE SMOKE [FLAG...] changes the app and releases it from a fresh engine.
release() {
	use_home fresh
	[ "$1" = bare ] || cp -a "$work"/first/lamina/{files,packed,tools} "$XDG_CACHE_HOME/lamina/"
	quietly ./build engine start
	echo "# $1 $round" >>faceblend/app/handler.py
	reset "$counters"
	timed push "$1-$round" --smoke "$2" --cache-from "type=registry,ref=$ref" "${@:3}"
	moved "$counters"
	keep "$1" "$ms"
	keep "$1-in" "$in"
	keep "$1-out" "$out"
	note "round $round, $1: $(seconds "$ms"), $in bytes to the registry, $out from it"
	drop_home fresh
}

for ((round = 1; round <= rounds; round++)); do
	release off off
	release bare off
	release signed off --attach lock,sbom,provenance --sign sign.key
	release all all
done

bytes() { printf '%9d bytes in  %9d bytes out' "$(mid "$1-in")" "$(mid "$1-out")"; }
echo "medians of $rounds rounds; in is to the registry, out is from it"
row "--smoke off" "$(time_of off)" "" "$(bytes off)   (at most 2 s, 1 MB each way)"
row "--smoke off, client's cache empty, too" "$(time_of bare)" "" "$(bytes bare)"
row "--smoke off, attached and signed" "$(time_of signed)" "" "$(bytes signed)   (at most 5 s, 2 MB; attaching takes at most 300 ms)"
row "--smoke all" "$(time_of all)" "" "$(bytes all)   (out: the layers without the weights, $runtime, no more)"
