# The first step of a Debian root file system: gives the empty one we are in the
# files of the base set, so that dpkg can run. busybox runs this, and install.sh
# goes on. The arguments are those of install.sh.
set -eu
lamina=/.lamina
busybox=$lamina/tools/busybox

# What a usr-merged Debian has before its first package arrives.
for d in bin sbin lib lib32 lib64 libx32; do
	$busybox mkdir -p "/usr/$d"
	$busybox ln -s "usr/$d" "/$d"
done

# dpkg unpacks these once more afterwards and then knows what is its own.
$busybox find $lamina/debs/base -name '*.deb' | $busybox xargs -n 1 -P "$($busybox nproc)" $busybox sh -euc '
	busybox=$0 deb=$1
	data=$($busybox ar t "$deb" | $busybox grep "^data\.")
	case $data in
	*.xz) unpack=xzcat ;;
	*.gz) unpack=zcat ;;
	*.tar) unpack=cat ;;
	*)
		tools=${busybox%/*}
		[ -e "$tools/dpkg-deb" ] || { echo "$deb: busybox cannot unpack $data" >&2 && exit 255; }
		"$tools/ld.so" --library-path "$tools" "$tools/dpkg-deb" --fsys-tarfile "$deb" | $busybox tar -x -C /
		exit
		;;
	esac
	$busybox ar p "$deb" "$data" | $busybox $unpack | $busybox tar -x -C /
' "$busybox"

# Owners in packages are names: dpkg looks them up here from the first file on.
$busybox cp /usr/share/base-passwd/passwd.master /etc/passwd
$busybox cp /usr/share/base-passwd/group.master /etc/group
$busybox mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates
: >/var/lib/dpkg/status

exec /bin/sh $lamina/scripts/install.sh "$@"
