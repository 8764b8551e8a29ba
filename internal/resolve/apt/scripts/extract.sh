# Unpacks apt and its dependencies into the current, empty root file system. apt-get
# answers questions without any package being configured.
set -eu
busybox=/.lamina/busybox
for d in bin sbin lib lib32 lib64 libx32; do
	$busybox mkdir -p "/usr/$d"
	$busybox ln -s "usr/$d" "/$d"
done
$busybox find /.lamina/debs -name '*.deb' | $busybox xargs -n 1 -P "$($busybox nproc)" $busybox sh -euc '
	data=$($0 ar t "$1" | $0 grep "^data\.")
	case $data in
	*.xz) unpack=xzcat ;;
	*.gz) unpack=zcat ;;
	*.tar) unpack=cat ;;
	*) echo "$1: busybox cannot unpack $data" >&2 && exit 255 ;;
	esac
	$0 ar p "$1" "$data" | $0 $unpack | $0 tar -x -C /
' $busybox
$busybox mkdir -p /tmp /var/lib/dpkg /var/lib/apt/lists/partial /var/cache/apt/archives/partial
: >/var/lib/dpkg/status
$busybox cp /usr/share/base-passwd/passwd.master /etc/passwd 2>/dev/null || echo 'root:x:0:0::/root:/bin/sh' >/etc/passwd
