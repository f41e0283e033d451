package starter

import (
	"regexp"
	"slices"
	"strings"
)

// made is what a Dockerfile says of the image that it makes.
type made struct {
	bases             []string
	ports             []string
	databricks, spark string // the reason to think so; empty: it is not
	runtime           string // Databricks runtime
	cuda              string // the base that brings CUDA; empty: there is none
}

var (
	variable  = regexp.MustCompile(`\$\{(\w+)(?::?-([^}]*))?\}|\$(\w+)`)
	dbRuntime = regexp.MustCompile(`databricksruntime/[\w.-]+:(\d+\.\d+)`)
	port      = regexp.MustCompile(`^\d{1,5}$`)
)

// readDockerfile reads the instructions that tell what an image is for. Only the build itself knows a Dockerfile in full.
func readDockerfile(text string) made {
	var m made
	args, stages := map[string]string{}, []string{}
	for _, line := range instructions(text) {
		word, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		switch strings.ToUpper(word) {
		case "ARG":
			name, value, _ := strings.Cut(rest, "=")
			args[name] = strings.Trim(expand(value, args), `"'`)
		case "ENV":
			if m.spark == "" && strings.HasPrefix(rest, "SPARK_HOME") {
				m.spark = "it sets SPARK_HOME"
			}
		case "EXPOSE":
			for _, entry := range strings.Fields(expand(rest, args)) {
				number, protocol, _ := strings.Cut(entry, "/")
				if port.MatchString(number) && protocol != "udp" && !slices.Contains(m.ports, number) {
					m.ports = append(m.ports, number)
				}
			}
		case "FROM":
			m.from(expand(rest, args), &stages)
		}
		if m.databricks == "" && strings.Contains(rest, "/databricks/") {
			m.databricks = "it puts files below /databricks"
		}
		if m.spark == "" && (strings.Contains(rest, "spark-submit") || strings.Contains(rest, "/opt/spark")) {
			m.spark = "its instructions name Spark's files"
		}
	}
	m.mention(text)
	return m
}

var (
	cudaBase = regexp.MustCompile(`(^|[/:_.-])(cuda|gpu)`) // nvidia/cuda:12.6.3, databricksruntime/gpu-base, team/spark:3.5-gpu
	mentions = regexp.MustCompile(`(?i)\bdatabricks\b`)
	meant    = regexp.MustCompile(`(?i)\bdatabricks runtime (\d+\.\d+)\b`)
)

// mention takes people at their word, where no instruction says it: comments and labels name what an image is for.
func (m *made) mention(text string) {
	if m.databricks == "" && mentions.MatchString(text) {
		m.databricks = "its Dockerfile speaks of Databricks"
	}
	if found := meant.FindStringSubmatch(text); found != nil && m.runtime == "" {
		m.runtime = found[1]
	}
}

// from reads a FROM instruction: the last stage's ports are what counts.
func (m *made) from(rest string, stages *[]string) {
	words := slices.DeleteFunc(strings.Fields(rest), func(w string) bool { return strings.HasPrefix(w, "--") })
	if len(words) == 0 {
		return
	}
	base := words[0]
	if len(words) == 3 && strings.EqualFold(words[1], "as") {
		defer func() { *stages = append(*stages, strings.ToLower(words[2])) }()
	}
	if slices.Contains(*stages, strings.ToLower(base)) {
		return
	}
	m.ports = nil
	if base == "scratch" || slices.Contains(m.bases, base) {
		return
	}
	m.bases = append(m.bases, base)
	if m.cuda == "" && cudaBase.MatchString(base) {
		m.cuda = base
	}
	path := strings.Split(base, "@")[0]
	switch name := strings.Split(path[strings.LastIndex(path, "/")+1:], ":")[0]; {
	case strings.Contains(path, "databricksruntime/"):
		m.databricks = "it starts from " + base
		if found := dbRuntime.FindStringSubmatch(base); found != nil {
			m.runtime = found[1]
		}
	case m.spark == "" && (name == "spark" || name == "spark-py" || name == "pyspark"):
		m.spark = "it starts from " + base
	}
}

// instructions are a Dockerfile's lines, joined where they go on, without comments.
func instructions(text string) []string {
	var all []string
	joined := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if before, more := strings.CutSuffix(line, "\\"); more {
			joined += before + " "
			continue
		}
		all, joined = append(all, joined+line), ""
	}
	if joined != "" {
		all = append(all, joined)
	}
	return all
}

// expand puts the values of ARGs that have one in the place of their names.
func expand(text string, args map[string]string) string {
	return variable.ReplaceAllStringFunc(text, func(found string) string {
		parts := variable.FindStringSubmatch(found)
		name := parts[1] + parts[3]
		if value := args[name]; value != "" {
			return value
		}
		if parts[2] != "" {
			return parts[2]
		}
		return found
	})
}
