# Part of install.sh: creates the account that the app runs as, $user ("name" or
# "name:number"), unless a package has. Names and numbers stay unique.
refuse() { # why, what to write
	echo "the account of the app: $1; write user = \"$2\" under [app]" >&2
	exit 1
}

numbered() { sed -n "s/^\([^:]*\):[^:]*:$2:.*/\1/p" "/etc/$1"; }
named() { sed -n "s/^$2:[^:]*:\([0-9]*\):.*/\1/p" "/etc/$1"; }

account() {
	name=${user%:*} id=${user#"${user%:*}"}
	id=${id#:}
	uid=$(named passwd "$name") gid=$(named group "$name")
	if [ -n "$uid" ]; then
		if [ -n "$id" ] && [ "$id $id" != "$uid $gid" ]; then
			refuse "\"$name\" is an account of a package, with the numbers $uid:$gid" "$name"
		fi
		return
	fi
	if [ -n "$id" ] && [ -n "$gid" ] && [ "$gid" != "$id" ]; then
		refuse "\"$name\" is a group of a package, with the number $gid" "$name"
	fi
	id=${id:-10001}
	for file in passwd group; do
		owner=$(numbered $file "$id")
		if [ -n "$owner" ] && [ "$owner" != "$name" ]; then
			refuse "the number $id belongs to \"$owner\"" "$name:another number"
		fi
	done
	if [ -z "$gid" ]; then
		gid=$id
		echo "$name:x:$gid:" >>/etc/group
		echo "$name:!::" >>/etc/gshadow
	fi
	echo "$name:x:$id:$gid::/home/$name:/usr/sbin/nologin" >>/etc/passwd
	echo "$name:!:$((SOURCE_DATE_EPOCH / 86400))::::::" >>/etc/shadow
	mkdir -p "/home/$name"
	chown "$id:$gid" "/home/$name"
}

if [ -n "$user" ]; then account; fi
