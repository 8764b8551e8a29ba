#!/usr/bin/env bash
# wheels.sh: 60 wheels of 1 GB, two of them 300 MB, by Lamina and by Dockerfiles.
#
# One engine builds all, from one index on this machine, on the base of Lamina's image,
# with the same compression. Two comparisons, in turns:
#   cold    no wheel is cached, since each round has its own version of them; the base
#           is cached, and Lamina has a lock. "installed" ends where "pip install"
#           does, fetching included; then both compress and write the same bytes, up to
#           the end of an archive that is discarded.
#   change  another version of one wheel of 1 MB, in an image that is built and pushed
#           to a registry in memory that counts bytes. Lamina also makes a new lock. The
#           script fails if any layer but that of the small wheels changes.
# plain is a Dockerfile with one "pip install --no-cache-dir -r"; expert keeps pip's
# cache in a mount and installs the two big wheels in a separate step.
#
# Usage:  bench/wheels.sh [ROUNDS]      (3)
# Needs:  root, go, curl, 25 GB of disk for 3 rounds, a network for the Debian base
set -euo pipefail
# shellcheck source=bench/lib.sh
source "$(dirname "$0")/lib.sh"

rounds=${1:-3}
need curl
setup
[ "$(df --output=avail -BG . | tr -dc 0-9)" -ge $((7 + 6 * rounds)) ] || die "needs $((7 + 6 * rounds)) GB of disk" 2
machine
use_home cache

mkdir base wheels plain expert
serve ./bench index
index=$address offers=$control
serve GOGC=20 ./bench registry # in the end it holds 8 GB
registry=$address counters=$control
base=$registry/base:1
debian='[debian]
packages = ["python3", "python3-pip", "ca-certificates"]'
printf 'name = "base"\n%s\n' "$debian" >base/image.toml
printf 'name = "wheels"\n%s\n[python]\nrequirements = ["requirements.txt"]\n' "$debian" >wheels/image.toml
cat >plain/Dockerfile <<-END
	FROM $base
	COPY requirements.txt /
	RUN pip install --break-system-packages --no-cache-dir -r requirements.txt
END
# Without --trusted-host, pip caches nothing that came over plain HTTP.
pip="RUN --mount=type=cache,target=/root/.cache/pip pip install --break-system-packages --trusted-host 127.0.0.1"
cat >expert/Dockerfile <<-END
	FROM $base
	COPY heavy.txt /
	$pip -r heavy.txt
	COPY requirements.txt /
	$pip -r requirements.txt
END

# publish ARGUMENTS… makes wheels in the index; the projects require the new versions.
declare -A pins=() sizes=()
publish() {
	local pin size
	curl -fsS -X POST "http://$offers/publish?$1" >pins
	while read -r pin size; do pins[${pin%%==*}]=$pin sizes[${pin%%==*}]=$size; done <pins
	printf '%s\n' "--index-url http://$index/simple/" "${pins[@]}" | sort >wheels/requirements.txt
	cp wheels/requirements.txt plain/
	cp wheels/requirements.txt expert/
	grep -E '^(--|heavy)' wheels/requirements.txt >expert/heavy.txt
}

# Each of these builds the named project to an archive, or pushes it with a tag.
archive() {
	if [ "$1" = wheels ]; then lamina -o type=oci,dest=-; else ./bench dockerfile "$engine" "$1" -; fi >/dev/null
}
push() {
	if [ "$1" = wheels ]; then
		lamina --push --insecure-registry -t "$registry/wheels:$2"
	else
		./bench dockerfile "$engine" "$1" "$registry/$1:$2"
	fi
}
lamina() { ./build image --progress plain --smoke "$smoke" "$@" wheels; }
smoke=off

# in_export prints the milliseconds that the last build spent compressing and sending.
in_export() {
	sed -nE 's/^#[0-9]+ (exporting layers|sending tarball) ([0-9.]+)s done$/\2/p' log | awk '{ s += $1 } END { printf "%d", s * 1000 }'
}

note "starting the engine, building the base"
quietly ./build engine start
engine=$(engine)
quietly ./build image --progress quiet --smoke off --push --insecure-registry -t "$base" base
publish "version=0&name=small-00"
for name in wheels plain expert; do quietly archive "$name"; done

# cold NAME ROUND builds a project from nothing but the base.
cold() {
	sync
	reset "$offers"
	timed archive "$1"
	keep "cold-$1" "$ms"
	local before=$((ms - $(in_export)))
	keep "cold-$1-before" "$before"
	moved "$offers"
	note "round $2, cold, $1: $(seconds "$ms"), $(seconds "$before") before the export, $((out / 1000000)) MB from the index"
}

for ((round = 1; round <= rounds; round++)); do
	note "making wheels"
	publish "version=$round"
	timed ./build lock wheels
	keep lock "$ms"
	if ((round % 2)); then order=(wheels plain); else order=(plain wheels); fi
	for name in "${order[@]}"; do
		cold "$name" "$round"
		[ "$name" = plain ] || {
			smoke=all timed lamina -o type=image,name=wheels
			keep smoke "$ms"
		}
	done
	((round == rounds)) || curl -fsS -X POST "http://$offers/withdraw?version=$round"
done

layers() { zstd_layers "$registry" "$@"; }

# change NAME NUMBER builds and pushes a project again.
change() {
	local before=$(($2 - 1)) lock=0
	sync
	if [ "$1" = wheels ]; then
		timed ./build lock wheels
		lock=$ms
		keep relock "$ms"
	fi
	reset "$counters"
	timed push "$1" "change-$2"
	keep "change-$1" $((ms + lock))
	local new
	moved "$counters"
	comm -13 <(layers "$1" "change-$before") <(layers "$1" "change-$2") >new
	new=$(awk '{ n += $2 } END { printf "%d", n }' new)
	keep "change-$1-in" "$in"
	note "change $2, $1: $(seconds $((ms + lock))), $(wc -l <new) of $(layers "$1" "change-$2" | wc -l) layers new with $new bytes, $in bytes to the registry"
	[ "$1" = wheels ] || return 0
	keep new "$new"
	[ "$(wc -l <new)" = 1 ] || die "other layers moved than the one with the wheel"
	[ "$new" -le $((group * 3 / 2)) ] || die "the new layer has more than 1.5 times the $group bytes of the small wheels"
}

note "pushing what is then changed"
for name in wheels plain expert; do quietly push "$name" change-0; done
for ((round = 1; round <= rounds; round++)); do
	publish "version=$rounds.$round&name=small-00"
	group=0
	for name in "${!sizes[@]}"; do [[ $name != small-* ]] || group=$((group + sizes[$name])); done
	for name in wheels plain expert; do change "$name" "$round"; done
done

megabytes() { awk '{ printf "%.1f MB", $1 / 1e6 }' <<<"$(mid "$1")"; }
echo "medians of $rounds rounds, 60 wheels of 1 GB"
row "cold, pip install in a Dockerfile" "$(time_of cold-plain-before)"
row "cold, installed by Lamina" "$(time_of cold-wheels-before)" "$(share cold-wheels-before cold-plain-before)" "(at most 0.7)"
row "  with the export, plain" "$(time_of cold-plain)"
row "  with the export, Lamina" "$(time_of cold-wheels)" "$(share cold-wheels cold-plain)"
row "  its lock, before that" "$(time_of lock)"
row "  its smoke tests, after that" "$(time_of smoke)"
row "change, plain Dockerfile" "$(time_of change-plain)" "" "$(megabytes change-plain-in) to the registry"
row "change, expert's Dockerfile" "$(time_of change-expert)" "$(share change-expert change-plain)" "$(megabytes change-expert-in)"
row "change, Lamina" "$(time_of change-wheels)" "$(share change-wheels change-plain)" \
	"$(megabytes change-wheels-in); its one new layer is $(ratio "$(mid new)" "$group") of its group   (at most 1.5)"
row "  its lock in that" "$(time_of relock)"
