# A part of install.sh: unpacks the packages, with its options for dpkg, and refuses, before
# a script of theirs configures anything, those that are not the ones of the lock and
# entries that no package has. dpkg tells what it reads: to list the packages would be to
# decompress them once more.
entries=/tmp/entries
: >$entries
{
	dpkg -D10 --force-depends --force-unsafe-io "$@" --unpack $lamina/debs/*/*.deb 2>&1 >&3 |
		sed -n -e "/^D000010: tarobject /{" -e "w $entries" -e "d" -e "}" -e "/^D000010: /!p" >&2
} 3>&1
refused=$(
	[ -s $entries ] || echo "dpkg doesn't tell what it unpacks"
	sed -n -E \
		-e "s/^.*ti->name='(.*)' mode=.* type=..\((.)\) ti->linkname='(.*)' namenode=.*$/\2 \1 -> \3/" \
		-e "s/^. ((.*\/)?\.wh\..*) -> .*$/\1 is called like what removes files of an image/p" \
		-e "s/^. (\/.*) -> .*$/\1 is absolute/p" \
		-e "s/^. ((.*\/)?\.\.(\/.*)?) -> .*$/\1 leads out of it/p" \
		-e "s/^[bcps] (.*) -> .*$/\1 is a device or a pipe/p" \
		-e "s/^h (.*) -> ((\/|(.*\/)?\.\.\/).*)$/\1 leads out of it, to \2/p" \
		$entries
	dpkg-query -W -f '${Package} ${Version} ${Architecture} ${db:Status-Status}\n' |
		sed -n -E 's/ (unpacked|installed|triggers-.*)$//p' >/tmp/packages
	grep -vxF -f /tmp/packages $lamina/scripts/packages | sed 's/$/ is locked, and was not unpacked/'
)
if [ -n "$refused" ]; then
	echo "$refused" | while read -r entry rest; do
		path=${entry#.}
		owner=$(grep -lxF "/${path#/}" /var/lib/dpkg/info/*.list | sed 's/.*\///; s/\.list$/: /')
		echo "$owner$entry $rest" >&2
	done
	exit 1
fi
