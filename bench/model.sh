#!/usr/bin/env bash
# model.sh: a model of 4 GB, published once, and releases of an app with it.
#
# The hub, the registry and the engines are on this machine; the registry hashes
# weights and doesn't keep them. In turns:
#   push     "build model push" of the whole model, compared with hashing as many bytes
#            on one core, with a plain copy of them from the same hub, and with a
#            Dockerfile that adds the files and pushes through the engine.
#   killed   the same push, killed at 60 % and restarted: the bytes that it still sends.
#   release  a changed app on a fresh engine: by Lamina, with published weights and the
#            cache of an earlier build in the registry; by a plain Dockerfile; by an
#            expert's, which copies from the model's image with --link.
# Bytes are counted at the registry's connections.
#
# Usage:  bench/model.sh [ROUNDS [BYTES [LARGEST FILE]]]      (3, 4000000000, 1000000000)
# Needs:  root, go, curl, 20 GB of disk, a network for the Debian base
set -euo pipefail
# shellcheck source=bench/lib.sh
source "$(dirname "$0")/lib.sh"

rounds=${1:-3}
size=${2:-4000000000}
largest=${3:-1000000000}
need curl
setup
[ "$(df --output=avail -BG . | tr -dc 0-9)" -ge 20 ] || die "needs 20 GB of disk" 2
machine
use_home cache

serve ./bench hub "$size" "$largest"
export HF_ENDPOINT=$address
serve GOGC=25 ./bench sink
registry=$address counters=$control

mkdir -p app/app plain expert model base
cat >app/image.toml <<END
name = "release"
[debian]
packages = ["python3"]
[[model]]
from = "hf://bench/model@main"
path = "/models/bench"
published = "$registry/release"
[app]
source = "app"
entrypoint = ["/usr/bin/python3", "/app/main.py"]
[smoke]
run = [["/usr/bin/python3", "/app/main.py"]]
END
echo 'print(0)' >app/app/main.py
printf 'name = "base"\n[debian]\npackages = ["python3"]\n' >base/image.toml
note "starting the engine, locking, building the base"
quietly ./build engine start
quietly ./build lock app
quietly ./build image --progress quiet --smoke off --push --insecure-registry -t "$registry/base:1" base

# The files of the lock: size, digest, path.
sed -nE 's/.*size = ([0-9]+), sha256 = "([0-9a-f]+)", path = "([^"]+)".*/\1 \2 \3/p' app/image.lock | grep -v '\.deb' >files
resolve=$HF_ENDPOINT/bench/model/resolve/main
adds() { awk -v url="$resolve" '{ printf "ADD --checksum=sha256:%s %s/%s /models/bench/%s\n", $2, url, $3, $3 }' files; }
{ echo "FROM scratch" && adds; } >model/Dockerfile
{ echo "FROM $registry/base:1" && adds && echo "COPY main.py /app/"; } >plain/Dockerfile
printf 'FROM %s\nCOPY --link --from=%s / /\nCOPY --link main.py /app/\n' "$registry/base:1" "$registry/model:1" >expert/Dockerfile

# forget removes what an earlier push left: its journal, and its entry in the lock.
cp app/image.lock unpublished
forget() { rm -rf "$XDG_CACHE_HOME/lamina/pushes" && cp unpublished app/image.lock; }
publisher=(./build model push --spec app --insecure-registry --progress plain)
publish() { "${publisher[@]}" "$registry/$1"; }
copy() { awk -v url="$resolve" '{ print url "/" $3 }' files | xargs -n 1 -P 2 curl -fsSL -o /dev/null; }
hash() { ./bench sha256 "$size"; }

# in_docker uses a separate engine, which must not have the files yet.
in_docker() {
	use_home docker
	quietly ./build engine start
	timed ./bench dockerfile "$(engine)" model "$registry/model:$round"
	drop_home docker
	use_home cache
}

for ((round = 1; round <= rounds; round++)); do
	for case in hash copy push docker; do
		reset "$counters"
		case $case in
		hash | copy) timed "$case" ;;
		push)
			forget
			weighed "${publisher[@]}" "$registry/weights-$round:1"
			keep memory "$kib"
			forget
			timed publish "again-$round:1"
			;;
		docker) in_docker ;;
		esac
		keep "$case" "$ms"
		note "round $round, $case: $(seconds "$ms")"
	done
	# Killed when the registry has 60 %, then once more.
	forget
	reset "$counters"
	publish "killed-$round:1" >log 2>&1 &
	pid=$!
	until moved "$counters" && [ "$in" -ge $((size * 6 / 10)) ]; do
		kill -0 "$pid" 2>/dev/null || die "the push ended before it could be killed"
		sleep 0.02
	done
	kill -KILL "$pid"
	wait "$pid" 2>/dev/null || true
	moved "$counters"
	first=$in
	reset "$counters"
	quietly publish "killed-$round:1"
	moved "$counters"
	keep killed $((in * 1000 / size))
	note "round $round, killed after $first bytes, then sent $in more"
done
quietly ./build model push --spec app --insecure-registry "$registry/release:weights"

note "the first build, with its cache"
build() { ./build image --progress plain --push --insecure-registry -t "$registry/release:$1" "${@:2}" app; }
cache=type=registry,ref=$registry/release
quietly build first --cache-to "$cache"
quietly ./build engine stop

# release CASE COMMAND… releases a changed app from a fresh engine.
release() {
	use_home fresh
	quietly ./build engine start
	echo "print('$1 $round')" | tee app/app/main.py plain/main.py expert/main.py >/dev/null
	engine=$(engine)
	reset "$counters"
	timed "${@:2}"
	moved "$counters"
	keep "$1" "$ms"
	keep "$1-bytes" $((in + out))
	note "round $round, $1: $(seconds "$ms"), $in bytes to the registry, $out from it"
	drop_home fresh
}
docker() { ./bench dockerfile "$engine" "$1" "$registry/$1:$round"; }
for ((round = 1; round <= rounds; round++)); do
	release off build "off-$round" --smoke off --cache-from "$cache"
	release all build "all-$round" --smoke all --cache-from "$cache"
	release expert docker expert
	release plain docker plain
done

bytes() { awk '{ printf "%.2f MB", $1 / 1e6 }' <<<"$(mid "$1-bytes")"; }
slower=$(mid hash)
[ "$(mid copy)" -le "$slower" ] || slower=$(mid copy)
echo "medians of $rounds rounds, a model of $((size / 1000000)) MB"
row "SHA-256 of as much on one core" "$(time_of hash)"
row "plain copy from the hub" "$(time_of copy)"
row "build model push" "$(time_of push)" "$(ratio "$slower" "$(mid push)")" "of the slower of these (at least 0.8); at most $(($(mid memory) / 1024)) MiB of memory (256)"
row "Dockerfile with ADD, pushed" "$(time_of docker)"
row "killed at 60 %, then sent" "" "" "$(awk '{ printf "%.1f %%", $1 / 10 }' <<<"$(mid killed)") of the bytes (at most 45 %)"
row "release, --smoke off" "$(time_of off)" "" "$(bytes off) moved (at most 1 MB, 2 s)"
row "release, --smoke all" "$(time_of all)" "" "$(bytes all)"
row "release, expert's Dockerfile" "$(time_of expert)" "" "$(bytes expert)"
row "release, plain Dockerfile" "$(time_of plain)" "" "$(bytes plain)"
