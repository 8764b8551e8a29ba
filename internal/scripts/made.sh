# Part of install.sh: treats the files that maintainer scripts made, as made.tsv says.
# first-start makes what is removed or emptied. kept(), in kept.sh, reports what the spec keeps.
rm -f $clusters/lamina.conf
rmdir -p --ignore-fail-on-non-empty $clusters 2>/dev/null || :

# start adds a line to first-start, the program that makes what an image lacks.
first=/usr/libexec/lamina/first-start
start() {
	if [ ! -e $first ]; then
		mkdir -p ${first%/*}
		cat >$first <<-'end'
			#!/bin/sh
			# Makes what this image lacks, since all that run it would share it, and becomes the
			# program that its arguments say, with --user NAME before it as that user. Each line of
			# what is made leaves what is there already.
			set -e
			if [ "${1-}" = --user ]; then
				user=$2 home=$(getent passwd "$2" | cut -d: -f6)
				shift 2
				set -- setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups env HOME="$home" "$@"
			fi
			reconfigure() { # no service starts or stops meanwhile
				printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
				chmod 755 /usr/sbin/policy-rc.d
				dpkg-reconfigure -f noninteractive "$1"
				rm /usr/sbin/policy-rc.d
			}
			exec "$@"
		end
		chmod 755 $first
	fi
	if [ "$1" != - ] && ! grep -qxF -e "$1" $first; then
		sed -i '$d' $first
		printf '%s\n' "$1" 'exec "$@"' >>$first
	fi
}
if [ -e $lamina/scripts/first-start ]; then start -; fi

removed() { # path
	if grep -qsF "  $1" /var/lib/ucf/hashfile; then ucf --purge "$1" </dev/null; fi # it has a copy
	echo "lamina: removed {\"kind\": \"$kind\", \"path\": \"$1\"}"
	start "$command"
}

while IFS='	' read -r action kind packages paths holds command; do
	case $action in
	remove)
		for path in $paths; do
			if [ -e "$path" ] && [ ! -L "$path" ] && ! kept "$path"; then
				rm -rf "$path"
				removed "$path"
			fi
		done
		;;
	empty)
		for path in $paths; do
			if [ -s "$path" ] && [ ! -L "$path" ] && ! kept "$path"; then
				: >"$path"
				removed "$path"
			fi
		done
		;;
	steady)
		for path in $paths; do
			if [ -f "$path" ] && [ ! -L "$path" ]; then perl $lamina/scripts/steady.pl "$path"; fi
		done
		;;
	replace)
		for path in $paths; do
			name=${path##*/} name=${name%.conf}
			password=$(sed -n "s/^dbc_dbpass='\([[:alnum:]]\{12\}\)'$/\1/p" "$path" 2>/dev/null) || :
			if [ -n "$password" ] && ! kept "$path" && ! grep -qs "^$name $name/[a-z0-9]*/app-pass" $lamina/scripts/debconf; then
				for file in $(grep -rlF -e "$password" /etc | sort); do
					sed -i "s/$password/@$name@/" "$file"
					removed "$file"
				done
			fi
		done
		;;
	drop) rm -rf $paths ;; # patterns, each of which may match nothing
	prevent)
		for path in $paths; do # a pattern without a match stays as it is
			if [ ! -e "$path" ] && ls /var/lib/dpkg/info/$packages.list >/dev/null 2>&1; then removed "$path"; fi
		done
		;;
	esac
done <$lamina/scripts/made.tsv
rm -f /var/lib/ucf/*.[0-9] # earlier versions of its lists

# fmtutil adds to TeX's list of files in the order of Perl's hashes, and some files are gone.
if [ -f /var/lib/texmf/ls-R ] && command -v mktexlsr >/dev/null; then mktexlsr /var/lib/texmf; fi

# fontconfig's cache of a directory is valid if the directory's time is the epoch, and ignored if not.
fonts() { find /usr/share /usr/local/share -xdev -type d -path '*font*' -newermt "@$SOURCE_DATE_EPOCH" "$@"; }
if command -v fc-cache >/dev/null && [ -n "$(fonts -print -quit)" ]; then
	fonts -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
	fc-cache -s -f
fi

# A public key is useless without its private key.
for path in /etc/ssh/ssh_host_*_key.pub; do
	if [ ! -e "${path%.pub}" ]; then rm -f "$path"; fi
done
if [ -d /etc/ssl/certs ] && [ ! -e /etc/ssl/private/ssl-cert-snakeoil.key ]; then
	find /etc/ssl/certs \( -name ssl-cert-snakeoil.pem -o -lname '*ssl-cert-snakeoil.pem' \) -delete
fi
