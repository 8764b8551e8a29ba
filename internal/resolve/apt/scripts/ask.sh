# Lets apt read the indexes in /repository, which were verified before they came here, and
# asks it all questions in /questions, as many at a time as there are cores.
# A question is a file KIND-NAME of packages, one a line; its answers go to /answers.
set -eu
busybox=/.lamina/busybox
$busybox cp /repository/apt.conf /etc/apt/apt.conf
$busybox rm -rf /etc/apt/sources.list.d /etc/apt/apt.conf.d /etc/apt/preferences.d
$busybox mkdir -p /etc/apt/sources.list.d /etc/apt/apt.conf.d /etc/apt/preferences.d
$busybox cp /repository/sources.list /etc/apt/sources.list
apt-get update
one="$busybox sh /.lamina/askone.sh"
# What is added to a set comes after it: it starts from that answer.
for kind in download install add; do
	$busybox find /questions -name "$kind-*" | $busybox sort |
		$busybox xargs -r -n 1 -P "$($busybox nproc)" $one $kind
done
