package report

import (
	"fmt"
	"slices"
	"strings"
)

// Planned is a layer that is not built yet. Sizes are in bytes, zero where nobody
// knows them before it is built.
type Planned struct {
	Stage, What string
	Fetched     int64 // what has to be downloaded for it
	Unpacked    int64
}

// Plan lists the layers that an image will have.
func Plan(layers []Planned) string {
	total := Planned{Stage: "total", What: Count(len(layers), "layer") + ", as far as the lock knows"}
	for _, l := range layers {
		total.Fetched += l.Fetched
		total.Unpacked += l.Unpacked
	}
	rows := make([][4]string, 0, len(layers)+2)
	rows = append(rows, [4]string{"LAYER", "FETCHED", "UNPACKED", "WHAT"})
	for _, l := range append(slices.Clip(layers), total) {
		rows = append(rows, [4]string{l.Stage, sizeOrNone(l.Fetched), sizeOrNone(l.Unpacked), l.What})
	}
	var left, fetched, unpacked int
	for _, r := range rows {
		left, fetched, unpacked = max(left, len(r[0])), max(fetched, len(r[1])), max(unpacked, len(r[2]))
	}
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "%-*s  %*s  %*s  %s\n", left, r[0], fetched, r[1], unpacked, r[2], r[3])
	}
	return b.String()
}

func sizeOrNone(bytes int64) string {
	if bytes == 0 {
		return "-"
	}
	return Size(bytes)
}
