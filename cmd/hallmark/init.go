package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hallmark-ci/hallmark/pipeline/ci/starter"
	"github.com/hallmark-ci/hallmark/pipeline/foreign"
)

func (a *app) initCommand() *cobra.Command {
	var show bool
	var system string
	command := &cobra.Command{
		Use:   "init [FOLDER]",
		Short: "Write hallmark.yaml and a CI job for a repository",
		Long: `Look at a repository (this folder, without an argument): its Dockerfile, what that starts from, whether it
is for Spark or Databricks, its CI system, where it comes from. Then write a commented hallmark.yaml, and a
job for the CI system. Nothing is asked, and a file that exists is left as it is.`,
		Example: `  hallmark init
  hallmark init --print --ci gitlab`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			asJSON, err := a.wantsJSON()
			if err != nil {
				return err
			}
			folder := "."
			if len(args) == 1 {
				folder = args[0]
			}
			survey, err := starter.Look(folder)
			if err != nil {
				return err
			}
			if system != "" {
				if survey, err = survey.For(system); err != nil {
					return err
				}
			}
			files, err := starter.Files(survey, version)
			if err != nil {
				return err
			}
			if show {
				return a.showFiles(files)
			}
			if err := starter.Write(survey.Root, files); err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(a.out).Encode(map[string]any{"found": survey, "files": files})
			}
			a.told(survey, files)
			return nil
		},
	}
	command.Flags().BoolVar(&show, "print", false, "print what would be written, and write nothing")
	command.Flags().StringVar(&system, "ci", "", "CI system to write a job for, in place of the one that is found: "+systemNames()+", none")
	return command
}

// showFiles prints files one after the other, each below its name.
func (a *app) showFiles(files []starter.File) error {
	for i, f := range files {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		fmt.Fprintf(a.out, "==> %s <==\n%s", f.Path, f.Body)
	}
	return nil
}

func (a *app) told(survey starter.Survey, files []starter.File) {
	for _, found := range survey.Findings {
		fmt.Fprintln(a.out, "· "+foreign.Line(found))
	}
	kept := false
	for _, f := range files {
		if f.Exists {
			kept = true
			fmt.Fprintf(a.out, "– %s exists and was left as it is\n", f.Path)
			continue
		}
		fmt.Fprintf(a.out, "✓ %s written\n", f.Path)
		if f.Note != "" {
			fmt.Fprintf(a.out, "  %s\n", f.Note)
		}
	}
	if kept {
		fmt.Fprintln(a.out, "hallmark init --print shows what would have been written")
	}
	fmt.Fprintln(a.out, "Next: hallmark doctor says whether everything is there that a run needs; then hallmark run")
	if survey.Known {
		fmt.Fprintf(a.out, "HALLMARK_IMAGE=%s hallmark doctor asks the registry that the CI job pushes to\n", survey.Registry)
	}
}
