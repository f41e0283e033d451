package starter

import (
	"errors"
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
	GPU        bool      `json:"gpu,omitempty"`     // for clusters of Databricks that have some
	Ports      []string  `json:"ports,omitempty"`
	Remote     string    `json:"remote,omitempty"` // web address of the origin
	Branch     string    `json:"branch"`
	Registry   string    `json:"registry,omitempty"` // host/path that the image can be pushed to
	Known      bool      `json:"-"`                  // Registry was found out, and is no placeholder
	System     ci.System `json:"system,omitempty"`
	Azure      []string  `json:"azure,omitempty"` // registries of Azure that files name
	Findings   []string  `json:"findings"`
	// below is Root's path in the repository where it is not its top, with slashes: one of several images, perhaps.
	below string
	own   ownFiles
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
	s.found("%s", s.destination())
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
		// A Dockerfile may be a link to the one that counts; other links lead to files that are met anyway.
		if entry.Type().IsRegular() || dockerfileName.MatchString(entry.Name()) && linksWithin(root, path) {
			files = append(files, rel)
		}
		return nil
	})
	slices.SortStableFunc(files, func(a, b string) int { return strings.Count(a, "/") - strings.Count(b, "/") })
	return files, err
}

// linksWithin says whether path is a link to a regular file in the folder root.
func linksWithin(root, path string) bool {
	at, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	top, err := filepath.EvalSymlinks(root)
	if err != nil {
		return false
	}
	if rel, err := filepath.Rel(top, at); err != nil || !filepath.IsLocal(rel) {
		return false
	}
	info, err := os.Lstat(at)
	return err == nil && info.Mode().IsRegular()
}

// text is the beginning of a file; empty where it cannot be read.
func (s *Survey) text(rel string) string {
	text, _ := s.read(rel)
	return text
}

// read is the beginning of a file, without the mark of its encoding.
func (s *Survey) read(rel string) (string, error) {
	file, err := os.Open(filepath.Join(s.Root, filepath.FromSlash(rel)))
	if err != nil {
		return "", err
	}
	defer file.Close()
	body, err := io.ReadAll(io.LimitReader(file, maxFile))
	return strings.TrimPrefix(string(body), "\ufeff"), err
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
	if len(all) == 0 && s.exists("Dockerfile") {
		s.found("Dockerfile is neither a file nor a link to one in this folder: hallmark.yaml expects one in its place")
		return
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
	s.Dockerfile = all[0]
	built, _ := os.Stat(filepath.Join(s.Root, filepath.FromSlash(s.Dockerfile)))
	for _, other := range all[1:] { // what the first is a link to is no other
		if info, err := os.Stat(filepath.Join(s.Root, filepath.FromSlash(other))); err != nil || !os.SameFile(built, info) {
			s.Others = append(s.Others, other)
		}
	}
	s.found("%s is built", s.Dockerfile)
	if len(s.Others) > 0 {
		s.found("there are other Dockerfiles, each of which takes a hallmark.yaml of its own: %s", strings.Join(s.Others[:min(len(s.Others), 5)], ", "))
	}
	text, err := s.read(s.Dockerfile)
	if cause := (*fs.PathError)(nil); errors.As(err, &cause) {
		s.found("it cannot be read (%v), so that what it is for is not known", cause.Err)
	}
	made := readDockerfile(text)
	s.Bases, s.Ports = made.bases, made.ports
	switch {
	case made.databricks != "":
		s.Kind, s.Runtime = Databricks, made.runtime
		s.found("it is for Databricks: %s", made.databricks)
		if s.GPU = made.cuda != ""; s.GPU {
			s.found("it is for nodes with a GPU: it starts from %s", made.cuda)
		}
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

var (
	foreignRunes = regexp.MustCompile(`[^a-z0-9._-]+`)
	separators   = regexp.MustCompile(`[._-]{2,}`)
)

// imageName makes a part of a repository's path of a name: letters and digits, with one separator between them (also two
// underscores or several hyphens).
func imageName(name string) string {
	name = foreignRunes.ReplaceAllString(strings.ToLower(name), "-")
	name = separators.ReplaceAllStringFunc(name, func(found string) string {
		if found == "__" {
			return found
		}
		return "-"
	})
	if name = strings.Trim(name, "-._"); name == "" {
		return "image"
	}
	return name
}

// imagePath makes each part of a path one of an image's.
func imagePath(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		parts[i] = imageName(part)
	}
	return strings.Join(parts, "/")
}

// registry concludes where the image can go.
func (s *Survey) registry() {
	host, path, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(s.Remote, "https://"), "http://"), "/")
	if path != "" {
		path = imagePath(strings.TrimSuffix(path+"/"+s.below, "/"))
	}
	switch {
	case len(s.Azure) > 0:
		s.Registry = s.Azure[0] + "/" + s.Name
	case host == "github.com" && path != "":
		s.Registry = "ghcr.io/" + path
	case host == "gitlab.com" && path != "":
		s.Registry = "registry.gitlab.com/" + path
	}
	if s.Known = s.Registry != ""; !s.Known {
		s.Registry = "registry.example.com/" + s.Name
	}
}

// jobImage is what the CI job sets HALLMARK_IMAGE to. GitLab tells each project where its own registry is.
func (s Survey) jobImage() string {
	if s.System == ci.GitLab {
		return "$CI_REGISTRY_IMAGE"
	}
	return s.Registry
}

// destination is the finding of where the image goes.
func (s Survey) destination() string {
	switch {
	case s.System == ci.GitLab:
		return "the image goes to the project's own registry in GitLab: " + s.jobImage()
	case s.Known:
		return "the image goes to " + s.Registry
	default:
		return "where the image goes is not known: replace " + s.Registry
	}
}
