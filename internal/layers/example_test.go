package layers_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing/fstest"
	"time"

	"lamina.build/internal/layers"
	"lamina.build/llb"
)

func ExampleTree() {
	dir, err := os.MkdirTemp("", "pack")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	store, err := layers.OpenStore(context.Background(), dir, 24*time.Hour)
	if err != nil {
		panic(err)
	}
	defer store.Close()

	app := fstest.MapFS{ // a program uses os.OpenRoot(dir).FS()
		"handler.py":      {Data: []byte("print('ready')\n")},
		"handler.pyc":     {Data: []byte("stale")},
		"templates/a.txt": {Data: []byte("a")},
	}
	layer, err := layers.Tree(context.Background(), store, layers.TreeOptions{
		Name: "app", FS: app, Target: "/app", Ignore: []byte("**/*.pyc\n"),
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(layer.Name, layer.Blob.MediaType)
	fmt.Println(strings.Join(layer.Paths, "\n"))
	// Output:
	// app application/vnd.oci.image.layer.v1.tar+zstd
	// /app/
	// /app/handler.py
	// /app/templates/
	// /app/templates/a.txt
}

func ExamplePlan() {
	bundles, _ := layers.Plan([]layers.Size{
		{Path: "models/unet.safetensors", Bytes: 5 << 30},
		{Path: "models/config.json", Bytes: 2 << 10},
		{Path: "models/tokenizer.json", Bytes: 2 << 20},
	}, llb.MaxLayers)
	for _, b := range bundles {
		fmt.Println(b.Files)
	}
	// Output:
	// [{models/config.json 2048} {models/tokenizer.json 2097152}]
	// [{models/unet.safetensors 5368709120}]
}
