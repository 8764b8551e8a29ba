// Command schemas checks files with the types and schemas of the projects that read them. It is
// a separate module so that the product depends on none of them:
//
//	schemas json FILE            prints a YAML file as JSON, its anchors resolved
//	schemas kubernetes FILE...   checks that each document is of a Kubernetes kind, field by field
//	schemas modelpack FILE       checks the configuration of a ModelPack
//	schemas pull REF DIR         copies the image of a tag into an OCI layout, as oras does
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	modelpack "github.com/modelpack/model-spec/schema"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content/oci"
	"oras.land/oras-go/v2/registry/remote"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "schemas:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: schemas json|kubernetes|modelpack|pull …")
	}
	if args[0] == "pull" {
		return pull(context.Background(), args[1], args[2])
	}
	check := map[string]func([]byte) error{"json": printed, "kubernetes": kubernetes, "modelpack": modelPack}[args[0]]
	if check == nil {
		return fmt.Errorf("unknown word %q", args[0])
	}
	var faults []error
	for _, name := range args[1:] {
		data, err := os.ReadFile(name)
		if err == nil {
			err = check(data)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(faults...)
}

func printed(data []byte) error {
	text, err := yaml.YAMLToJSON(data)
	if err == nil {
		_, err = os.Stdout.Write(text)
	}
	return err
}

// kinds are the deployed kinds.
var kinds = map[metav1.TypeMeta]func() any{
	{APIVersion: "apps/v1", Kind: "StatefulSet"}:                func() any { return &apps.StatefulSet{} },
	{APIVersion: "policy/v1", Kind: "PodDisruptionBudget"}:      func() any { return &policy.PodDisruptionBudget{} },
	{APIVersion: "v1", Kind: "ConfigMap"}:                       func() any { return &core.ConfigMap{} },
	{APIVersion: "v1", Kind: "Namespace"}:                       func() any { return &core.Namespace{} },
	{APIVersion: "v1", Kind: "Pod"}:                             func() any { return &core.Pod{} },
	{APIVersion: "v1", Kind: "Service"}:                         func() any { return &core.Service{} },
	{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"}: func() any { return &networking.NetworkPolicy{} },
}

// kubernetes decodes strictly: an unknown or duplicate field is an error. It prints each
// document as a line of JSON.
func kubernetes(data []byte) error {
	var faults []error
	for i, doc := range bytes.SplitAfter(data, []byte("\n---\n")) {
		doc = bytes.TrimSuffix(doc, []byte("---\n"))
		var kind metav1.TypeMeta
		err := yaml.Unmarshal(doc, &kind)
		object := kinds[kind]
		if err == nil && object == nil {
			err = fmt.Errorf("%s %s is not one of the deployed kinds", kind.APIVersion, kind.Kind)
		}
		if err == nil {
			o := object()
			if err = yaml.UnmarshalStrict(doc, o); err == nil {
				err = json.NewEncoder(os.Stdout).Encode(o)
			}
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("document %d: %w", i+1, err))
		}
	}
	return errors.Join(faults...)
}

func modelPack(data []byte) error {
	if !json.Valid(data) {
		return errors.New("no JSON")
	}
	return modelpack.ValidatorMediaTypeModelConfig.Validate(bytes.NewReader(data))
}

// pull reads from a registry over plain HTTP.
func pull(ctx context.Context, ref, dir string) error {
	repository, err := remote.NewRepository(ref)
	if err != nil {
		return err
	}
	repository.PlainHTTP = true
	to, err := oci.New(dir)
	if err != nil {
		return err
	}
	desc, err := oras.Copy(ctx, repository, repository.Reference.Reference, to, "pulled", oras.DefaultCopyOptions)
	if err == nil {
		fmt.Println(desc.MediaType, desc.Digest)
	}
	return err
}
