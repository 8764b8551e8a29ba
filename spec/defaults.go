package spec

import "slices"

// What a spec has that says nothing else. These are functions, so that
// nobody can change the lists for the next reader.

func defaultSuites() []string {
	return []string{"bookworm", "bookworm-updates", "bookworm-security"}
}

func defaultComponents() []string { return []string{"main"} }

func defaultUser() User { return User{Name: "app", UID: defaultUID} }

func defaultApp() App {
	return App{Path: defaultPath, User: defaultUser(), Workdir: "/", StopSignal: defaultStopSignal}
}

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
	list := []string{
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
		// What shells suggest to whoever types.
		"/usr/share/bash-completion/completions/**",
		"/usr/share/fish/vendor_completions.d/**",
		"/usr/share/zsh/vendor-completions/**",
		// What only Debian's own tools for checking and reporting read.
		"/usr/share/apport/**",
		"/usr/share/bug/**",
		"/usr/share/linda/**",
		"/usr/share/lintian/**",
		"/var/lib/dpkg/info/*.shlibs",
		"/var/lib/dpkg/info/*.symbols",
		// What only compilers and linkers read.
		"/usr/include/**",
		"/usr/lib/**/*.a",
		"/usr/lib/**/*.la",
		"/usr/lib/**/pkgconfig/**",
		"/usr/lib/*/perl/*/CORE/*.h",
		"/usr/share/aclocal/**",
		"/usr/share/pkgconfig/**",
		// What Unicode::UCD alone reads, which the package perl-modules brings with tables of its
		// own: perl itself has them compiled in. And what only the tests of ICU are linked with.
		"/usr/lib/*/perl-base/unicore/**",
		"/usr/lib/*/libicutest.so*",
		// Charsets of iconv that glibc itself lists apart as extra (gconv-modules-extra.conf),
		// but for those that it doesn't: every program knows UTF-8 without any.
		"/usr/lib/*/gconv/*.so",
		"!/usr/lib/*/gconv/ANSI_X3.110.so",
		"!/usr/lib/*/gconv/CP1252.so",
		"!/usr/lib/*/gconv/ISO8859-1.so",
		"!/usr/lib/*/gconv/ISO8859-15.so",
		"!/usr/lib/*/gconv/UNICODE.so",
		"!/usr/lib/*/gconv/UTF-*.so",
	}
	tests := unreadTests() // in bookworm's packages they are read as little
	for i, test := range tests {
		tests[i] = "/usr/lib/python3/dist-packages/" + test
	}
	return slices.Concat(list, tests)
}

// defaultPrune lists what locked wheels bring that nothing reads at run time, below
// site-packages or /usr/local, in the form of [defaultExclude]. A spec that compiles at
// run time (torch.compile, C++ extensions) keeps what compilers read.
//
// A kind of file that some package reads is in no list, whatever it costs: stubs
// (lazy_loader makes a package of its .pyi: librosa, scikit-image), tests as such
// (numba.cuda.testing imports numba.tests), sources (triton compiles its driver.c,
// numba.cuda its cpp_function_wrappers.cu), headers (CuPy and numba.cuda hand those of
// nvidia/cuda_runtime to NVRTC; torch._inductor has its cpp_prefix.h).
func defaultPrune(compile bool) []string {
	unread := slices.Concat(
		[]string{"share/man/**", "share/doc/**", "share/info/**"},
		unreadTests(),
		// What Cython has compiled already. No module of the two imports pyximport,
		// and a cimport reads the .pxd alone.
		[]string{"scipy/**/*.pyx", "sklearn/**/*.pyx"},
	)
	if compile {
		return unread
	}
	return slices.Concat(unread, unreadByPrograms())
}

// unreadTests are directories of tests which no module outside of such directories imports, or
// reads files of, in numpy 1.26.4, scipy 1.15.2, pandas 2.2.3, scikit-learn 1.6.1,
// scikit-image 0.25.2 and matplotlib 3.10.1: what names them are examples in
// docstrings, functions that run the tests, and scripts of scipy/special/_precompute
// for those who develop it.
func unreadTests() []string {
	return []string{
		"numpy/**/tests/**", "scipy/**/tests/**", "pandas/tests/**", "sklearn/**/tests/**", "skimage/**/tests/**",
		"matplotlib/tests/**", "mpl_toolkits/**/tests/**",
	}
}

// unreadByPrograms is what compilers and linkers read, and nothing else.
func unreadByPrograms() []string {
	return slices.Concat(
		// Static libraries, but for the one that numba.cuda links kernels with at run time
		// (numba/cuda/cudadrv/libs.py).
		[]string{"**/*.a", "**/*.la", "!**/libcudadevrt.a"},
		// What setup.py installs for other extensions: the "headers" of a wheel.
		[]string{"include/**"},
		// Read by torch.utils.cpp_extension and torch._inductor, which run a compiler, and by CMake.
		[]string{"torch/include/**", "torch/share/cmake/**"},
		// onnx.gen_proto writes such files, at onnx's own build; nothing opens these.
		[]string{"onnx/**/*.cc", "onnx/**/*.h"},
		// LIBLINEAR and LIBSVM, compiled into the modules next to them.
		[]string{"sklearn/svm/src/**"},
		// For programs that call these libraries, not for kernels: NVRTC never sees them.
		hostHeaders(),
	)
}

func hostHeaders() []string {
	libraries := []string{"cublas", "cuda_cupti", "cuda_nvrtc", "cudnn", "cufft", "cufile", "cusolver", "cusparse", "cusparselt", "nccl", "nvjitlink"}
	globs := make([]string, len(libraries))
	for i, name := range libraries {
		globs[i] = "nvidia/" + name + "/include/**"
	}
	return globs
}
