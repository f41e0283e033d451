package ci

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func env(values map[string]string) Env { return func(name string) string { return values[name] } }

const commit = "0123456789abcdef0123456789abcdef01234567"

// with is a copy of values with pairs above them.
func with(values map[string]string, pairs ...string) map[string]string {
	all := map[string]string{}
	for name, value := range values {
		all[name] = value
	}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = pairs[i+1]
	}
	return all
}

var (
	onGitHub = map[string]string{
		"CI": "true", "GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "octo/app",
		"GITHUB_SHA": commit, "GITHUB_REF": "refs/heads/main", "GITHUB_REF_NAME": "main", "GITHUB_EVENT_NAME": "push",
		"GITHUB_ACTOR": "octocat", "GITHUB_RUN_ID": "77", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_WORKSPACE": "/w",
		"GITHUB_WORKFLOW_REF": "octo/app/.github/workflows/golden.yml@refs/heads/main",
	}
	onGitLab = map[string]string{
		"CI": "true", "GITLAB_CI": "true", "CI_PROJECT_URL": "https://gitlab.com/group/app", "CI_JOB_URL": "https://gitlab.com/group/app/-/jobs/9",
		"CI_COMMIT_SHA": commit, "CI_COMMIT_REF_NAME": "main", "CI_PIPELINE_SOURCE": "push", "GITLAB_USER_LOGIN": "ada",
		"CI_RUNNER_ID": "12", "CI_PROJECT_DIR": "/builds/group/app",
	}
	onAzure = map[string]string{
		"TF_BUILD": "True", "SYSTEM_COLLECTIONURI": "https://dev.azure.com/org/", "SYSTEM_TEAMPROJECT": "My Project", "BUILD_BUILDID": "31",
		"SYSTEM_DEFINITIONID": "4", "SYSTEM_JOBID": "j-1", "BUILD_SOURCEVERSION": commit, "BUILD_SOURCEBRANCH": "refs/heads/main",
		"BUILD_REASON": "IndividualCI", "BUILD_REQUESTEDFOR": "Ada", "BUILD_REPOSITORY_URI": "https://org@dev.azure.com/org/p/_git/app",
		"BUILD_SOURCESDIRECTORY": "/agent/s", "SYSTEM_DEBUG": "True",
	}
	onJenkins = map[string]string{
		"JENKINS_URL": "https://jenkins.example.com/", "BUILD_URL": "https://jenkins.example.com/job/app/5/", "JOB_URL": "https://jenkins.example.com/job/app/",
		"GIT_URL": "git@github.com:octo/app.git", "GIT_COMMIT": commit, "BRANCH_NAME": "main", "WORKSPACE": "/j/w", "BUILD_TAG": "jenkins-app-5",
	}
	onCircleCI = map[string]string{
		"CIRCLECI": "true", "CIRCLE_REPOSITORY_URL": "git@github.com:octo/app.git", "CIRCLE_BUILD_URL": "https://circleci.com/gh/octo/app/6",
		"CIRCLE_SHA1": commit, "CIRCLE_BRANCH": "main", "CIRCLE_USERNAME": "ada", "CIRCLE_PROJECT_ID": "p-1", "CIRCLE_WORKING_DIRECTORY": "/c/w",
	}
	onBuildkite = map[string]string{
		"BUILDKITE": "true", "BUILDKITE_REPO": "git@github.com:octo/app.git", "BUILDKITE_BUILD_URL": "https://buildkite.com/org/app/builds/3",
		"BUILDKITE_JOB_ID": "b-1", "BUILDKITE_ORGANIZATION_SLUG": "org", "BUILDKITE_PIPELINE_SLUG": "app", "BUILDKITE_COMMIT": commit,
		"BUILDKITE_BRANCH": "main", "BUILDKITE_SOURCE": "webhook", "BUILDKITE_BUILD_CREATOR": "Ada", "BUILDKITE_PULL_REQUEST": "false",
		"BUILDKITE_BUILD_CHECKOUT_PATH": "/b/w",
	}
	onBitbucket = map[string]string{
		"BITBUCKET_BUILD_NUMBER": "8", "BITBUCKET_GIT_HTTP_ORIGIN": "https://bitbucket.org/team/app", "BITBUCKET_COMMIT": commit,
		"BITBUCKET_BRANCH": "main", "BITBUCKET_STEP_UUID": "{s-1}", "BITBUCKET_STEP_TRIGGERER_UUID": "{u-1}", "BITBUCKET_CLONE_DIR": "/opt/w",
	}
	onDrone = map[string]string{
		"DRONE": "true", "DRONE_REPO_LINK": "https://github.com/octo/app", "DRONE_REPO": "octo/app", "DRONE_BUILD_LINK": "https://drone.example.com/octo/app/2",
		"DRONE_SYSTEM_PROTO": "https", "DRONE_SYSTEM_HOST": "drone.example.com", "DRONE_COMMIT_SHA": commit, "DRONE_COMMIT_REF": "refs/heads/main",
		"DRONE_BUILD_EVENT": "push", "DRONE_COMMIT_AUTHOR": "ada", "DRONE_WORKSPACE": "/drone/src",
	}
	onWoodpecker = map[string]string{
		"CI": "woodpecker", "CI_SYSTEM_NAME": "woodpecker", "CI_SYSTEM_URL": "https://ci.example.com", "CI_REPO_ID": "4", "CI_REPO_URL": "https://codeberg.org/octo/app",
		"CI_PIPELINE_URL": "https://ci.example.com/repos/4/pipeline/2", "CI_STEP_URL": "https://ci.example.com/repos/4/pipeline/2/5", "CI_COMMIT_SHA": commit,
		"CI_COMMIT_REF": "refs/heads/main", "CI_PIPELINE_EVENT": "push", "CI_COMMIT_AUTHOR": "ada", "CI_WORKSPACE": "/woodpecker/src",
	}
	onTekton = map[string]string{
		"HALLMARK_CI": "tekton", "HALLMARK_CI_RUN": "https://tekton.example.com/run/1", "HALLMARK_CI_REVISION": commit,
		"HALLMARK_CI_REPOSITORY": "https://github.com/octo/app", "HALLMARK_CI_BUILDER": "https://tekton.example.com", "HALLMARK_CI_INVOCATION": "run-1",
	}
)

func TestDetect(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name, body string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fork := write("fork.json", `{"number": 5, "pull_request": {"number": 5, "head": {"repo": {"full_name": "mallory/app"}}, "base": {"repo": {"full_name": "octo/app"}}}}`)
	own := write("own.json", `{"number": 5, "pull_request": {"head": {"repo": {"full_name": "octo/app"}}, "base": {"repo": {"full_name": "octo/app"}}}}`)
	gone := write("gone.json", `{"number": 5, "pull_request": {"head": {"repo": null}, "base": {"repo": {"full_name": "octo/app"}}}}`)
	configuration := write("configuration.properties", "teamcity.serverUrl=https\\://tc.example.com\nteamcity.build.id=15\nteamcity.build.branch=main\nvcsroot.url=https\\://github.com/octo/app.git\nteamcity.build.triggeredBy.username=ada\n")
	properties := write("build.properties", "# made by TeamCity\nteamcity.configuration.properties.file="+configuration+"\nteamcity.buildType.id=App_Build\nteamcity.build.checkoutDir=/tc/w\n")

	pull := with(onGitHub, "GITHUB_EVENT_NAME", "pull_request", "GITHUB_REF", "refs/pull/5/merge", "GITHUB_REF_NAME", "5/merge")
	github := Facts{
		System: GitHub, Run: "https://github.com/octo/app/actions/runs/77", Repository: "https://github.com/octo/app", Revision: commit,
		Ref: "refs/heads/main", Event: "push", Actor: "octocat", Workspace: "/w",
		Builder:    "https://github.com/octo/app/.github/workflows/golden.yml@refs/heads/main",
		Invocation: "https://github.com/octo/app/actions/runs/77/attempts/2",
	}
	pulled := func(origin Origin) Facts {
		f := github
		f.Event, f.Ref, f.PullRequest, f.Origin = "pull_request", "refs/pull/5/merge", "5", origin
		return f
	}
	gitlab := Facts{
		System: GitLab, Run: "https://gitlab.com/group/app/-/jobs/9", Repository: "https://gitlab.com/group/app", Revision: commit, Ref: "main",
		Event: "push", Actor: "ada", Builder: "https://gitlab.com/group/app/-/runners/12", Invocation: "https://gitlab.com/group/app/-/jobs/9", Workspace: "/builds/group/app",
	}
	azure := Facts{
		System: Azure, Run: "https://dev.azure.com/org/My%20Project/_build/results?buildId=31", Repository: "https://dev.azure.com/org/p/_git/app",
		Revision: commit, Ref: "refs/heads/main", Event: "IndividualCI", Actor: "Ada", Builder: "https://dev.azure.com/org/My%20Project/_build?definitionId=4",
		Invocation: "https://dev.azure.com/org/My%20Project/_build/results?buildId=31&j=j-1", Workspace: "/agent/s", Debug: true,
	}
	jenkins := Facts{
		System: Jenkins, Run: "https://jenkins.example.com/job/app/5/", Repository: "https://github.com/octo/app", Revision: commit, Ref: "main",
		Builder: "https://jenkins.example.com/job/app/", Invocation: "https://jenkins.example.com/job/app/5/", Workspace: "/j/w",
	}
	circleci := Facts{
		System: CircleCI, Run: "https://circleci.com/gh/octo/app/6", Repository: "https://github.com/octo/app", Revision: commit, Ref: "main",
		Actor: "ada", Builder: "https://circleci.com/api/v2/project/p-1", Invocation: "https://circleci.com/gh/octo/app/6", Workspace: "/c/w",
	}
	buildkite := Facts{
		System: Buildkite, Run: "https://buildkite.com/org/app/builds/3", Repository: "https://github.com/octo/app", Revision: commit, Ref: "main",
		Event: "webhook", Actor: "Ada", Builder: "https://buildkite.com/org/app", Invocation: "https://buildkite.com/org/app/builds/3#b-1", Workspace: "/b/w",
	}
	request := func(f Facts, event, number string, origin Origin) Facts {
		if event != "" {
			f.Event = event
		}
		f.PullRequest, f.Origin = number, origin
		return f
	}
	woodpecker := Facts{
		System: Woodpecker, Run: "https://ci.example.com/repos/4/pipeline/2", Repository: "https://codeberg.org/octo/app", Revision: commit,
		Ref: "refs/heads/main", Event: "push", Actor: "ada", Builder: "https://ci.example.com/repos/4", Invocation: "https://ci.example.com/repos/4/pipeline/2/5", Workspace: "/woodpecker/src",
	}
	for name, c := range map[string]struct {
		env  map[string]string
		want Facts
	}{
		"terminal":                {map[string]string{"TERM": "xterm", "HOME": "/root"}, Facts{}},
		"unknown ci":              {map[string]string{"CI": "true"}, Facts{}},
		"github":                  {onGitHub, github},
		"github, fork":            {with(pull, "GITHUB_EVENT_PATH", fork), pulled(Fork)},
		"github, own branch":      {with(pull, "GITHUB_EVENT_PATH", own), pulled(Own)},
		"github, fork is gone":    {with(pull, "GITHUB_EVENT_PATH", gone), pulled(Uncertain)},
		"github, no event":        {with(pull, "GITHUB_EVENT_PATH", filepath.Join(folder, "none")), pulled(Uncertain)},
		"github, no pull request": {with(onGitHub, "GITHUB_EVENT_PATH", fork), github},
		"gitlab":                  {onGitLab, gitlab},
		"gitlab, own branch":      {with(onGitLab, "CI_MERGE_REQUEST_IID", "3", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "1", "CI_MERGE_REQUEST_PROJECT_ID", "1"), request(gitlab, "", "3", Own)},
		"gitlab, fork":            {with(onGitLab, "CI_MERGE_REQUEST_IID", "3", "CI_MERGE_REQUEST_SOURCE_PROJECT_ID", "2", "CI_MERGE_REQUEST_PROJECT_ID", "1"), request(gitlab, "", "3", Fork)},
		"azure":                   {onAzure, azure},
		"azure, fork":             {with(onAzure, "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER", "7", "SYSTEM_PULLREQUEST_ISFORK", "True"), request(azure, "", "7", Fork)},
		"azure, own branch":       {with(onAzure, "SYSTEM_PULLREQUEST_PULLREQUESTID", "7", "SYSTEM_PULLREQUEST_ISFORK", "False"), request(azure, "", "7", Own)},
		"jenkins":                 {onJenkins, jenkins},
		"jenkins, fork":           {with(onJenkins, "CHANGE_ID", "4", "CHANGE_FORK", "mallory"), request(jenkins, "change", "4", Fork)},
		"jenkins, own branch":     {with(onJenkins, "CHANGE_ID", "4"), request(jenkins, "change", "4", Own)},
		"circleci":                {onCircleCI, circleci},
		"circleci, fork":          {with(onCircleCI, "CIRCLE_PULL_REQUEST", "https://github.com/octo/app/pull/9", "CIRCLE_PR_NUMBER", "9", "CIRCLE_PR_REPONAME", "app"), request(circleci, "pull_request", "9", Fork)},
		"circleci, own branch":    {with(onCircleCI, "CIRCLE_PULL_REQUEST", "https://github.com/octo/app/pull/9"), request(circleci, "pull_request", "9", Own)},
		"buildkite":               {onBuildkite, buildkite},
		"buildkite, fork":         {with(onBuildkite, "BUILDKITE_PULL_REQUEST", "2", "BUILDKITE_PULL_REQUEST_REPO", "https://github.com/mallory/app.git"), request(buildkite, "", "2", Fork)},
		"buildkite, own branch":   {with(onBuildkite, "BUILDKITE_PULL_REQUEST", "2", "BUILDKITE_PULL_REQUEST_REPO", "https://github.com/octo/app.git"), request(buildkite, "", "2", Own)},
		"bitbucket": {onBitbucket, Facts{
			System: Bitbucket, Run: "https://bitbucket.org/team/app/pipelines/results/8", Repository: "https://bitbucket.org/team/app", Revision: commit, Ref: "main",
			Actor: "{u-1}", Builder: "https://bitbucket.org/team/app/pipelines", Invocation: "https://bitbucket.org/team/app/pipelines/results/8/steps/%7Bs-1%7D", Workspace: "/opt/w",
		}},
		"drone": {onDrone, Facts{
			System: Drone, Run: "https://drone.example.com/octo/app/2", Repository: "https://github.com/octo/app", Revision: commit, Ref: "refs/heads/main",
			Event: "push", Actor: "ada", Builder: "https://drone.example.com/octo/app", Invocation: "https://drone.example.com/octo/app/2", Workspace: "/drone/src",
		}},
		"woodpecker":                 {onWoodpecker, woodpecker},
		"woodpecker, pull request":   {with(onWoodpecker, "CI_PIPELINE_EVENT", "pull_request", "CI_COMMIT_PULL_REQUEST", "6"), request(woodpecker, "pull_request", "6", Uncertain)},
		"woodpecker, said to be own": {with(onWoodpecker, "CI_PIPELINE_EVENT", "pull_request", "CI_COMMIT_PULL_REQUEST", "6", "HALLMARK_CI_FORK", "false"), request(woodpecker, "pull_request", "6", Own)},
		"tekton, as it is told": {onTekton, Facts{
			System: Tekton, Run: "https://tekton.example.com/run/1", Repository: "https://github.com/octo/app", Revision: commit,
			Builder: "https://tekton.example.com", Invocation: "run-1",
		}},
		"teamcity": {map[string]string{"TEAMCITY_VERSION": "2026.1", "BUILD_VCS_NUMBER": commit, "TEAMCITY_BUILD_PROPERTIES_FILE": properties}, Facts{
			System: TeamCity, Run: "https://tc.example.com/viewLog.html?buildId=15", Repository: "https://github.com/octo/app", Revision: commit, Ref: "main",
			Actor: "ada", Builder: "https://tc.example.com/buildConfiguration/App_Build", Invocation: "https://tc.example.com/viewLog.html?buildId=15", Workspace: "/tc/w",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := Detect(env(c.env))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if refused := got.MayNotWrite() != ""; refused != (got.Origin == Fork || got.Origin == Uncertain) {
				t.Errorf("origin %q: may not write: %q", got.Origin, got.MayNotWrite())
			}
		})
	}
}

func TestWebAddress(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"git@github.com:octo/app.git":                         "https://github.com/octo/app",
		"ssh://git@gitlab.example.com:2222/group/app.git":     "https://gitlab.example.com/group/app",
		"https://user:token@dev.azure.com/org/p/_git/app/":    "https://dev.azure.com/org/p/_git/app",
		"https://github.com/octo/app":                         "https://github.com/octo/app",
		"http://gitea.lan:3000/a/b.git":                       "http://gitea.lan:3000/a/b",
		"https://github.com/octo/app.git?access_token=t#frag": "https://github.com/octo/app",
		"": "",
	} {
		if got := WebAddress(written); got != want {
			t.Errorf("%s: %s, want %s", written, got, want)
		}
	}
}

// Events that come with all secrets are looked at as closely as pull requests: what they build may be a fork's.
func TestWhoseBranch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, event, body string
		env               []string
		want              Origin
		says              string
	}{
		{"a review of a fork's", "pull_request_review", `{"pull_request": {"number": 5, "head": {"repo": {"full_name": "mallory/app"}}, "base": {"repo": {"full_name": "octo/app"}}}}`, nil, Fork, "pull request 5 comes from a fork"},
		{"after a fork's workflow", "workflow_run", `{"workflow_run": {"head_repository": {"full_name": "mallory/app"}}}`, nil, Fork, "what workflow_run is about comes from a fork"},
		{"after a workflow of our own", "workflow_run", `{"workflow_run": {"head_repository": {"full_name": "octo/app"}}}`, nil, Own, ""},
		{"after who knows what", "workflow_run", `{}`, nil, Uncertain, "may come from a fork"},
		{"after who knows what, and somebody does know", "workflow_run", `{}`, []string{"HALLMARK_CI_FORK", "false"}, Own, ""},
		{"a comment on a pull request", "issue_comment", `{"issue": {"number": 7, "pull_request": {"url": "u"}}}`, nil, Uncertain, "pull request 7 may come from a fork"},
		{"a comment on an issue", "issue_comment", `{"issue": {"number": 7}}`, nil, Trusted, ""},
		{"a comment that cannot be read", "issue_comment", `{`, nil, Uncertain, "may come from a fork"},
		{"dependabot's", "pull_request", `{"pull_request": {"number": 5, "head": {"repo": {"full_name": "octo/app"}}, "base": {"repo": {"full_name": "octo/app"}}}}`, []string{"GITHUB_ACTOR", "dependabot[bot]"}, Unprivileged, "neither secrets"},
		{"a push", "push", `{"pull_request": {"number": 5, "head": {"repo": {"full_name": "mallory/app"}}}}`, nil, Trusted, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "event.json")
			if err := os.WriteFile(path, []byte(c.body), 0o600); err != nil {
				t.Fatal(err)
			}
			env := with(onGitHub, append([]string{"GITHUB_EVENT_NAME", c.event, "GITHUB_EVENT_PATH", path}, c.env...)...)
			got := Detect(func(name string) string { return env[name] })
			if why := got.MayNotWrite(); got.Origin != c.want || (why == "") != (c.says == "") || !strings.Contains(why, c.says) {
				t.Errorf("origin %q, %q; want %q, %q", got.Origin, why, c.want, c.says)
			}
		})
	}
}
