# Asks apt all questions in /questions, as many at a time as there are cores.
# A question is a file KIND-NAME of packages, one a line; its answers go to /answers.
set -eu
busybox=/.lamina/busybox
one="$busybox sh /.lamina/askone.sh"
# What is added to a set comes after it: it starts from that answer.
for kind in download install add; do
	$busybox find /questions -name "$kind-*" | $busybox sort |
		$busybox xargs -r -n 1 -P "$($busybox nproc)" $one $kind
done
