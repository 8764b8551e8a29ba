# Removes the keys and ids that packages make for the one machine that they believe
# to be installed on: an image is many. What the spec keeps, kept.sh knows by kept().
forget() { # kind, paths
	kind=$1
	shift
	for path; do
		if [ -f "$path" ] && [ ! -L "$path" ] && ! kept "$path"; then
			rm -f "$path"
			echo "lamina: removed {\"kind\": \"$kind\", \"path\": \"$path\"}"
		fi
	done
}

forget "ssh host key" /etc/ssh/ssh_host_*_key
forget "snakeoil key" /etc/ssl/private/ssl-cert-snakeoil.key
forget "munge key" /etc/munge/munge.key
forget "machine-id" /var/lib/dbus/machine-id

# A public half alone says nothing.
for path in /etc/ssh/ssh_host_*_key.pub; do
	if [ ! -e "${path%.pub}" ]; then rm -f "$path"; fi
done
if [ -d /etc/ssl/certs ] && [ ! -e /etc/ssl/private/ssl-cert-snakeoil.key ]; then
	find /etc/ssl/certs \( -name ssl-cert-snakeoil.pem -o -lname '*ssl-cert-snakeoil.pem' \) -delete
fi

# An empty one is what a machine fills that starts for the first time.
if [ -s /etc/machine-id ] && ! kept /etc/machine-id; then
	: >/etc/machine-id
	echo 'lamina: removed {"kind": "machine-id", "path": "/etc/machine-id"}'
fi
