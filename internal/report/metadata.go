package report

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Metadata returns what --metadata-file holds. Scripts written for docker
// buildx find the keys they know; what only Lamina has begins with "lamina.".
func (i Image) Metadata() ([]byte, error) {
	values := map[string]any{
		"lamina.variant":  i.Variant,
		"lamina.platform": i.Platform,
		"lamina.seconds":  i.Took.Seconds(),
	}
	add := func(key, value string) {
		if value != "" {
			values[key] = value
		}
	}
	add("containerimage.digest", i.Descriptor.Digest.String())
	add("containerimage.config.digest", i.Config.String())
	add("image.name", strings.Join(i.names(), ","))
	add("lamina.manifest.digest", i.Manifest.String())
	add("lamina.engine", i.Engine)
	add("lamina.lock.digest", i.Lock.String())
	if i.Descriptor.Digest != "" {
		values["containerimage.descriptor"] = i.Descriptor
	}
	if len(i.Layers) > 0 {
		values["lamina.layers"], values["lamina.size"] = i.Layers, i.Size()
	}
	if len(i.LeftOut) > 0 {
		values["lamina.left-out"] = i.LeftOut
	}
	if len(i.Pruned) > 0 {
		values["lamina.pruned"] = i.Pruned
	}
	text, err := json.MarshalIndent(values, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the metadata: %w", err)
	}
	return append(text, '\n'), nil
}
