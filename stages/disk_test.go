package stages_test

import (
	"fmt"
	"maps"
	"testing"

	"lamina.build/llb"
	"lamina.build/lock"
	"lamina.build/stages"
)

// What builds wrote below the root of a fresh engine, and the sizes in their locks. For
// wan22-animate only parts were measured: its wheels installed, compiled and compressed.
func TestDiskIsCloseToTheTruth(t *testing.T) {
	for _, tt := range []struct {
		name              string
		both, built, run  int64 // of Debian packages: in builder and runtime, in one of them
		fetched, unpacked int64 // of wheels
		truth             int64
	}{
		{"faceblend", 32_775_124, 99_041_904, 24_781_716, 0, 0, 1_848_795_136},
		{"NumPy, SciPy, OpenCV and 31 more", 31_721_300, 8_342_588, 0, 203_881_283, 631_992_257, 1_956_800_000},
		{"the same, where the lock doesn't say what wheels unpack to", 31_721_300, 8_342_588, 0, 203_881_283, 0, 1_956_800_000},
		{"wan22-animate", 32_449_676, 110_759_260, 1_602_732, 3_389_240_616, 6_363_984_448, 14_600_000_000},
	} {
		l := lock.Lock{Packages: []lock.Package{
			sized("both", tt.both, lock.SetBuilder, lock.SetRuntime), sized("built with", tt.built, lock.SetBuilder), sized("run", tt.run, lock.SetRuntime),
			{Size: 1e9, SHA256: "more", For: []lock.Set{{Kind: lock.SetExtra, Variant: "debug"}}},
		}}
		if tt.fetched > 0 {
			l.UV = lock.UV{Size: 19_295_638, SHA256: "uv"}
			l.Distributions = []lock.Distribution{{Name: "w", File: "w.whl", Size: tt.fetched, Unpacked: tt.unpacked, SHA256: "w", For: []lock.Set{{Kind: lock.SetPython}}}}
		}
		got := sum(stages.Input{Variant: "production", Lock: l}.Disk())
		t.Logf("%s: %d bytes, %d %% of the truth", tt.name, got, got*100/tt.truth)
		if got < tt.truth*8/10 || got > tt.truth*12/10 {
			t.Errorf("%s: %d bytes are more than 20 %% off %d", tt.name, got, tt.truth)
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

// A step keeps its name as long as its result stays the same.
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
			t.Errorf("%s: %d steps run again, want %d", name, len(after), tt.anew)
		}
	}
}
