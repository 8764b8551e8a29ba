# Asks apt one question: $1 is its kind, $2 its file, KIND-NAME. The answer
# goes to NAME.uris, NAME.log and NAME.status.
set -u
busybox=/.lamina/busybox
kind=$1
file=$2
out=/answers/${file##*-}
case $kind in
download) command="download --print-uris" ;;
install | add) command="install --yes --print-uris" ;;
esac
{
	# The first line of an addition names the question that it adds to; request the
	# packages of that answer again, at the same versions.
	# If no package is nameless, NR == FNR always holds, and awk prints nothing.
	if [ "$kind" = add ]; then
		read -r base
		$busybox sed -n "s/^'[^']*' \([^_ ]*\)_\([^_ ]*\)_[^_ ]* .*/\1=\2/p" "/answers/$base.uris" | $busybox sed 's/%3a/:/'
		$busybox awk 'NR == FNR { name[$1] = $2; next } $1 in name { print name[$1] }' /repository/nameless "/answers/$base.uris"
	fi
	$busybox cat
} <"$file" >"$out.names"
# The output is compared by SHA256; which hashes an index has was checked before.
apt-get -q -o Acquire::ForceHash=SHA256 $command $($busybox cat "$out.names") >"$out.log" 2>&1
echo $? >"$out.status"
$busybox grep "^'" "$out.log" >"$out.uris"
exit 0
