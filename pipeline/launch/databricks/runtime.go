package databricks

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/compute"
)

var (
	versionWord = regexp.MustCompile(`^(\d+)\.(\d+|x)$`)
	versionKey  = regexp.MustCompile(`^(\d+)\.(\d+|x)\.`)
)

// refusedRuntime says why a runtime takes no images of one's own; empty: nothing is known against it.
func refusedRuntime(runtime string) string {
	lower := "-" + strings.ToLower(runtime) + "-"
	switch {
	case strings.Contains(lower, "-ml-"), strings.HasSuffix(lower, "ml-"):
		return fmt.Sprintf("the runtime %s is one for machine learning, which takes no images", runtime)
	case strings.Contains(lower, "-hls-"), strings.Contains(lower, "genomics"):
		return fmt.Sprintf("the runtime %s is one for genomics, which takes no images", runtime)
	case strings.Contains(lower, "aarch64"):
		return fmt.Sprintf("the runtime %s is one for ARM, which takes no images", runtime)
	}
	for _, pattern := range []*regexp.Regexp{versionWord, versionKey} {
		if match := pattern.FindStringSubmatch(runtime); match != nil {
			major, _ := strconv.Atoi(match[1])
			minor, err := strconv.Atoi(match[2])
			if major < 6 || major == 6 && minor < 1 && err == nil {
				return fmt.Sprintf("the runtime %s takes no images; 6.1 is the first that does", runtime)
			}
			return ""
		}
	}
	return ""
}

// plainKey is the key of a runtime without anything special.
func plainKey(version string) *regexp.Regexp {
	return regexp.MustCompile(`^` + regexp.QuoteMeta(version) + `\.x(-esr)?-scala(\d+\.\d+)$`)
}

// checkRuntime chooses the runtime: by the platform's own key, or by its version.
func (w *workspace) checkRuntime(ctx context.Context, o Options, made *plan, found *findings, n int) error {
	var offered *compute.GetSparkVersionsResponse
	err := w.call(ctx, "asking for the runtimes that there are", harmless, func(ctx context.Context) (err error) {
		offered, err = w.clusters.SparkVersions(ctx)
		return err
	})
	if err != nil {
		return err
	}
	key := chooseRuntime(offered.Versions, o.Runtime)
	i := slices.IndexFunc(offered.Versions, func(v compute.SparkVersion) bool { return v.Key == key })
	if key == "" || i < 0 {
		found.problem(n, fmt.Sprintf("the workspace has no runtime %s; it has %s", o.Runtime, strings.Join(versionsOf(offered.Versions), ", ")), "Correct launch.databricks.runtime")
		return nil
	}
	made.sparkVersion, made.runtimeName = key, offered.Versions[i].Name
	if why := refusedRuntime(key); why != "" {
		found.problem(n, why, "Choose a standard runtime in launch.databricks.runtime")
	}
	return nil
}

// chooseRuntime is the key that is meant. Of two that differ in Scala alone, the older Scala is the platform's default.
func chooseRuntime(offered []compute.SparkVersion, runtime string) string {
	var keys []string
	plain := plainKey(runtime)
	for _, v := range offered {
		if v.Key == runtime {
			return v.Key
		}
		if plain.MatchString(v.Key) {
			keys = append(keys, v.Key)
		}
	}
	if len(keys) == 0 {
		return ""
	}
	return slices.Min(keys)
}

// versionsOf are the versions that take images, the newest first.
func versionsOf(offered []compute.SparkVersion) []string {
	var versions []string
	for _, v := range offered {
		match := versionKey.FindStringSubmatch(v.Key)
		if match == nil {
			continue
		}
		version := match[1] + "." + match[2]
		if plainKey(version).MatchString(v.Key) && refusedRuntime(v.Key) == "" && !slices.Contains(versions, version) {
			versions = append(versions, version)
		}
	}
	slices.SortFunc(versions, func(a, b string) int {
		x, _ := strconv.ParseFloat(a, 64)
		y, _ := strconv.ParseFloat(b, 64)
		switch {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	if len(versions) == 0 {
		return []string{"none that takes images"}
	}
	return versions[:min(len(versions), 12)]
}
