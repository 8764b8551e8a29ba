package stages_test

import (
	"fmt"
	"maps"
	"testing"

	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/stages"
)

// What builds wrote below the root of a fresh engine, and what their locks had.
func TestDiskIsNearTheTruth(t *testing.T) {
	faceblend := lock.Lock{
		Packages: []lock.Package{
			sized("both", 32_775_124, lock.SetBuilder, lock.SetRuntime), sized("built with", 99_041_904, lock.SetBuilder), sized("run", 24_781_716, lock.SetRuntime),
			sized("of another variant", 27_119_504),
		},
	}
	faceblend.Packages[3].For = []lock.Set{{Kind: lock.SetExtra, Variant: "debug"}}
	for _, tt := range []struct {
		name  string
		lock  lock.Lock
		truth int64
	}{
		{"faceblend", faceblend, 1_848_795_136},
	} {
		in := stages.Input{Variant: "production", Lock: tt.lock}
		if got := sum(in.Disk()); got < tt.truth*8/10 || got > tt.truth*12/10 {
			t.Errorf("%s: %d bytes are 20 %% off %d", tt.name, got, tt.truth)
		}
	}
}

func sized(name string, size int64, kinds ...lock.Kind) lock.Package {
	p := lock.Package{Name: name, Size: size, SHA256: name}
	for _, kind := range kinds {
		p.For = append(p.For, lock.Set{Kind: kind})
	}
	return p
}

func sum(disk map[string]int64) (all int64) {
	for _, size := range disk {
		all += size
	}
	return all
}

// A step keeps its name as long as what it makes stays the same.
func TestStepsOfTheDisk(t *testing.T) {
	base := func() stages.Input {
		l := lock.Lock{Packages: []lock.Package{sized("c", 3000, lock.SetBuilder), sized("r", 5000, lock.SetRuntime)}}
		for i, size := range []int64{200e6, 50e6, 1e6} {
			name := fmt.Sprint("w", i)
			l.Distributions = append(l.Distributions, lock.Distribution{
				Name: name, File: name + "-1-py3-none-any.whl", SHA256: name, Size: size, Unpacked: 3 * size, For: []lock.Set{{Kind: lock.SetPython}},
			})
		}
		return stages.Input{Variant: "production", Lock: l}
	}
	before := base().Disk()
	for name, tt := range map[string]struct {
		change func(in *stages.Input)
		anew   int
	}{
		"nothing":           {func(*stages.Input) {}, 0},
		"an app's user":     {func(in *stages.Input) { in.App = &stages.App{User: llb.User{Name: "app"}} }, 1},
		"a small wheel":     {func(in *stages.Input) { in.Lock.Distributions[2].SHA256 = "other" }, 1},
		"a runtime package": {func(in *stages.Input) { in.Lock.Packages[1].SHA256 = "other" }, 1},
		"the builder":       {func(in *stages.Input) { in.Lock.Packages[0].SHA256 = "other" }, 4},
	} {
		in := base()
		tt.change(&in)
		after := in.Disk()
		maps.DeleteFunc(after, func(step string, _ int64) bool { _, old := before[step]; return old })
		if len(after) != tt.anew {
			t.Errorf("%s: %d steps are made anew, want %d", name, len(after), tt.anew)
		}
	}
}
