# shellcheck shell=bash
# lib.sh: shared by the scripts of this directory. It is sourced, not run.
#
# Everything happens in a new directory below $TMPDIR and is removed with the script,
# its engines too. Of the user's ${XDG_CACHE_HOME:-~/.cache}/lamina the scripts use
# only compiled engines (as links) and runc (as a copy), if they are there.

export LC_ALL=C
repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
user_cache=${XDG_CACHE_HOME:-$HOME/.cache}/lamina
work=
homes=()      # caches of Lamina, each with an engine
background=() # processes that end with the script

die() {
	echo "$(basename "$0"): $1" >&2
	exit "${2:-1}"
}

need() { command -v "$1" >/dev/null || die "needs $1: apt install ${2:-$1}" 2; }

# setup makes $work and compiles the command and the program of this directory there.
setup() {
	[ "$(id -u)" = 0 ] || die "needs root, as the engine does" 2
	need go golang
	for socket in /run/buildkit/buildkitd.sock "/run/user/0/buildkit/buildkitd.sock"; do
		[ ! -e "$socket" ] || die "builds would take the engine at $socket: stop it first" 2
	done
	unset BUILDKIT_HOST XDG_RUNTIME_DIR LAMINA_DEBIAN_MIRROR
	work=$(mktemp -d "${TMPDIR:-/tmp}/lamina-bench.XXXXXX")
	trap cleanup EXIT
	trap 'exit 130' INT TERM HUP
	export DOCKER_CONFIG=$work/docker # nobody's logins
	note "compiling"
	(cd "$repo" && go build -o "$work/" ./cmd/build ./bench)
	cd "$work"
}

cleanup() {
	local home
	trap '' INT TERM HUP
	for home in "${homes[@]}"; do
		XDG_CACHE_HOME=$home "$work/build" engine stop --force >/dev/null 2>&1 || true
	done
	[ ${#background[@]} = 0 ] || kill "${background[@]}" 2>/dev/null || true
	cd /
	[ -z "$work" ] || rm -rf --one-file-system "$work"
}

note() { echo "-- $*" >&2; }

# use_home NAME makes and selects a cache directory with nothing but programs that were
# compiled before.
use_home() {
	export XDG_CACHE_HOME=$work/$1
	local engines=$XDG_CACHE_HOME/lamina/engine from dir
	if [ ! -d "$engines" ]; then
		homes+=("$XDG_CACHE_HOME")
		mkdir -p "$engines"
		for from in "$user_cache" "${homes[0]}/lamina"; do
			for dir in "$from"/engine/v*-*/; do
				dir=${dir%/}
				[ ! -x "$dir/buildkitd" ] || [ -e "$engines/${dir##*/}" ] || ln -s "$dir" "$engines/"
			done
			[ ! -d "$from/runc" ] || [ -e "$engines/../runc" ] || cp -a "$from/runc" "$engines/../runc"
		done
	fi
}

# drop_home NAME stops the engine of a directory and removes it.
drop_home() {
	XDG_CACHE_HOME=$work/$1 "$work/build" engine stop --force >/dev/null 2>&1
	rm -rf --one-file-system "${work:?}/$1"
}

# serve [VARIABLE=VALUE…] WORD… starts a server of this directory's program, and sets
# $address and $control.
serve() {
	local lines
	exec {lines}< <(exec env TMPDIR="$work" "$@")
	background+=($!)
	{ read -r address && read -r control; } <&"$lines" || die "${*: -1} doesn't start"
	exec {lines}<&-
}

# engine prints the address of the engine of the selected cache directory.
engine() { ./build engine status --json | sed -nE 's/.*"address": *"([^"]*)".*/\1/p'; }

# reset CONTROL resets a server's counts, and moved CONTROL sets $in and $out to the
# bytes of its connections since then, headers included.
reset() { curl -fsS -X POST "http://$1/"; }
moved() { [[ $(curl -fsS "http://$1/") =~ \"in\":([0-9]+),\"out\":([0-9]+) ]] && in=${BASH_REMATCH[1]} out=${BASH_REMATCH[2]}; }

# zstd_layers REGISTRY NAME TAG prints digest and size of an image's layers except those
# of weights, which are uncompressed.
zstd_layers() {
	curl -fsS -H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$1/v2/$2/manifests/$3" |
		tr -d ' \n' | tr '{' '\n' | sed -nE '/tar\+zstd/s/.*"digest":"([^"]*)".*"size":([0-9]+).*/\1 \2/p' | sort
}

# quietly COMMAND… shows a command's output only if it fails.
quietly() {
	"$@" >"$work/log" 2>&1 || {
		tail -n 30 "$work/log" >&2
		die "failed: $1 ${2:-}"
	}
}

# timed COMMAND… sets $ms to a command's duration.
timed() {
	local start=${EPOCHREALTIME/./}
	quietly "$@"
	ms=$(((${EPOCHREALTIME/./} - start) / 1000))
}

# weighed COMMAND… sets $kib to a command's peak memory: by GNU time or, without it, by
# polling every 20 ms, which may miss the last moments.
weighed() {
	if [ -x "${GNU_TIME:=/usr/bin/time}" ] && "$GNU_TIME" -f %M true >/dev/null 2>&1; then
		quietly "$GNU_TIME" -o "$work/peak" -f %M "$@"
		kib=$(<"$work/peak")
		return
	fi
	local key value pid
	kib=0
	"$@" >"$work/log" 2>&1 &
	pid=$!
	while [ -e "/proc/$pid/status" ] && kill -0 "$pid" 2>/dev/null; do
		while read -r key value _; do
			[ "$key" != VmHWM: ] || [ "$value" -le "$kib" ] || kib=$value
		done 2>/dev/null <"/proc/$pid/status" || true
		sleep 0.02
	done
	wait "$pid" || die "failed: $1 ${2:-}: $(tail -n 30 "$work/log")"
}

# keep CASE NUMBER records a figure; mid CASE prints the median of a case's figures,
# time_of CASE prints it as a time, share CASE OTHER its ratio to another case's.
keep() { echo "$2" >>"$work/$1.figures"; }
mid() {
	local list
	mapfile -t list <"$work/$1.figures"
	median "${list[@]}"
}
time_of() { seconds "$(mid "$1")"; }
share() { ratio "$(mid "$1")" "$(mid "$2")"; }

# row TITLE TIME RATIO REMARK prints a line of the result.
row() { printf '%-40s %9s  %5s   %s\n' "$1" "$2" "${3:-}" "${4:-}"; }

# median NUMBER… prints the median, the lower one of an even count.
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }

# seconds MS and ratio A B print two decimal places.
seconds() { printf '%d.%02d s' $(($1 / 1000)) $(($1 % 1000 / 10)); }
ratio() { printf '%d.%02d' $(($1 / $2)) $(($1 % $2 * 100 / $2)); }

# machine prints what the figures depend on.
machine() {
	local load
	read -r load _ </proc/loadavg
	echo "$(nproc) cores, load $load at the start, $(. /etc/os-release && echo "$PRETTY_NAME"), Linux $(uname -r)"
}
