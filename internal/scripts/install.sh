# Installs the packages in /.lamina/debs. $1: the app's user, as name or name:uid,
# or nothing.
set -eu
exec 2>&1 # through one pipe, so that the output stays in order
lamina=/.lamina
user=$1

# paths lists the types and paths of files, if packages are added to a root file system.
paths() { if [ ! -d $lamina/debs/base ]; then find / -xdev -printf '%y %p\n' | sort; fi; }
paths >$lamina/lists/before

# No registry accepts a layer of more than 10 GB: a file near that is growing without end.
ulimit -f $((9 << 21))

# No service starts in a build, and nothing needs to reach the disk before the
# engine commits the layer.
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
export LD_PRELOAD="$lamina/tools/libeatmydata.so"
. $lamina/scripts/kept.sh
. $lamina/scripts/prevent.sh
if [ -s $lamina/scripts/debconf ]; then debconf-set-selections $lamina/scripts/debconf; fi
. $lamina/scripts/rounds.sh
unset LD_PRELOAD

. $lamina/scripts/account.sh

# The layer's check reads these records of packages, even if the spec excludes them.
find /var/lib/dpkg -maxdepth 2 -type f \( -path '*/info/*' -o -name status -o -name diversions \) -exec cp -t $lamina/lists {} +

# Remove what differs between builds, and what only dpkg needed.
rm -f /usr/sbin/policy-rc.d /var/cache/ldconfig/aux-cache \
	/var/lib/dpkg/*-old /var/lib/dpkg/lock* /var/lib/dpkg/triggers/Lock /var/cache/debconf/*-old \
	/etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid-
rm -rf /var/lib/apt/lists/* /var/cache/apt/* /tmp/* /var/tmp/*
# Translations are most of what debconf and dpkg store about the questions of packages.
find /var/cache /var/lib/dpkg/info \( -name templates.dat -o -name '*.templates' \) \
	-exec perl -0pi -e 's/^[a-z_]+-[^:\n]*\.utf-8:.*\n([ \t].*\n)*//gmi' {} +
find /var/log /run -type f -delete
. $lamina/scripts/made.sh
. $lamina/scripts/exclude.sh

if [ -x /usr/bin/python3 ]; then /usr/bin/python3 -I -S $lamina/scripts/bytecode.py; fi

# List earlier files that are gone: no layer above theirs can record that.
paths | comm -23 $lamina/lists/before - | sed 's/^. //' >$lamina/lists/gone
rm $lamina/lists/before
