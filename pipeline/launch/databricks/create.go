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
	"github.com/hallmark-ci/hallmark/pipeline/progress"
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
		AutoterminationMinutes: int((o.Autotermination + time.Minute - 1) / time.Minute),
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

// create asks for the cluster, and knows its id afterwards. When that is not to be known, whatever was created is looked
// for by its tag, and deleted.
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
	go func() {
		var id string
		err := c.space.call(outlasting, doing, once, func(ctx context.Context) error {
			created, err := c.space.clusters.Create(ctx, request)
			if err == nil {
				id = created.ClusterId
			}
			return err
		})
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
		return ctx.Err()
	}
	if got.err == nil {
		got.err = &fault{of: &launch.Error{Verdict: verdict.Inconclusive, Code: launch.CodeWorkspace, Reason: doing + ": the workspace answers without a cluster's id", Remedy: "Run the same command again"}, again: true}
	}
	if !refused(got.err) { // it may have been created all the same
		c.target.doubtful(true)
		c.abandon(ctx)
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

// searches are the pauses before each look for a cluster whose id got lost: a creation that is still under way shows late.
var searches = []time.Duration{0, time.Second, 3 * time.Second}

// abandon deletes whatever clusters of this run there are besides the known one.
func (c *cluster) abandon(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteWithin)
	defer cancel()
	task := progress.From(ctx)
	for _, pause := range searches {
		if c.space.wait(ctx, pause) != nil {
			return
		}
		found, err := c.space.tagged(ctx, func(tags map[string]string) bool { return tags[TagRun] == tagText(c.spec.RunID) })
		if err != nil {
			c.event("clusters of this run cannot be looked for (%s); hallmark cleanup --run %s ends them", reasonOf(err), c.spec.RunID)
			return
		}
		others := 0
		for _, other := range found {
			if other.ClusterId == c.known() {
				continue
			}
			others++
			if err := c.space.remove(ctx, other.ClusterId); err != nil {
				c.event("the cluster %s, whose creation was never answered, cannot be deleted: %v", other.ClusterId, reasonOf(err))
				continue
			}
			task.Notef("The cluster %s, whose creation was never answered, is deleted", other.ClusterId)
			c.event("the cluster %s, whose creation was never answered, was found by its tag and deleted", other.ClusterId)
		}
		if others > 0 {
			c.target.doubtful(false)
			return
		}
	}
}
