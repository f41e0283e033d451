package starter

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/ci"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Kind is what sort of image a Dockerfile makes.
type Kind string

const (
	Service    Kind = "service"
	Spark      Kind = "spark"
	Databricks Kind = "databricks"
)

// Survey is what was found out about a repository. Every conclusion has its reason among the Findings.
type Survey struct {
	Root       string    `json:"root"`
	Name       string    `json:"name"`                 // of the image
	Dockerfile string    `json:"dockerfile,omitempty"` // in the repository, with slashes; empty: there is none
	Others     []string  `json:"others,omitempty"`     // further Dockerfiles
	Bases      []string  `json:"bases,omitempty"`      // images that the Dockerfile starts from
	Kind       Kind      `json:"kind"`
	Runtime    string    `json:"runtime,omitempty"` // Databricks runtime: "16.4"
	Ports      []string  `json:"ports,omitempty"`
	Remote     string    `json:"remote,omitempty"` // web address of the origin
	Branch     string    `json:"branch"`
	Registry   string    `json:"registry,omitempty"` // host/path that the image can be pushed to
	Known      bool      `json:"-"`                  // Registry was found out, and is no placeholder
	System     ci.System `json:"system,omitempty"`
	Azure      []string  `json:"azure,omitempty"` // registries of Azure that files name
	Findings   []string  `json:"findings"`
	own        ownFiles
}

// ownFiles are the files of CI systems that are there.
type ownFiles map[ci.System]string

// Bounds of what is looked at: a repository may hold anything.
const (
	maxEntries = 20_000
	maxDepth   = 4
	maxFile    = 1 << 20
)

// skipped are folders in which nobody keeps what is looked for.
var skipped = []string{".git", "node_modules", "vendor", ".venv", "venv", "target", "dist", "build", ".terraform", "__pycache__"}

// Look surveys the repository in the folder root.
func Look(root string) (Survey, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return Survey{}, err
	}
	s := Survey{Root: root, Name: imageName(filepath.Base(root)), Kind: Service, Branch: "main", own: ownFiles{}}
	files, err := list(root)
	if err != nil {
		return s, err
	}
	s.git()
	s.dockerfiles(files)
	s.systems(files)
	s.hints(files)
	s.registry()
	return s, nil
}

func (s *Survey) found(format string, args ...any) {
	s.Findings = append(s.Findings, fmt.Sprintf(format, args...))
}

// list are the repository's files, those nearest to its root first.
func list(root string) ([]string, error) {
	var files []string
	entries := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if path == root {
				return fmt.Errorf("%w: looking at %s: %w", verdict.ErrUsage, root, err)
			}
			return nil // a folder that may not be read has nothing to say
		}
		entries++
		if entries > maxEntries {
			return filepath.SkipAll
		}
		rel, _ := filepath.Rel(root, path)
		rel = filepath.ToSlash(rel)
		if entry.IsDir() {
			if rel != "." && (slices.Contains(skipped, entry.Name()) || strings.Count(rel, "/") >= maxDepth) {
				return filepath.SkipDir
			}
			return nil
		}
		if entry.Type().IsRegular() {
			files = append(files, rel)
		}
		return nil
	})
	slices.SortStableFunc(files, func(a, b string) int { return strings.Count(a, "/") - strings.Count(b, "/") })
	return files, err
}

// text is the beginning of a file; empty where it cannot be read.
func (s *Survey) text(rel string) string {
	file, err := os.Open(filepath.Join(s.Root, filepath.FromSlash(rel)))
	if err != nil {
		return ""
	}
	defer file.Close()
	body, _ := io.ReadAll(io.LimitReader(file, maxFile))
	return string(body)
}

var dockerfileName = regexp.MustCompile(`(?i)^(Dockerfile|Containerfile)$|\.Dockerfile$|^Dockerfile\.[\w.-]+$`)

func (s *Survey) dockerfiles(files []string) {
	var all []string
	for _, file := range files {
		name := file[strings.LastIndex(file, "/")+1:]
		if dockerfileName.MatchString(name) && !strings.HasSuffix(name, ".dockerignore") {
			all = append(all, file)
		}
	}
	if len(all) == 0 {
		s.found("there is no Dockerfile yet: hallmark.yaml expects one beside it")
		return
	}
	// Among those at the same depth, the one that has the plain name.
	slices.SortStableFunc(all, func(a, b string) int {
		if d := strings.Count(a, "/") - strings.Count(b, "/"); d != 0 {
			return d
		}
		return len(a[strings.LastIndex(a, "/")+1:]) - len(b[strings.LastIndex(b, "/")+1:])
	})
	s.Dockerfile, s.Others = all[0], all[1:]
	s.found("%s is built", s.Dockerfile)
	if len(s.Others) > 0 {
		s.found("there are other Dockerfiles, each of which takes a hallmark.yaml of its own: %s", strings.Join(s.Others[:min(len(s.Others), 5)], ", "))
	}
	made := readDockerfile(s.text(s.Dockerfile))
	s.Bases, s.Ports = made.bases, made.ports
	switch {
	case made.databricks != "":
		s.Kind, s.Runtime = Databricks, made.runtime
		s.found("it is for Databricks: %s", made.databricks)
	case made.spark != "":
		s.Kind = Spark
		s.found("it is for Spark: %s", made.spark)
	}
}

// hints are what other files say of the image.
func (s *Survey) hints(files []string) {
	azure := regexp.MustCompile(`\b([a-z0-9]{5,50}\.azurecr\.io)\b`)
	for _, file := range files {
		name := file[strings.LastIndex(file, "/")+1:]
		if s.Kind != Databricks && (name == "databricks.yml" || name == "databricks.yaml") {
			s.Kind = Databricks
			s.found("it is for Databricks: there is %s", file)
		}
		switch filepath.Ext(name) {
		case ".yml", ".yaml", ".tf", ".bicep", ".json", ".sh", "":
		default:
			continue
		}
		for _, found := range azure.FindAllString(s.text(file), 20) {
			if !slices.Contains(s.Azure, found) {
				s.Azure = append(s.Azure, found)
				s.found("%s names the registry %s", file, found)
			}
		}
	}
}

// imageName makes a repository's path of a folder's name.
func imageName(name string) string {
	name = strings.Trim(regexp.MustCompile(`[^a-z0-9._-]+`).ReplaceAllString(strings.ToLower(name), "-"), "-._")
	if name == "" {
		return "image"
	}
	return name
}

// registry concludes where the image can go.
func (s *Survey) registry() {
	host, path, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(s.Remote, "https://"), "http://"), "/")
	path = strings.ToLower(path)
	switch {
	case len(s.Azure) > 0:
		s.Registry = s.Azure[0] + "/" + s.Name
	case host == "github.com" && path != "":
		s.Registry = "ghcr.io/" + path
	case host == "gitlab.com" && path != "":
		s.Registry = "registry.gitlab.com/" + path
	}
	if s.Known = s.Registry != ""; s.Known {
		s.found("the image goes to %s", s.Registry)
	} else {
		s.found("where the image goes is not known: replace registry.example.com/%s", s.Name)
		s.Registry = "registry.example.com/" + s.Name
	}
}
