# The first step of a Debian root file system: unpacks the base set into the current,
# empty one, so that dpkg can run. busybox runs this script, which then runs
# install.sh with the same arguments.
set -eu
lamina=/.lamina
busybox=$lamina/tools/busybox

# The links of a usr-merged Debian come before its first package.
for d in bin sbin lib lib32 lib64 libx32; do
	$busybox mkdir -p "/usr/$d"
	$busybox ln -s "usr/$d" "/$d"
done

# dpkg unpacks these again later, and then knows which files it owns.
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

# Packages name the owners of files: dpkg looks them up here from the first file on.
$busybox cp /usr/share/base-passwd/passwd.master /etc/passwd
$busybox cp /usr/share/base-passwd/group.master /etc/group
$busybox mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates
: >/var/lib/dpkg/status

exec /bin/sh $lamina/scripts/install.sh "$@"
