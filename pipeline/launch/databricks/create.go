package databricks

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/apierr"
	"github.com/databricks/databricks-sdk-go/service/compute"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// lastWord is how long an interrupted launch waits for the answer to a creation that is under way: with it the cluster
// has an id, and without it has to be looked for.
const lastWord = 15 * time.Second

// request is what the workspace is asked to create.
func (c *cluster) request(flag bool) compute.CreateCluster {
	o := c.target.options
	r := compute.CreateCluster{
		ClusterName:            "hallmark " + c.spec.RunID,
		SparkVersion:           c.plan.sparkVersion,
		NodeTypeId:             c.plan.nodeType,
		DockerImage:            &compute.DockerImage{Url: c.url.text},
		CustomTags:             tagsFor(o.Tags, c.spec),
		SparkConf:              maps.Clone(o.SparkConf),
		SparkEnvVars:           o.Env,
		AutoterminationMinutes: c.autotermination(),
		PolicyId:               o.Policy,
		// What a policy only proposes is wanted, too.
		ApplyPolicyDefaultValues: o.Policy != "",
		ClusterLogConf:           logConf(o.LogDelivery, o.LogRegion),
	}
	if o.Pool != "" {
		r.NodeTypeId, r.InstancePoolId, r.DriverInstancePoolId = "", o.Pool, o.DriverPool
	}
	if c.plan.username != "" {
		r.DockerImage.BasicAuth = &compute.DockerBasicAuth{Username: c.plan.username, Password: c.plan.password}
	}
	for _, script := range o.Scripts {
		r.InitScripts = append(r.InitScripts, scriptInfo(script))
	}
	switch o.AccessMode {
	case NoMode:
		r.DataSecurityMode = compute.DataSecurityModeNone
	default:
		r.DataSecurityMode, r.SingleUserName = compute.DataSecurityModeSingleUser, c.plan.user
	}
	if flag {
		r.Kind, r.IsSingleNode = compute.KindClassicPreview, true
		return r
	}
	if r.SparkConf == nil {
		r.SparkConf = map[string]string{}
	}
	r.SparkConf["spark.databricks.cluster.profile"], r.SparkConf["spark.master"] = "singleNode", "local[*]"
	r.CustomTags[classTag] = "SingleNode"
	r.ForceSendFields = []string{"NumWorkers"} // 0 would be left out
	return r
}

// logConf is where logs are delivered to; nil: nowhere.
func logConf(to, region string) *compute.ClusterLogConf {
	switch {
	case to == "":
		return nil
	case strings.HasPrefix(to, "s3"):
		return &compute.ClusterLogConf{S3: &compute.S3StorageInfo{Destination: to, Region: region}}
	case strings.HasPrefix(to, "/Volumes/"):
		return &compute.ClusterLogConf{Volumes: &compute.VolumesStorageInfo{Destination: to}}
	default:
		return &compute.ClusterLogConf{Dbfs: &compute.DbfsStorageInfo{Destination: to}}
	}
}

// create asks for the cluster, and knows its id afterwards. When that is not to be known, the target is in doubt.
func (c *cluster) create(ctx context.Context) error {
	flag := c.target.options.SingleNode != SingleNodeConf
	err := c.createOnce(ctx, flag)
	if flag && c.target.options.SingleNode == SingleNodeAuto && refused(err) && aboutSingleNode(messageOf(err)) {
		c.event("the workspace does not take is_single_node (%s); num_workers 0 and its settings are used", messageOf(err))
		err = c.createOnce(ctx, false)
	}
	return err
}

func (c *cluster) createOnce(ctx context.Context, flag bool) error {
	const doing = "creating the cluster"
	c.mode = SingleNodeConf
	if flag {
		c.mode = SingleNodeFlag
	}
	request := c.request(flag)
	// An interrupt must not cut the answer off: it holds the id.
	outlasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	type answer struct {
		id  string
		err error
	}
	answers := make(chan answer, 1)
	unsure := false // an answer got lost on the way: there may be a cluster that is not the one that is told
	go func() {
		var id string
		ask := func(token string, may repeat) error {
			return c.space.call(outlasting, doing, may, func(ctx context.Context) (err error) {
				id, err = c.space.create(ctx, request, token)
				unsure = unsure || err != nil && (status(err) == 0 || status(err) >= http.StatusInternalServerError)
				return err
			})
		}
		err := ask(c.creationToken(), harmless)
		if refused(err) && aboutToken(messageOf(err)) { // without it, who asks twice may get two
			err = ask("", once)
		}
		answers <- answer{id, err}
	}()
	var got answer
	select {
	case got = <-answers:
	case <-ctx.Done():
		select {
		case got = <-answers:
		case <-time.After(lastWord):
			cancel()
			got = <-answers
			got.err = errors.Join(context.Cause(ctx), got.err)
		}
	}
	if got.err == nil && got.id != "" {
		c.setID(got.id)
		c.event("the workspace creates the cluster %s (%s) from %s", got.id, c.mode, c.url.text)
		if unsure { // the first one may have ended meanwhile, which frees its token
			if _, err := c.removeOthers(context.WithoutCancel(ctx)); err != nil {
				c.target.doubtful(true)
			}
		}
		return ctx.Err()
	}
	if got.err == nil {
		got.err = &fault{of: &launch.Error{Verdict: verdict.Inconclusive, Code: launch.CodeWorkspace, Reason: doing + ": the workspace answers without a cluster's id", Remedy: "Run the same command again"}, again: true}
	}
	if !refused(got.err) { // it may have been created all the same
		c.target.doubtful(true) // end looks for it
	}
	return got.err
}

// refused says that the workspace has answered a request with a no.
func refused(err error) bool {
	code := http.StatusOK
	if e := (*fault)(nil); errors.As(err, &e) {
		code = status(e.of.Cause)
	}
	return code >= 400 && code < 500
}

// messageOf is what the workspace said.
func messageOf(err error) string {
	e := (*fault)(nil)
	answer := (*apierr.APIError)(nil)
	if errors.As(err, &e) && errors.As(e.of.Cause, &answer) {
		return answer.Message
	}
	return ""
}
