package lock_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/go-digest"

	"lamina.build/lock"
)

// generator makes locks as a resolver might, with odd names and numbers.
type generator struct{ *rand.Rand }

func (g generator) word() string {
	letters := []rune("abzAZ09 ._+~:/\\\"'#=,{}[]\t\n\u007f\u00a0ü€\U0001f600")
	word := make([]rune, g.IntN(8))
	for i := range word {
		word[i] = letters[g.IntN(len(letters))]
	}
	return string(word) + fmt.Sprint(g.IntN(1000))
}

func (g generator) words() []string { return several(g, g.word) }

func several[T any](g generator, one func() T) []T {
	list := make([]T, g.IntN(4))
	for i := range list {
		list[i] = one()
	}
	return list
}

func (g generator) hash() string { return hash(g.word()) }

func (g generator) date() time.Time { return time.Unix(g.Int64N(4e9), 0).UTC() }

// some returns some of the sets, at least one, in any order.
func (g generator) some(sets ...string) []lock.Set {
	g.Shuffle(len(sets), func(i, j int) { sets[i], sets[j] = sets[j], sets[i] })
	return setsOf(sets[:1+g.IntN(len(sets))])
}

func (g generator) lock() lock.Lock {
	list := []lock.Lock{g.one()}
	for i := range g.IntN(3) {
		further := g.one()
		further.Platform = fmt.Sprintf("linux/%d", i)
		list = append(list, further)
	}
	return lock.Join(list)
}

// one returns a lock of one platform.
func (g generator) one() lock.Lock {
	l := lock.Lock{Requirements: lock.Requirements{
		Platform: g.word(), Suites: g.words(), Components: g.words(),
		Repositories: several(g, func() lock.Repository {
			return lock.Repository{Name: g.word(), URL: g.word(), Suite: g.word(), Components: g.words(), Key: digest.FromString(g.word())}
		}),
		Requests: []lock.Request{
			{Set: lock.ParseSet("base"), Packages: g.words()}, {Set: lock.ParseSet("runtime@v"), Packages: g.words()},
		},
		Python: []lock.PythonRequest{{Set: lock.ParseSet("python"), Lines: g.words()}, {Set: lock.ParseSet("python@v"), Lines: g.words()}},
	}}
	l.Releases = several(g, func() lock.Release {
		return lock.Release{Repository: g.word(), Suite: g.word(), Origin: g.word(), Date: g.date(), SHA256: g.hash(), Signers: g.words()}
	})
	for i, r := range l.Releases {
		l.Indexes = append(l.Indexes, lock.Index{Repository: r.Repository, Suite: r.Suite, Size: 1 + g.Int64N(1<<40), SHA256: g.hash(), Path: fmt.Sprintf("dists/%d", i)})
	}
	l.Packages = several(g, func() lock.Package {
		return lock.Package{
			Name: fmt.Sprintf("lib+%d", g.Int()), Version: fmt.Sprintf("1:%d~rc+b1", g.Int()), Architecture: "amd64", Repository: g.word(),
			Size: 1 + g.Int64N(1<<40), SHA256: g.hash(), Path: fmt.Sprintf("pool/%x", g.word()), For: g.some("base", "runtime@v"),
		}
	})
	for i, p := range l.Packages {
		l.Provided = append(l.Provided, lock.Provision{Name: fmt.Sprintf("virtual%d", i), By: p.Name})
	}
	l.Distributions = several(g, func() lock.Distribution {
		return lock.Distribution{
			Name: fmt.Sprintf("p%d-x", g.Int64()), Version: g.word(), File: fmt.Sprintf("f%d.whl", g.Int()), URL: fmt.Sprintf("https://h.example/%x", g.word()),
			Index: []string{"", "http://i.example"}[g.IntN(2)], Size: 1 + g.Int64N(1<<40), SHA256: g.hash(), Unpacked: g.Int64N(1 << 40),
			Metadata: g.hash(), License: g.word(), Top: []string{fmt.Sprintf("t%x", g.word())}, For: g.some("python", "python@v", "build:a-b", "build:a@v"),
		}
	})
	for _, d := range l.Distributions {
		if d.Index != "" {
			l.Pages = append(l.Pages, lock.Page{Index: d.Index, Project: d.Name, Size: 1 + g.Int64N(1<<40), SHA256: g.hash()})
		}
	}
	if len(l.Distributions) > 0 {
		l.UV = lock.UV{Version: g.word(), Size: 1 + g.Int64N(1<<40), SHA256: g.hash(), File: "uv.whl", URL: "https://h.example/uv"}
	}
	l.Omitted = several(g, func() lock.Omission {
		return lock.Omission{Set: g.some("python", "python@v")[0], Requirement: g.word(), Reason: g.word()}
	})
	l.Models = several(g, func() lock.Model {
		return lock.Model{
			ModelRequest: lock.ModelRequest{
				From: "https://" + g.word(), Path: fmt.Sprintf("/m%x", g.word()), Include: g.words(), Exclude: g.words(),
				Rename: map[string]string{g.word(): g.word(), g.word(): g.word()},
			},
			List: "sha256:" + g.hash(), License: g.word(), Plan: 1 + g.IntN(9), Digest: "sha256:" + g.hash(), Published: "r.example/m@sha256:" + g.hash(),
			Layers: []lock.ModelLayer{modelLayer(1<<41, "a"), modelLayer(1+g.Int64N(1<<40), "b")},
			Files: []lock.ModelFile{
				{Path: fmt.Sprintf("a%x", g.word()), Size: g.Int64N(1 << 40), SHA256: g.hash(), URL: "https://h.example"},
				{Path: fmt.Sprintf("b%x", g.word()), Size: g.Int64N(1 << 40), SHA256: g.hash(), URL: "https://h.example"},
			},
		}
	})
	l.Sort()
	for _, m := range l.Models {
		l.ModelRequests = append(l.ModelRequests, m.ModelRequest)
	}
	return l
}

func each(t *testing.T, check func(*testing.T, generator, lock.Lock)) {
	t.Helper()
	for seed := range uint64(200) {
		g := generator{rand.New(rand.NewPCG(seed, 1))}
		if check(t, g, g.lock()); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestEveryLockSurvivesItsText(t *testing.T) {
	each(t, func(t *testing.T, _ generator, want lock.Lock) { survives(t, want) })
}

// Sorting gives one order, whatever the order before.
func TestSortForgetsTheOrder(t *testing.T) {
	each(t, func(t *testing.T, g generator, l lock.Lock) {
		text := l.Format()
		shuffle(g, l.Releases)
		shuffle(g, l.Indexes)
		shuffle(g, l.Provided)
		shuffle(g, l.Pages)
		shuffle(g, l.Packages)
		shuffle(g, l.Distributions)
		shuffle(g, l.Omitted)
		shuffle(g, l.Models)
		for _, p := range l.Further {
			shuffle(g, p.Packages)
			shuffle(g, p.Distributions)
		}
		for i := range l.Packages {
			shuffle(g, l.Packages[i].For)
		}
		for i := range l.Distributions {
			shuffle(g, l.Distributions[i].For)
		}
		for i := range l.Models {
			shuffle(g, l.Models[i].Files)
		}
		l.Sort()
		if again := l.Format(); string(again) != string(text) {
			t.Errorf("another order:\n%s", cmp.Diff(string(text), string(again)))
		}
	})
}

func shuffle[T any](g generator, list []T) {
	g.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// Selecting agrees with the sets' text: the variant's own if requested, and nothing twice
// or out of order.
func TestSelectionIsByTheTextOfSets(t *testing.T) {
	each(t, func(t *testing.T, _ generator, l lock.Lock) {
		for _, tt := range []struct {
			in   []string
			set  string
			list []string
		}{
			{names(l.In(lock.SetBase, "v")), "base", named(l.Packages, "base")},
			{names(l.In(lock.SetRuntime, "v")), "runtime@v", named(l.Packages, "runtime@v")},
			{names(l.In(lock.SetRuntime, "w")), "runtime", named(l.Packages, "runtime")},
			{names(l.PythonIn("w")), "python", named(l.Distributions, "python")},
			{names(l.PythonIn("v")), "python@v", named(l.Distributions, "python@v")},
			{names(l.BuildIn("a", "v")), "build:a@v", named(l.Distributions, "build:a@v")},
			{names(l.BuildIn("a-b", "")), "build:a-b", named(l.Distributions, "build:a-b")},
			{names(l.OmittedIn("v")), "python@v", named(l.Omitted, "python@v")},
		} {
			if !slices.Equal(tt.in, tt.list) {
				t.Errorf("%s: got %q, want %q", tt.set, tt.in, tt.list)
			}
		}
	})
}

// names returns entries as text, named those in a set.
func names[E any](list []E) (texts []string) {
	for _, e := range list {
		texts = append(texts, fmt.Sprintf("%+v", e))
	}
	return texts
}

func named[E any](list []E, set string) (texts []string) {
	for _, e := range list {
		v, sets := reflect.ValueOf(e), ""
		if v.FieldByName("For").IsValid() {
			sets = fmt.Sprint(v.FieldByName("For").Interface())
		} else {
			sets = fmt.Sprint(v.FieldByName("Set").Interface())
		}
		if slices.Contains(strings.Fields(strings.Trim(sets, "[]")), set) {
			texts = append(texts, fmt.Sprintf("%+v", e))
		}
	}
	return texts
}

// The text has every field: changing any of them changes the text.
func TestEveryFieldIsInTheText(t *testing.T) {
	whole := withModels(nil)
	whole.ModelRequests = nil // the models have them, and places are only in the spec
	whole.Further = lock.Join([]lock.Lock{whole, withModels(nil)}).Further
	text := string(whole.Format())
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		before := reflect.New(v.Type()).Elem()
		before.Set(v)
		switch x := v.Addr().Interface().(type) {
		case *time.Time:
			*x = x.Add(time.Second)
		case *lock.Set:
			x.Variant += "x"
		case *map[string]string:
			*x = map[string]string{"another": "name"}
		default:
			switch v.Kind() {
			case reflect.String:
				v.SetString(v.String() + "x")
			case reflect.Int, reflect.Int64:
				v.SetInt(v.Int() + 1)
			case reflect.Slice:
				if path != "Lock.Requirements.ModelRequests" && path != "Lock.Requirements.Places" && v.Len() == 0 && v.Type() != reflect.TypeFor[[]string]() {
					t.Errorf("%s: the sample has none", path)
				}
				for i := range v.Len() {
					walk(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
				}
				return
			case reflect.Struct:
				for i := range v.NumField() {
					walk(path+"."+v.Type().Field(i).Name, v.Field(i))
				}
				return
			default:
				t.Fatalf("%s: a lock has no %s", path, v.Type())
			}
		}
		if string(whole.Format()) == text {
			t.Errorf("%s: a change gives the same text", path)
		}
		v.Set(before)
	}
	walk("Lock", reflect.ValueOf(&whole).Elem())
}
