package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/hallmark-ci/hallmark/pipeline"
	"github.com/hallmark-ci/hallmark/pipeline/scan"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

func (a *app) scanCommand() *cobra.Command {
	var files []string
	command := &cobra.Command{
		Use:   "scan [IMAGE]",
		Short: "Scan an image for known vulnerabilities and secrets",
		Long:  "Match an image's packages with the vulnerability database and look for secrets in all of its layers." + imageHelp,
		Example: `  hallmark scan registry.example.com/platform/spark:golden
  hallmark scan --format sarif=scan.sarif --format cyclonedx=bom.json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			asJSON, err := a.wantsJSON()
			if err != nil {
				return err
			}
			format := "table"
			if asJSON {
				format = "json"
			}
			outputs, err := scanOutputs(files, format)
			if err != nil {
				return err
			}
			return a.inspected(cmd.Context(), args, nil, func(ctx context.Context, in *pipeline.Inspected, _ []string) error {
				result, err := in.Scan(ctx)
				if err != nil {
					return err
				}
				for _, output := range outputs {
					if err := output.write(a.out, result); err != nil {
						return err
					}
				}
				return ended{result.Verdict.ExitCode()}
			})
		},
	}
	command.Flags().StringArrayVar(&files, "format", nil, "FORMAT or FORMAT=FILE, of one scan any of "+strings.Join(scan.Formats, ", ")+" (repeatable)")
	return command
}

// scanOutput is one rendering of a scan: to a file, or to standard output.
type scanOutput struct{ format, file string }

func scanOutputs(words []string, otherwise string) ([]scanOutput, error) {
	if len(words) == 0 {
		return []scanOutput{{format: otherwise}}, nil
	}
	var outputs []scanOutput
	for _, word := range words {
		format, file, _ := strings.Cut(word, "=")
		if !slices.Contains(scan.Formats, format) {
			return nil, fmt.Errorf("%w: --format %q is none of %s", verdict.ErrUsage, format, strings.Join(scan.Formats, ", "))
		}
		outputs = append(outputs, scanOutput{format, file})
	}
	return outputs, nil
}

func (o scanOutput) write(standard io.Writer, result *scan.Result) error {
	if o.file == "" {
		return result.Write(standard, o.format)
	}
	file, err := os.Create(o.file)
	if err != nil {
		return fmt.Errorf("%w: writing the %s report: %w", verdict.ErrUsage, o.format, err)
	}
	if err := result.Write(file, o.format); err != nil {
		_ = file.Close()
		return fmt.Errorf("writing the %s report %s: %w", o.format, o.file, err)
	}
	return file.Close()
}
