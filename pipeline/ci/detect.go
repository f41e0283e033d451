package ci

import (
	"cmp"
	"strings"
)

// Env looks up a variable of the environment, as os.Getenv does.
type Env func(name string) string

// has says whether a variable says yes, in one of the ways in which these systems write that.
func (e Env) has(name string) bool {
	value := strings.ToLower(e(name))
	return value == "true" || value == "1"
}

// first is the first of the variables that says anything.
func (e Env) first(names ...string) string {
	for _, name := range names {
		if value := e(name); value != "" {
			return value
		}
	}
	return ""
}

// detectors know one system each, by a variable that its documentation promises in every job. Those that imitate another
// system's variables stand before it.
var detectors = []struct {
	system System
	here   func(Env) bool
	facts  func(Env) Facts
}{
	{GitHub, func(e Env) bool { return e.has("GITHUB_ACTIONS") }, github},
	{GitLab, func(e Env) bool { return e.has("GITLAB_CI") }, gitlab},
	{Azure, func(e Env) bool { return e.has("TF_BUILD") }, azure},
	{TeamCity, func(e Env) bool { return e("TEAMCITY_VERSION") != "" }, teamcity},
	{Buildkite, func(e Env) bool { return e.has("BUILDKITE") }, buildkite},
	{CircleCI, func(e Env) bool { return e.has("CIRCLECI") }, circleci},
	{Bitbucket, func(e Env) bool { return e("BITBUCKET_BUILD_NUMBER") != "" }, bitbucket},
	{Woodpecker, func(e Env) bool { return e("CI") == "woodpecker" || e("CI_SYSTEM_NAME") == "woodpecker" }, woodpecker},
	{Drone, func(e Env) bool { return e.has("DRONE") }, drone},
	{Jenkins, func(e Env) bool { return e("JENKINS_URL") != "" || strings.HasPrefix(e("BUILD_TAG"), "jenkins-") }, jenkins},
}

// Detect says where the program runs. A system that sets no variables in its jobs (Tekton), or that this package does
// not know, is described by HALLMARK_CI and the variables of stated.
func Detect(env Env) Facts {
	for _, d := range detectors {
		if d.here(env) {
			facts := d.facts(env)
			facts.System = d.system
			if facts.Origin == Uncertain {
				facts.Origin = origin(true, env("HALLMARK_CI_FORK"))
			}
			return facts
		}
	}
	return stated(env)
}

// stated are facts that the pipeline's author hands over.
func stated(env Env) Facts {
	system := System(env("HALLMARK_CI"))
	if system == None {
		return Facts{}
	}
	facts := Facts{
		System: system, Run: env("HALLMARK_CI_RUN"), Repository: env("HALLMARK_CI_REPOSITORY"),
		Revision: env("HALLMARK_CI_REVISION"), Ref: env("HALLMARK_CI_REF"), Event: env("HALLMARK_CI_EVENT"),
		Actor: env("HALLMARK_CI_ACTOR"), PullRequest: env("HALLMARK_CI_PULL_REQUEST"),
		Builder: env("HALLMARK_CI_BUILDER"), Invocation: cmp.Or(env("HALLMARK_CI_INVOCATION"), env("HALLMARK_CI_RUN")),
	}
	facts.Origin = origin(facts.PullRequest != "", env("HALLMARK_CI_FORK"))
	return facts
}

// origin reads a system's word on whether a pull request comes from a fork.
func origin(pullRequest bool, fork string) Origin {
	switch {
	case !pullRequest:
		return Trusted
	case strings.EqualFold(fork, "true"):
		return Fork
	case strings.EqualFold(fork, "false"):
		return Own
	default:
		return Uncertain
	}
}

// marked is where a pull request comes from, of a system that sets a variable for those from forks alone.
func marked(fork string) Origin {
	if fork != "" {
		return Fork
	}
	return Own
}

// between compares the repositories that a pull request comes from and goes to.
func between(pullRequest bool, from, to string) Origin {
	switch {
	case !pullRequest:
		return Trusted
	case from == "" || to == "":
		return Uncertain
	case sameRepository(from, to):
		return Own
	default:
		return Fork
	}
}

// sameRepository compares two addresses of repositories, however each is written.
func sameRepository(a, b string) bool { return strings.EqualFold(webAddress(a), webAddress(b)) }

// webAddress is the https address of a repository that may be written as git clones it: git@host:path, ssh://…, with or
// without .git. User names and passwords in it are dropped, and so is what follows a question mark: some put tokens there.
func webAddress(address string) string {
	if strings.Contains(address, "://") {
		address, _, _ = strings.Cut(address, "#")
		address, _, _ = strings.Cut(address, "?")
	}
	address = strings.TrimSuffix(strings.TrimSuffix(address, "/"), ".git")
	scheme, rest, hasScheme := strings.Cut(address, "://")
	if !hasScheme {
		if _, after, found := strings.Cut(address, "@"); found { // git@host:path
			return "https://" + strings.Replace(after, ":", "/", 1)
		}
		return address
	}
	host, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndex(host, "@"); at >= 0 {
		host = host[at+1:]
	}
	if scheme == "ssh" || scheme == "git" {
		host, _, _ = strings.Cut(host, ":") // the port is ssh's
		scheme = "https"
	}
	return scheme + "://" + host + "/" + path
}

// WebAddress is the https address of a Git repository, without what may be secret in it; empty for no address.
func WebAddress(address string) string { return webAddress(address) }

// under joins a server's address with a path.
func under(server string, parts ...string) string {
	if server == "" {
		return ""
	}
	for _, part := range parts {
		if part == "" {
			return ""
		}
	}
	return strings.TrimSuffix(server, "/") + "/" + strings.Join(parts, "/")
}
