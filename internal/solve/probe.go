package solve

import (
	"context"
	"fmt"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"

	"lamina.build/llb"
)

// probe is a layer that is looked into once the image is made.
type probe struct {
	name string
	def  *pb.Definition
}

func (r Request) probes(ctx context.Context) ([]probe, error) {
	var list []probe
	for _, p := range r.Image.Parts {
		if !p.Optional {
			continue
		}
		def, err := llb.Marshal(ctx, p.State, r.Image.Config.Platform)
		if err != nil {
			return nil, err
		}
		list = append(list, probe{p.Layers[0].What, def.ToPB()})
	}
	return list, nil
}

// look returns the names of the layers that hold nothing. They were made with
// the image, so the engine only has to open them.
func look(ctx context.Context, c gateway.Client, probes []probe) ([]string, error) {
	var empty []string
	for _, p := range probes {
		result, err := c.Solve(ctx, gateway.SolveRequest{Definition: p.def})
		if err != nil {
			return nil, err
		}
		files, err := result.Ref.ReadDir(ctx, gateway.ReadDirRequest{Path: "/"})
		if err != nil {
			return nil, fmt.Errorf("looking into the layer of %s: %w", p.name, err)
		}
		if len(files) == 0 {
			empty = append(empty, p.name)
		}
	}
	return empty, nil
}
