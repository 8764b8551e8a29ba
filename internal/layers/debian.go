package layers

import "io/fs"

// debianFacts describes the base that Lamina assembles from Debian 12 or
// newer.
func debianFacts() baseFacts {
	return baseFacts{
		links: map[string]string{
			"/bin": "/usr/bin", "/sbin": "/usr/sbin", "/lib": "/usr/lib", "/lib32": "/usr/lib32",
			"/lib64": "/usr/lib64", "/libx32": "/usr/libx32", "/libo32": "/usr/libo32",
			"/var/run": "/run", "/var/lock": "/run/lock",
		},
		special: map[string]fs.FileMode{
			"/tmp": fs.ModeSticky | 0o777, "/var/tmp": fs.ModeSticky | 0o777, "/run/lock": fs.ModeSticky | 0o777,
			"/root": 0o700, "/lost+found": 0o700,
			"/var/mail": fs.ModeSetgid | 0o775, "/var/local": fs.ModeSetgid | 0o775,
			"/var/cache/ldconfig": 0o700, "/var/cache/apt/archives/partial": 0o700,
			"/var/lib/apt/lists/partial": 0o700, "/var/lib/private": 0o700,
			"/var/log/private": 0o700, "/var/cache/private": 0o700,
			"/var/log/apt": 0o750, "/var/spool/cron/crontabs": fs.ModeSticky | 0o730,
			"/etc/ssl/private": 0o710, "/etc/sudoers.d": 0o750, "/etc/polkit-1/rules.d": 0o700,
		},
		system: []string{"/proc", "/sys", "/dev"},
		files: []string{
			"/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow", "/etc/subuid", "/etc/subgid",
			"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab", "/etc/machine-id",
			"/etc/ld.so.cache", "/etc/nsswitch.conf", "/etc/os-release", "/usr/lib/os-release",
			"/etc/debian_version",
			"/var/lib/dpkg/status", "/var/lib/dpkg/lock", "/var/lib/dpkg/diversions", "/var/lib/dpkg/statoverride",
			"/.dockerenv",
		},
	}
}
