package starter

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/ci"
)

// git reads where the repository comes from, and its branch, from Git's own files.
func (s *Survey) git() {
	folder, top := gitFolder(s.Root)
	if folder == "" {
		return
	}
	if rel, err := filepath.Rel(top, s.Root); err == nil && rel != "." {
		s.below = filepath.ToSlash(rel)
	}
	common := folder
	if text, err := os.ReadFile(filepath.Join(folder, "commondir")); err == nil { // a worktree
		common = filepath.Join(folder, strings.TrimSpace(string(text)))
	}
	if remote := origin(filepath.Join(common, "config")); remote != "" {
		s.Remote = ci.WebAddress(remote)
		if s.below == "" { // a folder of its own name has an image of its own
			s.Name = imageName(s.Remote[strings.LastIndex(s.Remote, "/")+1:])
		}
		s.found("it comes from %s", s.Remote)
	}
	// What the remote calls its default branch, else the one that is checked out.
	for _, file := range []string{filepath.Join(common, "refs", "remotes", "origin", "HEAD"), filepath.Join(folder, "HEAD")} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		ref := strings.TrimSpace(string(text))
		for _, prefix := range []string{"ref: refs/remotes/origin/", "ref: refs/heads/"} {
			if branch, ok := strings.CutPrefix(ref, prefix); ok && plainBranch(branch) {
				s.Branch = branch
				return
			}
		}
	}
}

// plainBranch says whether a name can stand in any file without quotes.
func plainBranch(name string) bool {
	for _, r := range name {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("-_./", r):
		default:
			return false
		}
	}
	return name != "" && !strings.HasPrefix(name, "-") && !strings.HasPrefix(name, ".")
}

// gitFolder is the .git folder of the repository that root lies in, and the repository's top: at most a few folders up.
func gitFolder(root string) (folder, top string) {
	for range 6 {
		at := filepath.Join(root, ".git")
		info, err := os.Stat(at)
		switch {
		case err == nil && info.IsDir():
			return at, root
		case err == nil:
			text, err := os.ReadFile(at)
			path, found := strings.CutPrefix(strings.TrimSpace(string(text)), "gitdir: ")
			if err != nil || !found {
				return "", ""
			}
			if !filepath.IsAbs(path) {
				path = filepath.Join(root, path)
			}
			return path, root
		}
		above := filepath.Dir(root)
		if above == root {
			return "", ""
		}
		root = above
	}
	return "", ""
}

// origin reads the address of the remote "origin" from Git's configuration.
func origin(config string) string {
	file, err := os.Open(config)
	if err != nil {
		return ""
	}
	defer file.Close()
	inside := false
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		if strings.HasPrefix(line, "[") {
			inside = line == `[remote "origin"]`
			continue
		}
		if name, value, found := strings.Cut(line, "="); inside && found && strings.TrimSpace(name) == "url" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
