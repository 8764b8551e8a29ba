package solve_test

import (
	"strings"
	"testing"

	"lamina.build/internal/failure"
	"lamina.build/internal/solve"
)

func TestCompilationsThatFailGetAHint(t *testing.T) {
	for output, want := range map[string]string{
		"ModuleNotFoundError: No module named 'Cython'":                                  "[python.build-requires]",
		"<urlopen error [Errno -3] Temporary failure in name resolution>":                "no network",
		"core.c:1:10: fatal error: Python.h: No such file or directory":                  "python3-dev",
		"error: command 'x86_64-linux-gnu-gcc' failed: No such file or directory":        "g++ and python3-dev",
		"error: [Errno 2] No such file or directory: 'x86_64-linux-gnu-g++'":             "g++ and python3-dev",
		"FileNotFoundError: [Errno 2] No such file or directory: '/usr/local/cuda/nvcc'": "CUDA compiler",
		"OSError: CUDA_HOME environment variable is not set":                             "CUDA compiler",
		"FileNotFoundError: [Errno 2] No such file or directory: 'cmake'":                "cmake",
		"error: ‘nonsense’ was not declared in this scope":                               "",
	} {
		hints := strings.Join(failure.Hints(&solve.Error{Step: "x 1.0: compile", Output: output}), " ")
		if !strings.Contains(hints, want) || want == "" && hints != "" {
			t.Errorf("%s: hint %q, want one on %q", output, hints, want)
		}
	}
	if hints := failure.Hints(&solve.Error{Step: "smoke: import x", Output: "No module named 'x'"}); len(hints) > 0 {
		t.Errorf("a smoke test gets the hints %q", hints)
	}
	for output, want := range map[string]string{
		"OSError: libstdc++.so.6: cannot open shared object file: No such file or directory": `add ["libstdc++6"] to packages under [debian]`,
		"ImportError: libmpi.so.40: cannot open shared object file":                          "the packages that have the libraries",
	} {
		if hints := strings.Join(failure.Hints(&solve.Error{Step: "smoke: import x", Output: output}), " "); !strings.Contains(hints, want) {
			t.Errorf("%s: hint %q", output, hints)
		}
	}
	for output, want := range map[string]bool{"a 1.0 needs b>=2, but 1.0 is installed": true, "a 1.0 has no RECORD": false} {
		if hints := failure.Hints(&solve.Error{Step: "smoke: requirements of all Python packages", Output: output}); (len(hints) == 1) != want {
			t.Errorf("%s: hints %q", output, hints)
		}
	}
}

func TestKeysGetTheLineToWrite(t *testing.T) {
	output := "lamina: note /usr/share/a.pem holds a private key (PEM) that is public: its source lists its hash\nlamina: note /srv/b holds a private key (PEM), and is kept\n" +
		"/etc/c d holds a private key (JKS), made while x was installed\n/etc/e is a device node\n/f holds a private key (DER), of tree, which has published no hash of it\n" +
		"/etc/c d holds a private key (JKS), made while x was installed" // an engine repeats the end of an output that it clipped
	hints := strings.Join(failure.Hints(&solve.Error{Step: "check: runtime", Output: output}), " ")
	if !strings.Contains(hints, `keep = ["/etc/c d", "/f"] under [debian]`) {
		t.Errorf("hint %q", hints)
	}
	if hints := failure.Hints(&solve.Error{Step: "check: runtime", Output: "/etc/e is a device node"}); len(hints) > 0 {
		t.Errorf("what is no key gets the hint %q", hints)
	}
}

func TestLibrariesGetTheLinesToWrite(t *testing.T) {
	const site = "/usr/local/lib/python3.11/dist-packages/"
	for output, want := range map[string]string{
		"libtbb.so.12 is needed by " + site + "numba/x.so, but no file in the image has that name\n" +
			"libmpi.so.40 is needed by " + site + "y.so and 3 more, but no file in the image has that name": `elf-ignore = ["libtbb.so.12", "libmpi.so.40"] under [smoke]`,
		"libstdc++.so.6 is needed by " + site + "x.so, but no file in the image has that name\n" +
			"libmpi.so.40 is needed by " + site + "x.so, but no file in the image has that name": `add ["libstdc++6"] to packages under [debian], or, if nothing`,
		"libcupti.so.13 is there 3 times, and once is enough: prune all but one of " + site + "nvidia/cu13/lib/libcupti.so.13, " + site + "triton/cupti/libcupti.so, " +
			site + "triton/cupti/libcupti.so.13": `prune = ["triton/cupti/libcupti.so", "triton/cupti/libcupti.so.13"] under [python]`,
		"libcublas.so.12 is there 2 times, and once is enough: prune all but one of " + site + "a/libcublas.so.12, " + site + "b/libcublas.so.12": "",
		"libcudart.so.12 is there 2 times, and once is enough: prune all but one of /opt/libcudart.so.12, " + site + "nvidia/libcudart.so.12":     "",
		"lamina: note libatm.so.1 is needed by /usr/lib/tc/q_atm.so, and nothing that iproute2 depends on has it\n" +
			"libz.so.1 is needed by /usr/bin/a, but excluded: zlib1g has it as /usr/lib/libz.so.1": `: ["!/usr/lib/libz.so.1*"]`,
		"lamina: note libatm.so.1 is needed by /usr/lib/tc/q_atm.so, and nothing that iproute2 depends on has it": "",
		"libcuda.so.1 belongs to the driver, which the host provides: prune /usr/lib/libcuda.so.1":                "",
	} {
		hints := strings.Join(failure.Hints(&solve.Error{Step: "smoke: libraries of all ELF files", Output: output}), " ")
		if !strings.Contains(hints, want) || want == "" && hints != "" {
			t.Errorf("%s: hint %q, want one with %q", output, hints, want)
		}
	}
}
