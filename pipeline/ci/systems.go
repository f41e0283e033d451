package ci

import (
	"cmp"
	"encoding/json"
	"net/url"
	"os"
	"strings"
)

// github: https://docs.github.com/en/actions/reference/workflows-and-actions/variables
func github(e Env) Facts {
	server := cmp.Or(e("GITHUB_SERVER_URL"), "https://github.com")
	repository := e("GITHUB_REPOSITORY")
	f := Facts{
		Repository: under(server, repository), Revision: e("GITHUB_SHA"), Ref: e("GITHUB_REF"),
		Event: e("GITHUB_EVENT_NAME"), Actor: e.first("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"),
		Run: under(server, repository, "actions/runs", e("GITHUB_RUN_ID")), Workspace: e("GITHUB_WORKSPACE"),
		Builder: under(server, e("GITHUB_WORKFLOW_REF")), Debug: e.has("RUNNER_DEBUG"),
	}
	f.Invocation = f.Run
	if attempt := e("GITHUB_RUN_ATTEMPT"); f.Run != "" && attempt != "" {
		f.Invocation += "/attempts/" + attempt
	}
	// Only the event's file tells whose branch it is. Besides pull requests these events are about one, or may be, and unlike
	// those from forks they come with all secrets.
	switch f.Event {
	case "pull_request", "pull_request_target", "pull_request_review", "pull_request_review_comment", "workflow_run", "issue_comment":
	default:
		return f
	}
	event := readEvent(e("GITHUB_EVENT_PATH"))
	if f.Event == "issue_comment" && event.known && event.Issue.PullRequest == nil {
		return f // on an issue, which has no branch
	}
	f.PullRequest = event.number()
	if f.PullRequest == "" && strings.HasPrefix(f.Event, "pull_request") {
		f.PullRequest = strings.TrimSuffix(strings.TrimPrefix(e("GITHUB_REF_NAME"), "refs/pull/"), "/merge")
	}
	f.Origin = between(true, event.head(), cmp.Or(event.PullRequest.Base.Repo.FullName, repository))
	if f.Origin == Own && e("GITHUB_ACTOR") == dependabot && strings.HasPrefix(f.Event, "pull_request") {
		f.Origin = Unprivileged
	}
	return f
}

// dependabot opens pull requests from branches of the repository, and its runs are treated as those of a fork:
// https://docs.github.com/en/code-security/dependabot/troubleshooting-dependabot/troubleshooting-dependabot-on-github-actions
const dependabot = "dependabot[bot]"

// maxEvent bounds the file that describes an event: GitHub's own limit for what webhooks deliver is 25 MB.
const maxEvent = 25 << 20

// repo is a repository in an event. One that has been deleted is null, and reads as none.
type repo struct {
	FullName string `json:"full_name"`
}

// event is what a file about an event tells of where the code comes from.
type event struct {
	known bool

	Number      json.Number `json:"number"`
	PullRequest struct {
		Number     json.Number `json:"number"`
		Head, Base struct {
			Repo repo `json:"repo"`
		}
	} `json:"pull_request"`
	WorkflowRun struct {
		Head repo `json:"head_repository"`
	} `json:"workflow_run"`
	Issue struct {
		Number      json.Number     `json:"number"`
		PullRequest *map[string]any `json:"pull_request"`
	} `json:"issue"`
}

func (e event) number() string {
	return cmp.Or(e.PullRequest.Number.String(), e.Number.String(), e.Issue.Number.String())
}

func (e event) head() string {
	return cmp.Or(e.PullRequest.Head.Repo.FullName, e.WorkflowRun.Head.FullName)
}

// readEvent reads the file of an event; what cannot be read tells nothing.
func readEvent(path string) event {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxEvent {
		return event{}
	}
	body, err := os.ReadFile(path)
	var e event
	if err != nil || json.Unmarshal(body, &e) != nil {
		return event{}
	}
	e.known = true
	return e
}

// gitlab: https://docs.gitlab.com/ci/variables/predefined_variables/
func gitlab(e Env) Facts {
	project := e("CI_PROJECT_URL")
	f := Facts{
		Repository: project, Run: e.first("CI_JOB_URL", "CI_PIPELINE_URL"), Revision: e("CI_COMMIT_SHA"),
		Ref: e("CI_COMMIT_REF_NAME"), Event: e("CI_PIPELINE_SOURCE"), Actor: e("GITLAB_USER_LOGIN"),
		PullRequest: e("CI_MERGE_REQUEST_IID"), Builder: under(project, "-/runners", e("CI_RUNNER_ID")),
		Invocation: e.first("CI_JOB_URL", "CI_PIPELINE_URL"), Workspace: e("CI_PROJECT_DIR"), Debug: e.has("CI_DEBUG_TRACE"),
	}
	f.Origin = between(f.PullRequest != "", e("CI_MERGE_REQUEST_SOURCE_PROJECT_ID"), e("CI_MERGE_REQUEST_PROJECT_ID"))
	return f
}

// azure: https://learn.microsoft.com/azure/devops/pipelines/build/variables
func azure(e Env) Facts {
	project := under(e.first("SYSTEM_COLLECTIONURI", "SYSTEM_TEAMFOUNDATIONCOLLECTIONURI"), url.PathEscape(e("SYSTEM_TEAMPROJECT")))
	if e("SYSTEM_TEAMPROJECT") == "" {
		project = ""
	}
	f := Facts{
		Repository: webAddress(e("BUILD_REPOSITORY_URI")), Revision: e("BUILD_SOURCEVERSION"), Ref: e("BUILD_SOURCEBRANCH"),
		Event: e("BUILD_REASON"), Actor: e.first("BUILD_REQUESTEDFOR"), Workspace: e("BUILD_SOURCESDIRECTORY"),
		PullRequest: e.first("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", "SYSTEM_PULLREQUEST_PULLREQUESTID"), Debug: e.has("SYSTEM_DEBUG"),
	}
	if id := e("BUILD_BUILDID"); project != "" && id != "" {
		f.Run = project + "/_build/results?buildId=" + url.QueryEscape(id)
		f.Invocation = f.Run
		if job := e("SYSTEM_JOBID"); job != "" {
			f.Invocation += "&j=" + url.QueryEscape(job)
		}
	}
	if id := e("SYSTEM_DEFINITIONID"); project != "" && id != "" {
		f.Builder = project + "/_build?definitionId=" + url.QueryEscape(id)
	}
	f.Origin = origin(f.PullRequest != "", e("SYSTEM_PULLREQUEST_ISFORK"))
	return f
}

// jenkins: https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#using-environment-variables, and the variables of
// multibranch projects. CHANGE_FORK is there where the change comes from a fork, and only there.
func jenkins(e Env) Facts {
	f := Facts{
		Repository: webAddress(e("GIT_URL")), Run: e("BUILD_URL"), Revision: e("GIT_COMMIT"), Ref: e.first("BRANCH_NAME", "GIT_BRANCH"),
		Actor: e.first("CHANGE_AUTHOR"), PullRequest: e("CHANGE_ID"), Builder: e.first("JOB_URL", "JENKINS_URL"),
		Invocation: e.first("BUILD_URL", "BUILD_TAG"), Workspace: e("WORKSPACE"),
	}
	if f.PullRequest != "" {
		f.Event, f.Origin = "change", marked(e("CHANGE_FORK"))
	}
	return f
}

// circleci: https://circleci.com/docs/reference/variables/. CIRCLE_PR_REPONAME is set for pull requests from forks, and
// only for them.
func circleci(e Env) Facts {
	f := Facts{
		Repository: webAddress(e("CIRCLE_REPOSITORY_URL")), Run: e("CIRCLE_BUILD_URL"), Revision: e("CIRCLE_SHA1"),
		Ref: e.first("CIRCLE_TAG", "CIRCLE_BRANCH"), Actor: e("CIRCLE_USERNAME"), Invocation: e("CIRCLE_BUILD_URL"),
		Workspace: e("CIRCLE_WORKING_DIRECTORY"),
	}
	if page := e("CIRCLE_PULL_REQUEST"); page != "" {
		f.PullRequest = page[strings.LastIndex(page, "/")+1:]
	}
	f.PullRequest = cmp.Or(e("CIRCLE_PR_NUMBER"), f.PullRequest)
	if id := e("CIRCLE_PROJECT_ID"); id != "" {
		f.Builder = "https://circleci.com/api/v2/project/" + url.PathEscape(id)
	}
	if f.PullRequest != "" {
		f.Event, f.Origin = "pull_request", marked(e("CIRCLE_PR_REPONAME"))
	}
	return f
}

// buildkite: https://buildkite.com/docs/pipelines/configure/environment-variables
func buildkite(e Env) Facts {
	f := Facts{
		Repository: webAddress(e("BUILDKITE_REPO")), Run: e("BUILDKITE_BUILD_URL"), Revision: e("BUILDKITE_COMMIT"),
		Ref: e.first("BUILDKITE_TAG", "BUILDKITE_BRANCH"), Event: e("BUILDKITE_SOURCE"), Actor: e("BUILDKITE_BUILD_CREATOR"),
		Workspace: e("BUILDKITE_BUILD_CHECKOUT_PATH"),
	}
	if organisation, pipeline := e("BUILDKITE_ORGANIZATION_SLUG"), e("BUILDKITE_PIPELINE_SLUG"); organisation != "" && pipeline != "" {
		f.Builder = "https://buildkite.com/" + organisation + "/" + pipeline
	}
	if f.Invocation = f.Run; f.Run != "" && e("BUILDKITE_JOB_ID") != "" {
		f.Invocation += "#" + e("BUILDKITE_JOB_ID")
	}
	if number := e("BUILDKITE_PULL_REQUEST"); number != "false" {
		f.PullRequest = number
	}
	f.Origin = between(f.PullRequest != "", e("BUILDKITE_PULL_REQUEST_REPO"), e("BUILDKITE_REPO"))
	return f
}

// bitbucket: https://support.atlassian.com/bitbucket-cloud/docs/variables-and-secrets/. Pull requests from forks run in
// the fork, with the fork's own secrets.
func bitbucket(e Env) Facts {
	origin := e("BITBUCKET_GIT_HTTP_ORIGIN")
	f := Facts{
		Repository: webAddress(origin), Revision: e("BITBUCKET_COMMIT"), Ref: e.first("BITBUCKET_TAG", "BITBUCKET_BRANCH"),
		Actor: e("BITBUCKET_STEP_TRIGGERER_UUID"), PullRequest: e("BITBUCKET_PR_ID"), Workspace: e("BITBUCKET_CLONE_DIR"),
		Builder: under(webAddress(origin), "pipelines"), Run: under(webAddress(origin), "pipelines/results", e("BITBUCKET_BUILD_NUMBER")),
	}
	if f.Invocation = f.Run; e("BITBUCKET_STEP_UUID") != "" && f.Run != "" {
		f.Invocation += "/steps/" + url.PathEscape(e("BITBUCKET_STEP_UUID"))
	}
	if f.PullRequest != "" {
		f.Event, f.Origin = "pull_request", Own
	}
	return f
}

// drone: https://docs.drone.io/pipeline/environment/reference/. It has no variable that tells of forks.
func drone(e Env) Facts {
	f := Facts{
		Repository: e("DRONE_REPO_LINK"), Run: e("DRONE_BUILD_LINK"), Revision: e("DRONE_COMMIT_SHA"), Ref: e("DRONE_COMMIT_REF"),
		Event: e("DRONE_BUILD_EVENT"), Actor: e.first("DRONE_COMMIT_AUTHOR"), PullRequest: e("DRONE_PULL_REQUEST"),
		Workspace: e("DRONE_WORKSPACE"), Invocation: e("DRONE_BUILD_LINK"),
	}
	if host := e("DRONE_SYSTEM_HOST"); host != "" {
		f.Builder = cmp.Or(e("DRONE_SYSTEM_PROTO"), "https") + "://" + host + "/" + e("DRONE_REPO")
	}
	if f.Event == "pull_request" {
		f.Origin = Uncertain
	}
	return f
}

// woodpecker: https://woodpecker-ci.org/docs/usage/environment. It has no variable that tells of forks.
func woodpecker(e Env) Facts {
	f := Facts{
		Repository: e("CI_REPO_URL"), Run: e("CI_PIPELINE_URL"), Revision: e("CI_COMMIT_SHA"), Ref: e("CI_COMMIT_REF"),
		Event: e("CI_PIPELINE_EVENT"), Actor: e("CI_COMMIT_AUTHOR"), PullRequest: e("CI_COMMIT_PULL_REQUEST"),
		Workspace: e("CI_WORKSPACE"), Builder: under(e("CI_SYSTEM_URL"), "repos", e("CI_REPO_ID")),
		Invocation: e.first("CI_STEP_URL", "CI_PIPELINE_URL"),
	}
	if f.Event == "pull_request" || f.PullRequest != "" {
		f.Origin = Uncertain
	}
	return f
}
