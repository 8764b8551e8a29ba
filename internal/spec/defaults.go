package spec

import "slices"

// What a spec has that says nothing else. These are functions, so that
// nobody can change the lists for the next reader.

func defaultSuites() []string {
	return []string{"bookworm", "bookworm-updates", "bookworm-security"}
}

func defaultComponents() []string { return []string{"main"} }

func defaultUser() User { return User{Name: "app", UID: defaultUID} }

const (
	defaultPlatform   = "linux/amd64"
	defaultPath       = "/app"
	defaultUID        = 10001 // above what Debian gives to accounts of its own and of people
	defaultStopSignal = "SIGTERM"
)

// defaultDebugging is what the debug variant adds where the file does not say.
func defaultDebugging() []string {
	return []string{"gdb", "strace", "procps", "less", "vim-tiny"}
}

// defaultExclude lists what Debian packages bring that no running program
// reads. The patterns are applied in order, as in a .dockerignore: the last
// one that fits a path decides, and a ! takes back.
//
// What has to stay: the copyright files, which the licences ask for; the
// C.UTF-8 locale, which lies in /usr/lib/locale and is not touched here (only
// the translations of /usr/share/locale go); and locale.alias, which setlocale
// reads.
func defaultExclude() []string {
	return []string{
		// Documentation.
		"/usr/share/doc/**",
		"!/usr/share/doc/*/copyright",
		"/usr/share/doc-base/**",
		"/usr/share/gtk-doc/**",
		"/usr/share/help/**",
		"/usr/share/info/**",
		"/usr/share/man/**",
		// Translations.
		"/usr/share/locale/**",
		"!/usr/share/locale/locale.alias",
		// What only Debian's own tools for checking and reporting read.
		"/usr/share/bug/**",
		"/usr/share/linda/**",
		"/usr/share/lintian/**",
		// What only compilers and linkers read.
		"/usr/include/**",
		"/usr/lib/**/*.a",
		"/usr/lib/**/*.la",
		"/usr/lib/**/pkgconfig/**",
		"/usr/share/aclocal/**",
		"/usr/share/pkgconfig/**",
	}
}

// defaultPrune lists what locked wheels bring that no running program reads, below
// site-packages or /usr/local, in the form of [defaultExclude]. A spec that compiles at run
// time (torch.compile, C++ extensions) keeps what compilers read. Folders
// called "testing" stay: torch, NumPy and others import theirs; so do the
// headers of CuPy, which NVRTC reads at run time without any other compiler.
func defaultPrune(compile bool) []string {
	unread := []string{"**/tests/**", "**/*.pyi", "share/man/**", "share/doc/**", "share/info/**"}
	if compile {
		return unread
	}
	return slices.Concat(
		unread,
		[]string{"**/*.a", "**/*.lib"}, // static libraries
		[]string{"**/*.h", "**/*.hh", "**/*.hpp", "**/*.hxx", "**/*.cuh"}, // headers
		[]string{"include/**", "nvidia/*/include/**", "torch/include/**", "torch/share/cmake/**"},
		[]string{"!cupy/**", "!cupyx/**"},
	)
}
