# Has apt read the indexes in /repository, which have already been verified, and answer
# all questions in /questions, as many at a time as there are cores.
# A question is a file KIND-NAME that lists packages, one per line; answers go to /answers.
set -eu
busybox=/.lamina/busybox
$busybox cp /repository/apt.conf /etc/apt/apt.conf
$busybox rm -rf /etc/apt/sources.list.d /etc/apt/apt.conf.d /etc/apt/preferences.d
$busybox mkdir -p /etc/apt/sources.list.d /etc/apt/apt.conf.d /etc/apt/preferences.d
$busybox cp /repository/sources.list /etc/apt/sources.list
apt-get update
one="$busybox sh /.lamina/askone.sh"
# Additions to a set come last, since they start from its answer.
for kind in download install add; do
	$busybox find /questions -name "$kind-*" | $busybox sort |
		$busybox xargs -r -n 1 -P "$($busybox nproc)" $one $kind
done
