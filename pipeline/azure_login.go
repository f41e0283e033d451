package pipeline

import (
	"github.com/hallmark-ci/hallmark/pipeline/ci"
	"github.com/hallmark-ci/hallmark/pipeline/registry/acr"
)

// azureLogin is the login to Azure's registries as this job, where the environment names an application and a tenant as Azure's own
// programs want them named, and the job may have a token; nil where it does not, and in runs of what nobody has read yet.
func azureLogin(facts ci.Facts, env ci.Env) *acr.Login {
	if facts.System == ci.None { // verbs that do not speak to the system still run on it
		facts = ci.Detect(env)
	}
	tenant, application := env("AZURE_TENANT_ID"), env("AZURE_CLIENT_ID")
	assertion := ci.AzureToken(env, facts.System)
	if tenant == "" || application == "" || assertion == nil || facts.MayNotWrite() != "" {
		return nil
	}
	return &acr.Login{Tenant: tenant, Application: application, Authority: env("AZURE_AUTHORITY_HOST"), Assertion: assertion}
}
