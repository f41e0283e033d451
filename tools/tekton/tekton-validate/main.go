// Command tekton-validate holds files with Tekton tasks against Tekton's own types: no field that these do not know, and
// nothing that their own validation, which Tekton's webhook runs on a cluster, refuses.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"

	v1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"sigs.k8s.io/yaml"
)

func main() {
	failed := false
	for _, path := range os.Args[1:] {
		if err := validate(path); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", path, err)
			failed = true
		}
	}
	if failed || len(os.Args) < 2 {
		os.Exit(1)
	}
}

func validate(path string) error {
	body, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	for _, document := range bytes.Split(body, []byte("\n---\n")) {
		var task v1.Task
		if err := yaml.UnmarshalStrict(document, &task); err != nil {
			return err
		}
		if task.APIVersion != "tekton.dev/v1" || task.Kind != "Task" {
			return fmt.Errorf("it is a %s of %s, not a Task of tekton.dev/v1", task.Kind, task.APIVersion)
		}
		ctx := context.Background()
		task.SetDefaults(ctx)
		if err := task.Validate(ctx); err != nil {
			return err
		}
	}
	return nil
}
