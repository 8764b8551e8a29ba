# A part of install.sh: unpacks and configures the packages in /.lamina/debs as Debian
# means it. The base set comes first, whatever its packages want of each other before they
# are unpacked. Then come rounds, few, since each dpkg reads its database anew: dpkg unpacks
# what it can and tells which packages the Pre-Depends of the others wait for, and these
# are configured, with what they depend on. In the end all the rest is, in dpkg's own
# order, and triggers come last.
work=/tmp/lamina
mkdir $work

# check ends the installation with the packages that failed, and why, but for those of
# which another round may think better: so begins what dpkg says of them.
check() { # beginning, exit status of dpkg
	sed -n -E -e '/^status: .* : error : /!d' -e "/ : error : $1/d" \
		-e 's/^.* : error : (new|old|installed) ([^ ]+) package (.* script) subprocess returned error /\2: its \3 ended with /' \
		-e 's/^.* : error : (new|old|installed) ([^ ]+) package (.* script) subprocess /\2: its \3 /' \
		-e 's/^status: (.*\/)?(.*) : error : /\2: /' -e p $work/status >$work/faults
	if [ "$2" -gt 1 ]; then echo "dpkg ended with exit status $2" >>$work/faults; fi
	if [ ! -s $work/faults ]; then return; fi
	# Where a package asks debconf, an answer of the spec may be missing.
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

# What dpkg says of packages that wait for another round is no news.
hidden='^D000010: |^dpkg: regarding .*, pre-dependency problem:$|^dpkg: warning: ignoring pre-dependency problem!$|^ [^ ]+ pre-depends on |^  [^ ]+ (is|provides|latest configured) |^$'
hidden="$hidden|^ pre-dependency problem - |^dpkg: error processing archive |^Errors were encountered while processing:|^ /\.lamina/debs/"

# unpack unpacks archives. It leaves in $later those whose Pre-Depends are not configured,
# and in $needed what to configure for them. Entries that no package has are refused before
# a script of their package configures anything. dpkg tells what it reads: to list the
# packages would be to decompress them once more.
unpack() { # options for dpkg, archives
	{
		rc=0
		dpkg --force-unsafe-io --no-triggers --abort-after=10000 --status-fd 4 -D10 --unpack "$@" 4>$work/status 2>&1 || rc=$?
		echo $rc >$work/rc
	} | tee $work/log | grep --line-buffered -Ev "$hidden" || true
	later=$(sed -n -E 's/^status: (.*) : error : pre-dependency problem.*/\1/p' $work/status)
	needed=$(sed -n -E 's/^  ([^ ]+) (is unpacked, but has never been configured|provides .* but is unpacked but not configured)\.$/\1/p' $work/log | sort -u)
	refused=$(
		if grep -q '^status: .*: unpacked$' $work/status && ! grep -q '^D000010: tarobject ' $work/log; then echo "dpkg doesn't tell what it unpacks"; fi
		sed -n -E -e '/^D000010: tarobject /!d' \
			-e "s/^.* ti->name='(.*)' mode=.* type=..\((.)\) ti->linkname='(.*)' namenode=.*$/\2 \1 -> \3/" \
			-e "s/^. ((.*\/)?\.wh\..*) -> .*$/\1 is called like what removes files of an image/p" \
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

# absent ends the installation where packages of the lock are neither there nor to come.
absent() {
	sed -n -E 's/^status: .* : error : pre-dependency problem - not installing ([^ :]+).*/^\1 /p' $work/status >$work/waiting
	dpkg-query -W -f '${Package} ${Version} ${Architecture} ${db:Status-Status}\n' |
		sed -n -E 's/ (unpacked|installed|triggers-.*)$//p' >$work/packages
	if missing=$(grep -vxF -f $work/packages $lamina/scripts/packages | grep -v -f $work/waiting); then
		echo "$missing" | sed 's/$/ is locked, and was not unpacked/' >&2
		exit 1
	fi
}

# configure configures packages, in dpkg's own order.
configure() { # beginning of the problems to pass over, options for dpkg, packages
	beginning=$1 rc=0
	shift
	dpkg --force-unsafe-io --status-fd 4 "$@" 4>$work/status 2>&1 || rc=$?
	check "$beginning" $rc
}

# unpacked lists the packages that are unpacked and no more.
unpacked() { dpkg-query -W -f '${db:Status-Status} ${binary:Package}\n' | sed -n 's/^unpacked //p'; }

# refuse_cycle ends the installation where the Pre-Depends of packages lead to themselves.
refuse_cycle() {
	{
		sed -n -E 's/^ ([^ ]+ pre-depends on .*)$/\1/p' $work/log
		if [ -n "$needed" ]; then dpkg-query -W -f '${Package} depends on ${Depends}\n' $needed; fi
	} | sed -e ':next' -e '$!N' -e 's/\n/, /' -e 'tnext' -e 's/^/no package of these can be the first: /' >&2
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
