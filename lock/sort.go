package lock

import (
	"cmp"
	"slices"
)

// Sort brings the entries of l into the order that [Lock.Format] and [Parse] expect.
func (l *Lock) Sort() {
	slices.SortFunc(l.Packages, comparePackages)
	slices.SortFunc(l.Releases, compareReleases)
	slices.SortFunc(l.Distributions, compareDistributions)
	slices.SortFunc(l.Omitted, compareOmissions)
	slices.SortFunc(l.Models, compareModels)
	for i := range l.Packages {
		slices.SortFunc(l.Packages[i].For, Set.Compare)
	}
	for i := range l.Distributions {
		slices.SortFunc(l.Distributions[i].For, Set.Compare)
	}
	for i := range l.Models {
		slices.SortFunc(l.Models[i].Files, compareModelFiles)
	}
}

func comparePackages(a, b Package) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Architecture, b.Architecture))
}

func compareReleases(a, b Release) int {
	return cmp.Or(cmp.Compare(a.Repository, b.Repository), cmp.Compare(a.Suite, b.Suite))
}

func compareDistributions(a, b Distribution) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Version, b.Version), cmp.Compare(a.File, b.File), cmp.Compare(a.URL, b.URL))
}

func compareOmissions(a, b Omission) int {
	return cmp.Or(a.Set.Compare(b.Set), cmp.Compare(a.Requirement, b.Requirement))
}

func compareModels(a, b Model) int { return a.Compare(b.ModelRequest) }

func compareModelFiles(a, b ModelFile) int { return cmp.Compare(a.Path, b.Path) }
