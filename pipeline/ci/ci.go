// Package ci says where the program runs (GitHub Actions, GitLab CI, Azure Pipelines, Jenkins, CircleCI, Buildkite,
// Bitbucket, Drone, Woodpecker, Tekton, TeamCity, or somebody's terminal), and how to speak there: sections of the log,
// annotations, masks, outputs, summaries.
//
// It knows what these systems document of their environment and of their log's commands, and nothing else: no variable is
// read that a vendor does not vouch for, and nothing is guessed from a path or a user's name. What images, build steps
// and registries say passes through a Guard on its way to a log that obeys commands, so that none of it becomes one.
package ci

import "strings"

// System is what runs the program.
type System string

const (
	None       System = "" // a terminal, or a system that this package does not know
	GitHub     System = "github"
	GitLab     System = "gitlab"
	Azure      System = "azure-pipelines"
	Jenkins    System = "jenkins"
	CircleCI   System = "circleci"
	Buildkite  System = "buildkite"
	Bitbucket  System = "bitbucket"
	Drone      System = "drone"
	Woodpecker System = "woodpecker"
	Tekton     System = "tekton"
	TeamCity   System = "teamcity"
)

// Systems lists those that are known, for flags and help texts.
var Systems = []System{GitHub, GitLab, Azure, Jenkins, CircleCI, Buildkite, Bitbucket, Drone, Woodpecker, Tekton, TeamCity}

// Name is what people call the system.
func (s System) Name() string {
	names := map[System]string{
		None: "a terminal", GitHub: "GitHub Actions", GitLab: "GitLab CI", Azure: "Azure Pipelines", Jenkins: "Jenkins",
		CircleCI: "CircleCI", Buildkite: "Buildkite", Bitbucket: "Bitbucket Pipelines", Drone: "Drone",
		Woodpecker: "Woodpecker", Tekton: "Tekton", TeamCity: "TeamCity",
	}
	return names[s]
}

// Origin says where the change under test comes from, which decides what it may be trusted with.
type Origin string

const (
	Trusted Origin = ""     // no pull request: somebody who may write has pushed it
	Own     Origin = "own"  // a pull request from a branch of the same repository
	Fork    Origin = "fork" // a pull request from somebody else's copy
	// Unprivileged is a pull request of the same repository whose run may do no more than that of a fork.
	Unprivileged Origin = "unprivileged"
	Uncertain    Origin = "unknown" // a pull request, and the system does not say from where
)

// Facts are what the system says of the run. Empty fields are unknown.
type Facts struct {
	System System `json:"system,omitempty"`
	// Run is the page of the run, for people.
	Run string `json:"run,omitempty"`
	// Repository is the web address of the source repository.
	Repository string `json:"repository,omitempty"`
	// Revision is the commit, in full, that was checked out.
	Revision string `json:"revision,omitempty"`
	// Ref is the branch or tag, as the system writes it.
	Ref string `json:"ref,omitempty"`
	// Event is what started the run, in the system's own word: push, pull_request, schedule, …
	Event string `json:"event,omitempty"`
	// Actor is who started it.
	Actor string `json:"actor,omitempty"`
	// PullRequest is the number of the pull or merge request that the run is about.
	PullRequest string `json:"pull_request,omitempty"`
	Origin      Origin `json:"origin,omitempty"`
	// Builder is a URI that stands for who builds, for provenance: the workflow where the system names one, else its server.
	Builder string `json:"builder,omitempty"`
	// Invocation identifies this one execution, also among retries of the same run.
	Invocation string `json:"invocation,omitempty"`
	// Workspace is the folder of the checkout, against which annotations name files.
	Workspace string `json:"workspace,omitempty"`
	// Debug says that somebody asked the system for more output.
	Debug bool `json:"debug,omitempty"`
}

// MayNotWrite says why the run may not sign or push; empty: it may. Forks may not: everyone can open a pull request from
// one, and what it brings runs before anybody has read it. Where a system does not tell forks apart, none may.
func (f Facts) MayNotWrite() string {
	what := strings.TrimSpace("pull request " + f.PullRequest)
	if f.PullRequest == "" && f.Event != "" {
		what = "what " + f.Event + " is about"
	}
	switch f.Origin {
	case Fork:
		return what + " comes from a fork, whose changes nobody has read yet"
	case Unprivileged:
		return what + " was opened by a program whose runs get neither secrets nor a token that may write"
	case Uncertain:
		return what + " may come from a fork, which " + f.System.Name() + " does not tell (HALLMARK_CI_FORK=false says that it does not)"
	default:
		return ""
	}
}
