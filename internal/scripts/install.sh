# Installs the packages in /.lamina/debs. $1: name:uid of the app's user, or
# nothing; the rest: options for dpkg.
set -eu
lamina=/.lamina
user=$1
shift

# No service starts in a build, and nothing needs to reach the disk before the
# engine takes the whole as one layer.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
export LD_PRELOAD="$lamina/tools/libeatmydata.so"
. $lamina/scripts/kept.sh
. $lamina/scripts/prevent.sh
. $lamina/scripts/unpack.sh
dpkg --force-unsafe-io "$@" --configure -a
unset LD_PRELOAD

if [ -n "$user" ]; then
	name=${user%:*} id=${user#*:}
	echo "$name:x:$id:$id::/home/$name:/usr/sbin/nologin" >>/etc/passwd
	echo "$name:x:$id:" >>/etc/group
	echo "$name:!:$((SOURCE_DATE_EPOCH / 86400))::::::" >>/etc/shadow
	echo "$name:!::" >>/etc/gshadow
	mkdir -p "/home/$name"
	chown "$id:$id" "/home/$name"
fi

# What the check of the layer knows of packages, also where the spec leaves it out.
find /var/lib/dpkg -maxdepth 2 -type f \( -path '*/info/*' -o -name status -o -name diversions \) -exec cp -t $lamina/lists {} +
if [ -f /var/lib/ucf/hashfile ]; then cp /var/lib/ucf/hashfile $lamina/lists; fi

# Nothing stays that differs from build to build or that only dpkg needed.
rm -f /usr/sbin/policy-rc.d /var/cache/ldconfig/aux-cache \
	/var/lib/dpkg/*-old /var/lib/dpkg/lock* /var/lib/dpkg/triggers/Lock /var/cache/debconf/*-old \
	/etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /tmp/* /var/tmp/*
find /var/log /run -type f -delete
. $lamina/scripts/made.sh
. $lamina/scripts/exclude.sh

if [ -x /usr/bin/python3 ]; then /usr/bin/python3 -I -S $lamina/scripts/bytecode.py; fi
