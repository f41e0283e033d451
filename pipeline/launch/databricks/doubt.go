package databricks

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/databricks/databricks-sdk-go/service/compute"

	"github.com/hallmark-ci/hallmark/pipeline/launch"
	"github.com/hallmark-ci/hallmark/pipeline/progress"
	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// longestToken bounds an idempotency token, as the platform documents.
const longestToken = 64

// creationToken names one creation, however often it is asked for. While a cluster that was made for it has not ended,
// the platform answers the same request with that cluster.
func (c *cluster) creationToken() string {
	c.target.mu.Lock()
	attempt := c.target.attempt
	c.target.mu.Unlock()
	own := fmt.Sprintf("-%d-%s", attempt, rand.Text()[:12]) // a run may launch several times, and try several URLs
	run := tagText(c.spec.RunID)
	return run[:min(len(run), longestToken-len(own))] + own
}

// create is the SDK's method for it, with the idempotency token that the SDK's type has no field for; empty: without.
func (w *workspace) create(ctx context.Context, request compute.CreateCluster, token string) (id string, err error) {
	text, err := json.Marshal(request)
	if err != nil {
		return "", err
	}
	body := map[string]json.RawMessage{}
	if err := json.Unmarshal(text, &body); err != nil {
		return "", err
	}
	if token != "" {
		if body["idempotency_token"], err = json.Marshal(token); err != nil {
			return "", err
		}
	}
	var created compute.CreateClusterResponse
	err = w.client.Do(ctx, http.MethodPost, "/api/2.1/clusters/create", w.headers(), nil, body, &created)
	return created.ClusterId, err
}

// aboutToken says whether a refusal is about the idempotency token.
func aboutToken(message string) bool {
	return strings.Contains(strings.ToLower(message), "idempotency")
}

// searches are the pauses before each look for a cluster whose id got lost: a creation that is still under way shows late.
var searches = []time.Duration{0, time.Second, 3 * time.Second}

// abandon deletes whatever clusters of this run there are besides the known ones. Once that is done there is no doubt any
// more; where nothing is found, or nobody answers for as long as a deletion is tried, it stays. The error is for what was
// found and could not be deleted.
func (c *cluster) abandon(ctx context.Context) error {
	unheard := 0
	for look := 0; look < len(searches); {
		pause := searches[look]
		if unheard > 0 {
			pause = deletePause
		}
		if c.space.wait(ctx, pause) != nil {
			return nil
		}
		others, err := c.removeOthers(ctx)
		switch {
		case err == nil && others > 0:
			c.target.doubtful(false)
			return nil
		case err == nil:
			look++
		case others > 0:
			return c.notDeleted(err)
		default:
			if unheard++; unheard == deleteRounds || ctx.Err() != nil {
				c.event("clusters of this run cannot be looked for (%s)", reasonOf(err))
				return nil
			}
		}
	}
	return nil
}

// removeOthers looks once for clusters of this run whose ids were never told, and deletes them. It returns how many there
// were, and why one of them, or all, could not be deleted.
func (c *cluster) removeOthers(ctx context.Context) (others int, failed error) {
	looking, cancel := context.WithTimeout(ctx, deleteRound)
	defer cancel()
	all, err := c.space.tagged(looking, func(tags map[string]string) bool { return tags[TagRun] == tagText(c.spec.RunID) })
	if err != nil {
		return 0, err
	}
	for _, other := range all {
		if c.target.knows(other.ClusterId) {
			continue
		}
		others++
		if err := c.space.remove(ctx, other.ClusterId); err != nil {
			failed = &stays{other.ClusterId, err}
			continue
		}
		progress.From(ctx).Notef("The cluster %s, whose creation was never answered, is deleted", other.ClusterId)
		c.event("the cluster %s, whose creation was never answered, was found by its tag and deleted", other.ClusterId)
	}
	return others, failed
}

// stays is a cluster that could not be deleted.
type stays struct {
	id  string
	why error
}

func (s *stays) Error() string {
	return "the cluster " + s.id + " could not be deleted: " + reasonOf(s.why)
}

// notDeleted is the launch's error of it.
func (c *cluster) notDeleted(err error) error {
	return &launch.Error{
		Verdict: verdict.Inconclusive, Code: launch.CodeWorkspace, Reason: err.Error(),
		Remedy: fmt.Sprintf("Run hallmark cleanup --run %s; without that the workspace itself ends it after %d minutes without work", c.spec.RunID, c.autotermination()), Cause: err,
	}
}

// autotermination is after how many minutes without work the workspace ends the cluster.
func (c *cluster) autotermination() int {
	return int((c.target.options.Autotermination + time.Minute - 1) / time.Minute)
}

// doubtful notes whether there may be a cluster that nobody knows.
func (t *Target) doubtful(is bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.doubt = is
}

func (t *Target) inDoubt() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.doubt
}

// learn notes the id of a cluster of this launch.
func (t *Target) learn(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ids = append(t.ids, id)
}

func (t *Target) knows(id string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Contains(t.ids, id)
}
