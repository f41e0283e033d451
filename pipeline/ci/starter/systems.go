package starter

import (
	"strings"

	"github.com/hallmark-ci/hallmark/pipeline/ci"
)

// marks are the files by which each CI system is known, its own name for them first. A mark that ends with / is a folder.
var marks = []struct {
	system ci.System
	files  []string
}{
	{ci.GitHub, []string{".github/workflows/"}},
	{ci.GitLab, []string{".gitlab-ci.yml"}},
	{ci.Azure, []string{"azure-pipelines.yml", "azure-pipelines.yaml", ".azure-pipelines/", ".azuredevops/"}},
	{ci.Jenkins, []string{"Jenkinsfile"}},
	{ci.CircleCI, []string{".circleci/"}},
	{ci.Buildkite, []string{".buildkite/"}},
	{ci.Bitbucket, []string{"bitbucket-pipelines.yml"}},
	{ci.Woodpecker, []string{".woodpecker/", ".woodpecker.yml", ".woodpecker.yaml"}},
	{ci.Drone, []string{".drone.yml"}},
	{ci.Tekton, []string{".tekton/"}},
	{ci.TeamCity, []string{".teamcity/"}},
}

// systems finds out which CI system the repository uses: by its files, else by where it comes from.
func (s *Survey) systems(files []string) {
	for _, m := range marks {
		for _, file := range files {
			for _, mark := range m.files {
				if file == mark || strings.HasSuffix(mark, "/") && strings.HasPrefix(file, mark) {
					if s.own[m.system] == "" {
						s.own[m.system] = file
					}
				}
			}
		}
		if file := s.own[m.system]; file != "" && s.System == ci.None {
			s.System = m.system
			s.found("it runs on %s: there is %s", m.system.Name(), file)
		}
	}
	if s.System != ci.None {
		return
	}
	for mark, system := range map[string]ci.System{
		"https://github.com/": ci.GitHub, "https://gitlab.": ci.GitLab, "https://dev.azure.com/": ci.Azure,
		"https://ssh.dev.azure.com/": ci.Azure, "https://bitbucket.org/": ci.Bitbucket, "https://codeberg.org/": ci.Woodpecker,
	} {
		if strings.HasPrefix(s.Remote, mark) {
			if s.below != "" { // a job in this folder would be read by nobody
				s.found("%s reads jobs at the top of the repository alone, and this is %s in it: let one of them run hallmark run --config %s", system.Name(), s.below, quoted(s.below))
				return
			}
			s.System = system
			s.found("it has no CI job yet; %s runs them where it comes from", system.Name())
			return
		}
	}
	s.found("no CI system is known of it: --ci names one")
}
