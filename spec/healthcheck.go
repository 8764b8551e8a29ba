package spec

import (
	"fmt"
	"math"
	"slices"
	"time"

	"lamina.build/internal/toml"
)

// Healthcheck is the [app.healthcheck] table: how docker checks that a container works.
// The zero value is no check.
type Healthcheck struct {
	// Test is CMD and a command, CMD-SHELL and a line for /bin/sh, or NONE.
	Test          []string `toml:"test,omitempty"`
	Interval      Duration `toml:"interval,omitempty"` // here and below, zero is docker's default
	Timeout       Duration `toml:"timeout,omitempty"`
	StartPeriod   Duration `toml:"start-period,omitempty"`
	StartInterval Duration `toml:"start-interval,omitempty"`
	Retries       int      `toml:"retries,omitempty"`
}

// Duration is a [time.Duration] that is marshalled as text, "1m30s".
type Duration time.Duration

// MarshalText implements [encoding.TextMarshaler].
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// healthcheck reads a table, or a list as its test.
func healthcheck(r *toml.Reader) Healthcheck {
	switch v := r.Take("healthcheck"); {
	case v == nil || v.Kind == toml.Map:
	case v.Kind == toml.List:
		return Healthcheck{Test: test(r, "healthcheck", v)}
	default:
		r.Add(v.Offset, "healthcheck is %s, want a list (its command) or a table", v.Kind)
		return Healthcheck{}
	}
	below := r.Below("healthcheck")
	defer below.End()
	if below.Table != nil && !below.Has("test") {
		below.Missing("test")
	}
	return Healthcheck{
		Test:          test(below, "test", below.Take("test")),
		Interval:      duration(below, "interval"),
		Timeout:       duration(below, "timeout"),
		StartPeriod:   duration(below, "start-period"),
		StartInterval: duration(below, "start-interval"),
		Retries:       below.Integer("retries", below.Take("retries"), 1, math.MaxInt32),
	}
}

// test reads a command, with or without docker's leading word.
func test(r *toml.Reader, key string, v *toml.Value) []string {
	list := words(r, key, v)
	if v == nil || v.Kind != toml.List || len(list) < len(v.Items) {
		return nil
	}
	problem := ""
	switch n := len(list); {
	case n == 0:
		problem = "is empty, want a command"
	case list[0] == "NONE" && n > 1:
		problem = "has arguments after NONE"
	case list[0] == "CMD" && n == 1:
		problem = "has no command after CMD"
	case list[0] == "CMD-SHELL" && n != 2:
		problem = "requires one line for /bin/sh after CMD-SHELL"
	case !slices.Contains([]string{"NONE", "CMD", "CMD-SHELL"}, list[0]):
		list = slices.Insert(list, 0, "CMD")
	}
	if problem != "" {
		r.Add(v.Offset, "%s %s", key, problem)
	}
	return list
}

// duration reads a duration in the form of Go and docker. Docker accepts none below a millisecond.
func duration(r *toml.Reader, key string) (d Duration) {
	r.Text(key, func(s string) (string, error) {
		read, err := time.ParseDuration(s)
		if err != nil || read < time.Millisecond {
			return "", fmt.Errorf(`%q is not a duration of 1ms or more ("30s", "1m30s")`, s)
		}
		d = Duration(read)
		return s, nil
	})
	return d
}
