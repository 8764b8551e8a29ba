#!/usr/bin/env bash
# rebuild.sh: examples/faceblend built again, and the memory of the client.
#
# Prints, next to their targets, the medians of: a build without a change, with the
# engine kept running and without one; a build with a changed file of the app, smoke
# tests included; and the client's peak memory in the first, full build.
#
# Usage:  bench/rebuild.sh [ROUNDS]      (7)
# Needs:  root, go, a network for the first build; GNU time if it is there
set -euo pipefail
# shellcheck source=bench/lib.sh
source "$(dirname "$0")/lib.sh"

rounds=${1:-7}
setup
machine
use_home cache
cp -r "$repo/examples/faceblend" .
rm -rf faceblend/image.lock faceblend/dist
image() { ./build image --progress quiet faceblend; }

note "starting the engine"
quietly ./build engine start
note "the first build, lock included: a few minutes"
start=$SECONDS
weighed ./build image --progress quiet faceblend
first=$((SECONDS - start)) whole=$kib
weighed ./build image --progress quiet faceblend
again=$kib

kept=() alone=() changed=()
for ((round = 1; round <= rounds; round++)); do
	quietly ./build engine start
	quietly image # the first build after a start opens what later ones find already open
	timed image
	kept+=("$ms")
	echo "# round $round" >>faceblend/app/handler.py
	timed image
	changed+=("$ms")
	quietly ./build engine stop
	timed image
	alone+=("$ms")
	quietly ./build engine stop # waits for the engine's end
	note "round $round: kept up $(seconds "${kept[-1]}"), app changed $(seconds "${changed[-1]}"), not kept $(seconds "${alone[-1]}")"
done

echo "medians of $rounds rounds"
echo "nothing changed, engine kept up    $(seconds "$(median "${kept[@]}")")   (at most 1.0 s)"
echo "nothing changed, no engine kept    $(seconds "$(median "${alone[@]}")")   (at most 3 s)"
echo "app changed, smoke included        $(seconds "$(median "${changed[@]}")")   (at most 2 s)"
echo "memory of the client               $((whole / 1024)) MiB in the first build of $first s, $((again / 1024)) MiB in a rebuild   (at most 256 MB)"
