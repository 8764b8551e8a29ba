package progress

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/client"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// event is an event of an engine with its time.
type event struct {
	at     time.Time
	status *client.SolveStatus
}

// recorded returns a build of examples/faceblend on an empty engine: the output of
// "--progress rawjson", with the first input of each step only, after the locked sizes.
func recorded(t testing.TB) (events []event, sizes map[string]int64) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "faceblend.json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(z)
	lines.Buffer(nil, 1<<20)
	var at time.Time
	for lines.Scan() {
		if sizes == nil {
			err = json.Unmarshal(lines.Bytes(), &sizes)
		} else {
			s := &client.SolveStatus{}
			err = json.Unmarshal(lines.Bytes(), s)
			at = latest(at, s)
			events = append(events, event{at, s})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil || len(events) == 0 {
		t.Fatalf("%d events, %v", len(events), err)
	}
	for i := range events { // those before anything began
		if events[i].at.IsZero() {
			events[i].at = *begun(events)
		}
	}
	return events, sizes
}

func begun(events []event) *time.Time {
	for _, e := range events {
		if !e.at.IsZero() {
			return &e.at
		}
	}
	return nil
}

// latest returns the latest time in a status.
func latest(at time.Time, s *client.SolveStatus) time.Time {
	see := func(other *time.Time) {
		if other != nil && other.After(at) {
			at = *other
		}
	}
	for _, v := range s.Vertexes {
		see(v.Started)
		see(v.Completed)
	}
	for _, l := range s.Logs {
		see(&l.Timestamp)
	}
	for _, p := range s.Statuses {
		see(&p.Timestamp)
	}
	return at
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; write it with -update", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}
