# Lets apt read the indexes in /repository, which were verified before they came
# here. The cache that it makes of them serves all questions.
set -eu
busybox=/.lamina/busybox
$busybox cp /repository/apt.conf /etc/apt/apt.conf
$busybox rm -rf /etc/apt/sources.list.d /etc/apt/apt.conf.d /etc/apt/preferences.d
$busybox mkdir -p /etc/apt/sources.list.d /etc/apt/apt.conf.d /etc/apt/preferences.d
$busybox cp /repository/sources.list /etc/apt/sources.list
apt-get update
