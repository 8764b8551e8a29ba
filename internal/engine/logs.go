package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"lamina.build/internal/failure"
)

// LogOptions select a part of the log.
type LogOptions struct {
	// Tail is the number of last lines; 0 means all.
	Tail int
	// Follow keeps copying what the engine writes until ctx ends.
	Follow bool
}

const followEvery = 200 * time.Millisecond

// LogPath returns the path of the private engine's log.
func LogPath(o Options) string {
	return state{dir: o.withDefaults().StateDir}.path(logFile)
}

// Logs copies the private engine's log to w. The end of ctx ends a follow
// without an error.
func Logs(ctx context.Context, o Options, w io.Writer, lo LogOptions) error {
	path := LogPath(o)
	file, err := os.Open(path) //nolint:gosec // a directory of our own
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("no private engine has run yet: %w", err)
	}
	if err != nil {
		return fmt.Errorf("reading the engine's log: %w", err)
	}
	defer func() { _ = file.Close() }()
	data, err := io.ReadAll(file)
	if err != nil {
		return fmt.Errorf("reading the engine's log: %w", err)
	}
	if _, err = w.Write(tail(data, lo.Tail)); err != nil {
		return fmt.Errorf("writing the engine's log: %w", err)
	}
	for lo.Follow && failure.Pause(ctx, followEvery) == nil {
		next, err := reopened(file, path)
		if err == nil {
			_, err = io.Copy(w, file) // the rest of it, if it was rotated
		}
		if next != file {
			err = errors.Join(err, file.Close())
			file = next
		}
		if err != nil {
			return fmt.Errorf("following the engine's log: %w", err)
		}
	}
	return nil
}

// reopened returns the file that the path names now: a start rotates a long log.
func reopened(file *os.File, path string) (*os.File, error) {
	now, err := os.Stat(path)
	if err != nil {
		return file, nil // rotated, and the next one is not there yet
	}
	was, err := file.Stat()
	if err != nil || os.SameFile(now, was) {
		return file, err
	}
	fresh, err := os.Open(path) //nolint:gosec // a directory of our own
	if err != nil {
		return file, err
	}
	return fresh, nil
}

// tail returns the last n lines, all of them for n == 0.
func tail(data []byte, n int) []byte {
	if n <= 0 {
		return data
	}
	end := len(bytes.TrimRight(data, "\n"))
	for at := end; at > 0; at-- {
		if data[at-1] != '\n' {
			continue
		}
		if n--; n == 0 {
			return data[at:]
		}
	}
	return data
}

// openLog opens the log for appending and returns where it ends now.
func openLog(path string) (file *os.File, end int64, err error) {
	if info, statErr := os.Stat(path); statErr == nil && info.Size() > logLimit {
		if err = os.Rename(path, path+".old"); err != nil {
			return nil, 0, unwritable(err)
		}
	}
	file, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600) //nolint:gosec // a directory of our own
	if err != nil {
		return nil, 0, unwritable(err)
	}
	end, err = file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, 0, errors.Join(unwritable(err), file.Close())
	}
	return file, end, nil
}

const reasonLines = 10

// logFrom returns the last lines of the log after an offset, without the stack traces
// under which buildkitd buries its reasons.
func logFrom(path string, offset int64) (string, error) {
	file, err := os.Open(path) //nolint:gosec // a directory of our own
	if err != nil {
		return "", fmt.Errorf("reading the engine's log: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.NewSectionReader(file, offset, logLimit))
	if err != nil {
		return "", fmt.Errorf("reading the engine's log: %w", err)
	}
	return strings.TrimSpace(string(tail([]byte(withoutTraces(string(data))), reasonLines))), nil
}

// withoutTraces drops each pair of lines of a Go stack trace: the function and its
// indented position.
func withoutTraces(text string) string {
	var kept []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "\t") {
			kept = append(kept, line)
		} else if len(kept) > 0 {
			kept = kept[:len(kept)-1]
		}
	}
	return strings.Join(kept, "")
}
