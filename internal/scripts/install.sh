# Installs the packages in /.lamina/debs. $1: the app's user, as name or name:uid,
# or nothing.
set -eu
exec 2>&1 # by one pipe, so that what is said last comes last
lamina=/.lamina
user=$1

# paths lists the files of a root file system that others are added to, and what they are.
paths() { if [ ! -d $lamina/debs/base ]; then find / -xdev -printf '%y %p\n' | sort; fi; }
paths >$lamina/lists/before

# No registry takes a layer of more than 10 GB: what grows beyond that has no end.
ulimit -f $((9 << 21))

# No service starts in a build, and nothing needs to reach the disk before the
# engine takes the whole as one layer.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
export LD_PRELOAD="$lamina/tools/libeatmydata.so"
. $lamina/scripts/kept.sh
. $lamina/scripts/prevent.sh
if [ -s $lamina/scripts/debconf ]; then debconf-set-selections $lamina/scripts/debconf; fi
. $lamina/scripts/rounds.sh
unset LD_PRELOAD

. $lamina/scripts/account.sh

# What the check of the layer knows of packages, also where the spec leaves it out.
find /var/lib/dpkg -maxdepth 2 -type f \( -path '*/info/*' -o -name status -o -name diversions \) -exec cp -t $lamina/lists {} +
if [ -f /var/lib/ucf/hashfile ]; then cp /var/lib/ucf/hashfile $lamina/lists; fi

# Nothing stays that differs from build to build or that only dpkg needed.
rm -f /usr/sbin/policy-rc.d /var/cache/ldconfig/aux-cache \
	/var/lib/dpkg/*-old /var/lib/dpkg/lock* /var/lib/dpkg/triggers/Lock /var/cache/debconf/*-old \
	/etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /tmp/* /var/tmp/*
# The questions of packages in other languages are most of what debconf and dpkg know of them.
find /var/cache /var/lib/dpkg/info \( -name templates.dat -o -name '*.templates' \) \
	-exec perl -0pi -e 's/^[a-z_]+-[^:\n]*\.utf-8:.*\n([ \t].*\n)*//gmi' {} +
find /var/log /run -type f -delete
. $lamina/scripts/made.sh
. $lamina/scripts/exclude.sh

if [ -x /usr/bin/python3 ]; then /usr/bin/python3 -I -S $lamina/scripts/bytecode.py; fi

# What is gone of the files that were there before: no layer above theirs can say that.
paths | comm -23 $lamina/lists/before - | sed 's/^. //' >$lamina/lists/gone
rm $lamina/lists/before
