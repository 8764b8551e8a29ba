# Installs the packages in /.lamina/debs. $1: the app's user, as
# name or name:uid, or nothing; the rest: options for dpkg.
set -eu
lamina=/.lamina
user=$1
shift

# No service starts in a build, and nothing needs to reach the disk before the
# engine takes the whole as one layer.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
export LD_PRELOAD="$lamina/tools/libeatmydata.so"
. $lamina/scripts/unpack.sh
dpkg --force-unsafe-io "$@" --configure -a
unset LD_PRELOAD

. $lamina/scripts/account.sh

# What the check of the layer knows of packages, also where the spec leaves it out.
find /var/lib/dpkg -maxdepth 2 -type f \( -path '*/info/*' -o -name status -o -name diversions \) -exec cp -t $lamina/lists {} +

# Nothing stays that differs from build to build or that only dpkg needed.
rm -f /usr/sbin/policy-rc.d /var/cache/ldconfig/aux-cache \
	/var/lib/dpkg/*-old /var/lib/dpkg/lock* /var/lib/dpkg/triggers/Lock /var/cache/debconf/*-old \
	/etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /tmp/* /var/tmp/*
find /var/log /run -type f -delete
. $lamina/scripts/kept.sh
. $lamina/scripts/forget.sh
. $lamina/scripts/exclude.sh

if [ -x /usr/bin/python3 ]; then /usr/bin/python3 -I -S $lamina/scripts/bytecode.py; fi
