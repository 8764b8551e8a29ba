package solve

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// installation knows the steps that install Debian packages by their names.
var installation = regexp.MustCompile(`: install \d+ packages$`)

// What such a step says (internal/scripts/rounds.sh) of a script that failed and of what a
// package asks debconf; and what dpkg says of the packages that it works on.
var (
	failedScript = regexp.MustCompile(`^(\S+): its \S+ script `)
	asked        = regexp.MustCompile(`^lamina: asks (\S+ \S+ \S+)$`)
	working      = regexp.MustCompile(`^(?:Setting up|Unpacking|Processing triggers for) (\S+) \(|^Preparing to unpack (?:\S*/)?([^/_\s]+)_\S+ \.\.\.`)
)

// broken is how a step ends whose script could not go on.
var broken = regexp.MustCompile(`^dpkg ended with |^/\.lamina/scripts/`)

// scriptLines is how many lines of a script that failed an error shows.
const scriptLines = 20

// packages shortens the output of a step that installs packages to that of the one which
// failed, and finds its name and its questions.
func (e *Error) packages() {
	lines := strings.Split(e.Output, "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool {
		m := asked.FindStringSubmatch(strings.TrimSuffix(line, "\r"))
		if m != nil {
			e.asks = append(e.asks, m[1])
		}
		return m != nil
	})
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
		e.at = "" // our script has told
	}
	own := lines[max(from, end-scriptLines, 0):end]
	e.Output = strings.Join(append(slices.Clone(own), lines[last]), "\n")
}

// taken finds files of an image that are the engine's while a package is installed.
var taken = regexp.MustCompile(`/etc/(?:resolv\.conf|hosts|hostname)\b`)

// packagesHint says what can be done about a package whose script failed.
func (e *Error) packagesHint() string {
	switch file := taken.FindString(e.Output); {
	case offline.MatchString(e.Output):
		return "the network is off while packages are installed, which its script seems to want: bring what it downloads as part of the app"
	case file != "":
		return file + " is the engine's while packages are installed, and a container's when it runs: no package can make another file of it"
	case strings.Contains(e.Output, "ile size limit exceeded") || strings.Contains(e.Output, "File too large") || strings.HasSuffix(e.Output, " exit status 153"):
		return "no file of a layer may have more than 9 GiB, since no registry takes a layer of more than 10 GB"
	case strings.Contains(e.Output, "No space left on device"):
		return "the disk of the engine is full: `build engine prune` makes room, where no script fills it"
	case strings.Contains(e.Output, "Cannot fork") || strings.Contains(e.Output, "Resource temporarily unavailable"):
		return "all steps together may have a limited number of processes: its script starts too many, or what else builds on the engine"
	case strings.HasSuffix(e.Output, " exit status 137") || strings.HasSuffix(e.Output, "was killed by signal (Killed)") || strings.HasSuffix(e.Err.Error(), "exit code: 137"):
		return "all steps together may have 90 % of the machine's memory: its script may want more, or what else builds on the engine"
	case len(e.asks) > 0:
		return fmt.Sprintf(`it asks debconf, which debconf = ["%s VALUE"] under [debian] answers; what it asks: %s`, e.asks[0], strings.Join(e.asks, ", "))
	}
	return ""
}
