package spec

import "slices"

// The defaults of a spec. They are functions, so that no caller can change the lists for
// the next one.

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
	defaultUID        = 10001 // above the ranges that Debian uses for system and user accounts
	defaultStopSignal = "SIGTERM"
)

// defaultDebugging is what the debug variant adds by default.
func defaultDebugging() []string {
	return []string{"gdb", "strace", "procps", "less", "vim-tiny"}
}

// defaultExclude lists files of Debian packages that no running program reads. The
// patterns are applied in order, as in a .dockerignore: the last one that matches a path
// decides, and a ! takes back.
//
// These must stay: the copyright files, which the licences require; the C.UTF-8 locale,
// which is in /usr/lib/locale (only the translations of /usr/share/locale are left out);
// and locale.alias, which setlocale reads.
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
		// Completions of shells.
		"/usr/share/bash-completion/completions/**",
		"/usr/share/fish/vendor_completions.d/**",
		"/usr/share/zsh/vendor-completions/**",
		// Read only by Debian's own tools for checking and reporting.
		"/usr/share/apport/**",
		"/usr/share/bug/**",
		"/usr/share/linda/**",
		"/usr/share/lintian/**",
		"/var/lib/dpkg/info/*.shlibs",
		"/var/lib/dpkg/info/*.symbols",
		// Read only by compilers and linkers.
		"/usr/include/**",
		"/usr/lib/**/*.a",
		"/usr/lib/**/*.la",
		"/usr/lib/**/pkgconfig/**",
		"/usr/lib/*/perl/*/CORE/*.h",
		"/usr/share/aclocal/**",
		"/usr/share/pkgconfig/**",
		// Read only by Unicode::UCD, which comes in perl-modules with its own tables; perl itself
		// has them compiled in. And a library that only ICU's tests are linked with.
		"/usr/lib/*/perl-base/unicore/**",
		"/usr/lib/*/libicutest.so*",
		// The charsets of iconv that glibc itself lists as extra (gconv-modules-extra.conf);
		// UTF-8 works without any.
		"/usr/lib/*/gconv/*.so",
		"!/usr/lib/*/gconv/ANSI_X3.110.so",
		"!/usr/lib/*/gconv/CP1252.so",
		"!/usr/lib/*/gconv/ISO8859-1.so",
		"!/usr/lib/*/gconv/ISO8859-15.so",
		"!/usr/lib/*/gconv/UNICODE.so",
		"!/usr/lib/*/gconv/UTF-*.so",
	}
	tests := unreadTests() // nor are they read in bookworm's packages
	for i, test := range tests {
		tests[i] = "/usr/lib/python3/dist-packages/" + test
	}
	return slices.Concat(list, tests)
}

// defaultPrune lists files of locked wheels that nothing reads at run time, below
// site-packages or /usr/local, in the form of [defaultExclude]. A spec that compiles at
// run time (torch.compile, C++ extensions) keeps what compilers read.
//
// No list has a kind of file that some package reads, whatever its size: stubs
// (lazy_loader makes a package of its .pyi: librosa, scikit-image), tests in general
// (numba.cuda.testing imports numba.tests), sources (triton compiles its driver.c,
// numba.cuda its cpp_function_wrappers.cu), headers (CuPy and numba.cuda hand those of
// nvidia/cuda_runtime to NVRTC; torch._inductor has its cpp_prefix.h).
func defaultPrune(compile bool) []string {
	unread := slices.Concat(
		[]string{"share/man/**", "share/doc/**", "share/info/**"},
		unreadTests(),
		// Already compiled by Cython. No module of the two imports pyximport, and a cimport
		// reads only the .pxd.
		[]string{"scipy/**/*.pyx", "sklearn/**/*.pyx"},
	)
	if compile {
		return unread
	}
	return slices.Concat(unread, unreadByPrograms())
}

// unreadTests lists test directories that no module outside such directories imports or
// reads files from, in numpy 1.26.4, scipy 1.15.2, pandas 2.2.3, scikit-learn 1.6.1,
// scikit-image 0.25.2 and matplotlib 3.10.1. Only examples in docstrings, functions that
// run the tests, and developers' scripts in scipy/special/_precompute name them.
func unreadTests() []string {
	return []string{
		"numpy/**/tests/**", "scipy/**/tests/**", "pandas/tests/**", "sklearn/**/tests/**", "skimage/**/tests/**",
		"matplotlib/tests/**", "mpl_toolkits/**/tests/**",
	}
}

// unreadByPrograms lists what only compilers and linkers read.
func unreadByPrograms() []string {
	return slices.Concat(
		// Static libraries, except the one that numba.cuda links kernels with at run time
		// (numba/cuda/cudadrv/libs.py).
		[]string{"**/*.a", "**/*.la", "!**/libcudadevrt.a"},
		// The "headers" of a wheel, which setup.py installs for other extensions.
		[]string{"include/**"},
		// Read by torch.utils.cpp_extension and torch._inductor, which run a compiler, and by CMake.
		[]string{"torch/include/**", "torch/share/cmake/**"},
		// onnx.gen_proto writes such files when onnx is built; nothing opens these.
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
