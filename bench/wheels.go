package main

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"strings"

	"lamina.build/internal/test/testworld"
)

// plan is a wheel of the benchmark: an incompressible blob, since shared libraries in
// wheels hardly compress again, and modules for pip and Lamina to compile.
type plan struct {
	name    string
	bytes   int64
	modules int
}

// plans returns 60 wheels of 1 GB: two of 300 MB, 20 of 11 to 19 MB, and 38 of 1 to
// 4.3 MB, where small-00 has 1 MB.
func plans() []plan {
	var list []plan
	add := func(kind string, count int, first, last int64) {
		for i := range int64(count) {
			list = append(list, plan{
				name:    fmt.Sprintf("%s-%02d", kind, i),
				bytes:   first + (last-first)*i/int64(count-1),
				modules: 30 + len(list)*37%71,
			})
		}
	}
	add("heavy", 2, 300e6, 300e6)
	add("medium", 20, 11e6, 19e6)
	add("small", 38, 1e6, 4.26e6)
	return list
}

func (p plan) wheel(version string) testworld.Wheel {
	directory := strings.ReplaceAll(p.name, "-", "_")
	//nolint:gosec // it stands for code, not for secrets
	random := rand.New(rand.NewChaCha8(sha256.Sum256([]byte(p.name + "-" + version))))
	files := map[string]string{directory + "/__init__.py": fmt.Sprintf("__version__ = %q\n", version)}
	var code int64
	for i := range p.modules - 1 {
		text := module(random)
		files[fmt.Sprintf("%s/part%d/module_%02d.py", directory, i%4, i)] = text
		code += int64(len(text))
	}
	// Deflate reduces such code to a quarter.
	return testworld.Wheel{Name: p.name, Version: version, Files: files, Size: max(p.bytes-code/4, 0)}
}

// function resembles the functions of real packages in length and kind.
const function = `

def handle_%[1]x(first, second=%[2]d, *rest, limit=None, **options):
    """Return what comes of first and second, %[3]d of them at most.

    The rest is looked at in its order; what has no value %[1]x counts as %[2]d.
    """
    total = first * %[2]d + second
    # What is not a number has its place in the table instead.
    for position, item in enumerate(rest):
        if item is None or position %% %[4]d == 0:
            continue
        total += item.get("k%[1]x", %[2]d) if isinstance(item, dict) else int(item)
    table = {"t%[2]d": [n ** 2 for n in range(total)], "u%[3]d": (first, second, %[4]d)}
    try:
        found = sorted(table.items(), key=lambda pair: pair[1])[:limit]
        while len(found) > %[4]d and not options:
            found.pop()
    except (KeyError, ValueError) as error:
        raise RuntimeError(f"{first!r} at {second}: {error} in %[1]x") from error
    return [(key, value) for key, value in found if key not in options]
`

func module(random *rand.Rand) string {
	var text strings.Builder
	text.WriteString("\"\"\"Part of a package that a benchmark installs.\"\"\"\n\nimport os\nimport sys\n")
	for range 3 + random.IntN(9) {
		fmt.Fprintf(&text, function, random.Uint32(), random.IntN(1000), random.IntN(100), 2+random.IntN(9))
	}
	return text.String()
}
