package solve

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	bkllb "github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/errdefs"
	"github.com/opencontainers/go-digest"

	"lamina.build/internal/failure"
)

// Of dpkg's output an error shows the end of the failed package's own.
func TestAPackageThatFails(t *testing.T) {
	numbers := func(from, to int) (s string) {
		for i := from; i <= to; i++ {
			s += fmt.Sprintf("line %d\n", i)
		}
		return s
	}
	before := "Setting up other (1) ...\nother says\n"
	for name, tt := range map[string]struct {
		said, cause  string
		output, text string
		hint         string
	}{
		"a script": {
			before + "Setting up libx:amd64 (2) ...\r\n" + numbers(1, 30) + "dpkg: error processing package libx:amd64 (--configure):\n installed libx:amd64 package …\n" +
				"Setting up later (1) ...\nErrors were encountered while processing:\n libx:amd64\nlamina: asks libx libx/who string\nlamina: asks libx libx/who string\nlibx:amd64: its post-installation script ended with exit status 7\n",
			"exit code: 1",
			numbers(11, 30) + "libx:amd64: its post-installation script ended with exit status 7",
			"exit code: 1: libx:amd64: its post-installation script ended with exit status 7", `debconf = ["libx libx/who string VALUE"]`,
		},
		"a short one": {
			before + "Preparing to unpack .../more/p_1_all.deb ...\nGet it\nwget: unable to resolve host address 'x'\nlong ago\np: its pre-installation script ended with exit status 1\n", "exit code: 1",
			"Preparing to unpack .../more/p_1_all.deb ...\nGet it\nwget: unable to resolve host address 'x'\nlong ago\np: its pre-installation script ended with exit status 1",
			"exit code: 1: p: its pre-installation script ended with exit status 1", "the network is off while packages are installed",
		},
		"a full name": {
			before + "Setting up inn2 (2) ...\ninnconfval: hostname does not resolve or domain not set in inn.conf\ninn2: its post-installation script ended with exit status 1\n", "exit code: 1",
			"Setting up inn2 (2) ...\ninnconfval: hostname does not resolve or domain not set in inn.conf\ninn2: its post-installation script ended with exit status 1",
			"exit code: 1: inn2: its post-installation script ended with exit status 1", "without a domain",
		},
		"another problem of ours": {
			before + "x is locked, but was not unpacked\n", "exit code: 1",
			"Setting up other (1) ...\nother says\nx is locked, but was not unpacked", "exit code: 1: x is locked, but was not unpacked", "",
		},
		"the end of all": {
			before + "Processing triggers for libc-bin (2) ...\nsed: not found\n", "exit code: 127",
			"Processing triggers for libc-bin (2) ...\nsed: not found", "exit code: 127: sed: not found, while libc-bin was installed", "",
		},
		"a full disk": {
			before + "dd: x: No space left on device\n/.lamina/scripts/install.sh: 17: echo: echo: I/O error\n", "exit code: 1",
			"Setting up other (1) ...\nother says\ndd: x: No space left on device\n/.lamina/scripts/install.sh: 17: echo: echo: I/O error",
			"exit code: 1: /.lamina/scripts/install.sh: 17: echo: echo: I/O error, while other was installed", "`build engine prune`",
		},
		"a dpkg that gives up": {before + "dpkg ended with exit status 2\n", "exit code: 1", before + "dpkg ended with exit status 2", "exit code: 1: dpkg ended with exit status 2, while other was installed", ""},
		"no more processes":    {before + "sh: 0: Cannot fork\n", "exit code: 2", before + "sh: 0: Cannot fork", "exit code: 2: sh: 0: Cannot fork, while other was installed", "number of processes"},
		"no more memory": {
			before + "Killed\nother: its post-installation script ended with exit status 137\n", "exit code: 1", before + "Killed\nother: its post-installation script ended with exit status 137",
			"exit code: 1: other: its post-installation script ended with exit status 137", "90 % of the machine's memory",
		},
		"an account": {
			before + "the account of the app: \"x\" is an account of a package\n", "exit code: 1", before + "the account of the app: \"x\" is an account of a package",
			"exit code: 1: the account of the app: \"x\" is an account of a package", "",
		},
		"only questions": {"lamina: asks libx libx/who string\n", "exit code: 1", "", "exit code: 1", `debconf = ["libx libx/who string VALUE"]`},
		"nothing":        {"", "exit code: 137", "", "exit code: 137", "memory"},
	} {
		id := digest.FromString("vertex")
		err := heard(id, "builder: install 3 packages", tt.said).explain(errdefs.WrapVertex(errors.New(tt.cause), id), &bkllb.Definition{})
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("%s: got %T", name, err)
		}
		if kind := failure.KindOf(err); (kind == failure.Usage) != (name == "an account") {
			t.Errorf("%s: it is of kind %d", name, kind)
		}
		if len(e.asks) > 1 {
			t.Errorf("%s: it asks %q", name, e.asks)
		}
		if e.Output != tt.output {
			t.Errorf("%s: output %q, want %q", name, e.Output, tt.output)
		}
		if got, want := e.Error(), "builder: install 3 packages: "+tt.text; got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
		if got := strings.Join(failure.Hints(err), ""); !strings.Contains(got, tt.hint) || (got == "") != (tt.hint == "") {
			t.Errorf("%s: hint %q, want %q", name, got, tt.hint)
		}
	}
}
