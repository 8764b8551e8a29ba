package solve

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// installation matches the names of steps that install Debian packages.
var installation = regexp.MustCompile(`: install \d+ packages$`)

// What such a step prints (internal/scripts/rounds.sh) about a failed script and a package's
// debconf questions, and what dpkg prints about the packages that it works on.
var (
	failedScript = regexp.MustCompile(`^(\S+): its \S+ script `)
	asked        = regexp.MustCompile(`^lamina: asks (\S+ \S+ \S+)$`)
	working      = regexp.MustCompile(`^(?:Setting up|Unpacking|Processing triggers for) (\S+) \(|^Preparing to unpack (?:\S*/)?([^/_\s]+)_\S+ \.\.\.`)
)

// broken matches the last line of a step whose own script failed.
var broken = regexp.MustCompile(`^dpkg ended with |^/\.lamina/scripts/`)

// scriptLines is how many lines of a failed script's output an error shows.
const scriptLines = 20

// packages shortens the output of a step that installs packages to that of the failed
// package, and finds its name and its questions.
func (e *Error) packages() {
	lines := strings.Split(e.Output, "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool {
		m := asked.FindStringSubmatch(strings.TrimSuffix(line, "\r"))
		if m != nil && !slices.Contains(e.asks, m[1]) { // an engine repeats the end of an output that it clipped
			e.asks = append(e.asks, m[1])
		}
		return m != nil
	})
	if len(lines) == 0 {
		lines = []string{""}
	}
	last := len(lines) - 1
	name, end := "", last
	if m := failedScript.FindStringSubmatch(lines[last]); m != nil {
		name = m[1]
		for i := last - 1; i >= 0; i-- { // others may have been configured after it
			if strings.HasPrefix(lines[i], "dpkg: error processing ") && strings.Contains(lines[i], name) {
				end = i
			}
		}
	}
	from := end
	for from--; from >= 0; from-- {
		if m := working.FindStringSubmatch(lines[from]); m != nil && (name == "" || strings.HasPrefix(name, m[1]+m[2])) {
			e.at = m[1] + m[2]
			break
		}
	}
	if e.Err.Error() == "exit code: 1" && !broken.MatchString(lines[last]) {
		e.at = "" // our script has named it
	}
	own := lines[max(from, end-scriptLines, 0):end]
	e.Output = strings.Join(append(slices.Clone(own), lines[last]), "\n")
}

// taken matches files of an image that the engine provides while a package is installed.
var taken = regexp.MustCompile(`/etc/(?:resolv\.conf|hosts|hostname)\b`)

// noDomain matches what programs print that need the machine's full name.
var noDomain = regexp.MustCompile(`(?i)hostname does not resolve|domain not set|fully[ -]qualified|\bFQDN\b`)

// packagesHint returns what to do about a package whose script failed.
func (e *Error) packagesHint() string {
	switch file := taken.FindString(e.Output); {
	case offline.MatchString(e.Output):
		return "the network is off while packages are installed, and its script seems to need it: add what it downloads to the app"
	case file != "":
		return file + " belongs to the engine while packages are installed, and to the container runtime later: no package can replace it"
	case noDomain.MatchString(e.Output):
		return "the machine is called lamina while packages are installed, without a domain, and its script seems to need one: set up what it does in the container"
	case strings.Contains(e.Output, "ile size limit exceeded") || strings.Contains(e.Output, "File too large") || strings.HasSuffix(e.Output, " exit status 153"):
		return "no file in a layer may exceed 9 GiB, since no registry accepts a layer of more than 10 GB"
	case strings.Contains(e.Output, "No space left on device"):
		return "the engine's disk is full: `build engine prune` frees space, unless a script fills it"
	case strings.Contains(e.Output, "Cannot fork") || strings.Contains(e.Output, "Resource temporarily unavailable"):
		return "all steps together may start a limited number of processes: its script starts too many, or another build on the engine does"
	case strings.HasSuffix(e.Output, " exit status 137") || strings.HasSuffix(e.Output, "was killed by signal (Killed)") || strings.HasSuffix(e.Err.Error(), "exit code: 137"):
		return "all steps together may use 90 % of the machine's memory: its script needs more, or another build on the engine does"
	case len(e.asks) > 0:
		return fmt.Sprintf(`it asks debconf; answer it with debconf = ["%s VALUE"] under [debian]; its questions: %s`, e.asks[0], strings.Join(e.asks, ", "))
	}
	return ""
}
