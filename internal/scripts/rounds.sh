# Part of install.sh: unpacks and configures the packages in /.lamina/debs in Debian's
# order. The base set comes first, regardless of Pre-Depends between its packages. Then
# come rounds, few, since each dpkg reads its database again: dpkg unpacks what it can and
# reports which packages the Pre-Depends of the others wait for; these are configured,
# with their dependencies. At the end the rest is configured, in dpkg's own order, and
# triggers come last.
work=/tmp/lamina
mkdir $work

# check ends the installation with the packages that failed, and why, except for those
# that another round may fix: dpkg's errors about them have the given beginning.
check() { # beginning, exit status of dpkg
	sed -n -E -e '/^status: .* : error : /!d' -e "/ : error : $1/d" \
		-e 's/^.* : error : (new|old|installed) ([^ ]+) package (.* script) subprocess returned error /\2: its \3 ended with /' \
		-e 's/^.* : error : (new|old|installed) ([^ ]+) package (.* script) subprocess /\2: its \3 /' \
		-e 's/^status: (.*\/)?(.*) : error : /\2: /' -e p $work/status >$work/faults
	if [ "$2" -gt 1 ]; then echo "dpkg ended with exit status $2" >>$work/faults; fi
	if [ ! -s $work/faults ]; then return; fi
	# If a package asks debconf, the spec may lack an answer.
	while IFS=: read -r package _; do
		for questions in "/var/lib/dpkg/info/$package.templates" "/var/lib/dpkg/info/$package":*.templates; do
			if [ ! -f "$questions" ]; then continue; fi
			sed -n -E -e '/^Template: /h' \
				-e "/^Type: (boolean|string|(multi)?select|password)/{H;x;s/Template: (.*)\nType: /lamina: asks $package \1 /p}" "$questions"
		done
	done <$work/faults
	cat $work/faults >&2
	exit 1
}

# Hide dpkg's messages about packages that wait for another round.
hidden='^D000010: |^dpkg: regarding .*, pre-dependency problem:$|^dpkg: warning: ignoring pre-dependency problem!$|^ [^ ]+ pre-depends on |^  [^ ]+ (is|provides|latest configured) |^$'
hidden="$hidden|^ pre-dependency problem - |^dpkg: error processing archive |^Errors were encountered while processing:|^ /\.lamina/debs/"

# unpack unpacks archives. It sets $later to those whose Pre-Depends are not configured,
# and $needed to what to configure for them. It refuses entries that no sound package has
# before a script of their package configures anything. dpkg reports what it reads, since
# listing the packages would decompress them again.
unpack() { # options for dpkg, archives
	{
		rc=0
		dpkg --force-unsafe-io --no-triggers --abort-after=10000 --status-fd 4 -D10 --unpack "$@" 4>$work/status 2>&1 || rc=$?
		echo $rc >$work/rc
	} | tee $work/log | grep --line-buffered -Ev "$hidden" || true
	later=$(sed -n -E 's/^status: (.*) : error : pre-dependency problem.*/\1/p' $work/status)
	needed=$(sed -n -E 's/^  ([^ ]+) (is unpacked, but has never been configured|provides .* but is unpacked but not configured)\.$/\1/p' $work/log | sort -u)
	refused=$(
		if grep -q '^status: .*: unpacked$' $work/status && ! grep -q '^D000010: tarobject ' $work/log; then echo "dpkg doesn't report what it unpacks"; fi
		sed -n -E -e '/^D000010: tarobject /!d' \
			-e "s/^.* ti->name='(.*)' mode=.* type=..\((.)\) ti->linkname='(.*)' namenode=.*$/\2 \1 -> \3/" \
			-e "s/^. ((.*\/)?\.wh\..*) -> .*$/\1 is named like a file that removes others in an image/p" \
			-e "s/^. (\/.*) -> .*$/\1 is absolute/p" \
			-e "s/^. ((.*\/)?\.\.(\/.*)?) -> .*$/\1 leads out of it/p" \
			-e "s/^[bcps] (.*) -> .*$/\1 is a device or a pipe/p" \
			-e "s/^h (.*) -> ((\/|(.*\/)?\.\.\/).*)$/\1 leads out of it, to \2/p" $work/log
	)
	if [ -z "$refused" ]; then
		check 'pre-dependency problem' "$(cat $work/rc)"
		return
	fi
	echo "$refused" | while read -r entry rest; do
		path=${entry#.}
		owner=$(grep -lxF "/${path#/}" /var/lib/dpkg/info/*.list | sed 's/.*\///; s/\.list$/: /')
		echo "$owner$entry $rest" >&2
	done
	if [ "$1" != --force-depends ]; then absent; fi
	exit 1
}

# absent ends the installation if locked packages are neither installed nor waiting.
absent() {
	sed -n -E 's/^status: .* : error : pre-dependency problem - not installing ([^ :]+).*/^\1 /p' $work/status >$work/waiting
	dpkg-query -W -f '${Package} ${Version} ${Architecture} ${db:Status-Status}\n' |
		sed -n -E 's/ (unpacked|installed|triggers-.*)$//p' >$work/packages
	if missing=$(grep -vxF -f $work/packages $lamina/scripts/packages | grep -v -f $work/waiting); then
		echo "$missing" | sed 's/$/ is locked, but was not unpacked/' >&2
		exit 1
	fi
}

# configure configures packages, in dpkg's own order.
configure() { # beginning of the problems to ignore, options for dpkg, packages
	beginning=$1 rc=0
	shift
	dpkg --force-unsafe-io --status-fd 4 "$@" 4>$work/status 2>&1 || rc=$?
	check "$beginning" $rc
}

# unpacked lists the packages that are unpacked but not configured.
unpacked() { dpkg-query -W -f '${db:Status-Status} ${binary:Package}\n' | sed -n 's/^unpacked //p'; }

# refuse_cycle ends the installation if the Pre-Depends of packages form a cycle.
refuse_cycle() {
	{
		sed -n -E 's/^ ([^ ]+ pre-depends on .*)$/\1/p' $work/log
		if [ -n "$needed" ]; then dpkg-query -W -f '${Package} depends on ${Depends}\n' $needed; fi
	} | sed -e ':next' -e '$!N' -e 's/\n/, /' -e 'tnext' -e 's/^/none of these packages can be the first: /' >&2
	exit 1
}

if [ -d $lamina/debs/base ]; then
	unpack --force-depends $lamina/debs/base/*.deb
	configure - --no-triggers --abort-after=1 --configure $(unpacked)
fi
later=''
if [ -d $lamina/debs/more ]; then later=$(ls -d $lamina/debs/more/*); fi
before=-
while [ -n "$later" ]; do
	unpack $later
	if [ "$later $needed" = "$before" ]; then refuse_cycle; fi
	before="$later $needed"
	if [ -n "$needed" ]; then configure 'dependency problems' --no-triggers --abort-after=10000 --force-configure-any --configure $needed; fi
done

absent
rest=$(unpacked)
if [ -n "$rest" ]; then configure - --no-triggers --abort-after=1 --configure $rest; fi
configure - --abort-after=1 --configure --pending
