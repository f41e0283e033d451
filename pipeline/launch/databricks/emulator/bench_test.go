package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/client"
	"github.com/databricks/databricks-sdk-go/config"
	"github.com/databricks/databricks-sdk-go/service/compute"
)

// bench is an emulator with the official client on it.
type bench struct {
	*Server
	t        *testing.T
	url      string
	machine  *fakeMachine
	config   *config.Config
	clusters *compute.ClustersAPI
	commands *compute.CommandExecutionAPI
}

func open(t *testing.T, options Options) *bench {
	t.Helper()
	b := &bench{t: t}
	if options.Machine == nil {
		b.machine = &fakeMachine{}
		options.Machine = b.machine
	} else if fake, ok := options.Machine.(*fakeMachine); ok {
		b.machine = fake
	}
	server, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	b.Server = server
	web := httptest.NewServer(server)
	b.url = web.URL
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer cancel()
		if err := server.Close(ctx); err != nil {
			t.Error(err)
		}
		web.Close()
		if b.machine != nil {
			if nodes, stopped, _ := b.machine.counts(); nodes != stopped {
				t.Errorf("%d nodes were started and %d stopped", nodes, stopped)
			}
		}
	})
	b.use(&config.Config{Host: web.URL, Token: server.Token(), AuthType: "pat"})
	return b
}

func (b *bench) use(c *config.Config) {
	b.t.Helper()
	c.ConfigFile = os.DevNull
	c.RetryTimeoutSeconds, c.HTTPTimeoutSeconds, c.RateLimitPerSecond = 20, 20, 1000
	api, err := client.New(c)
	if err != nil {
		b.t.Fatal(err)
	}
	b.config, b.clusters, b.commands = c, compute.NewClusters(api), compute.NewCommandExecution(api)
}

func (b *bench) api() *client.DatabricksClient {
	b.t.Helper()
	api, err := client.New(b.config)
	if err != nil {
		b.t.Fatal(err)
	}
	return api
}

// post sends JSON as a script would, and returns the status and the answer.
func (b *bench) post(path string, body any) (int, map[string]any) {
	return b.send(http.MethodPost, path, body)
}

func (b *bench) send(method, path string, body any) (int, map[string]any) {
	b.t.Helper()
	text, ok := body.(string)
	if !ok {
		encoded, err := json.Marshal(body)
		if err != nil {
			b.t.Fatal(err)
		}
		text = string(encoded)
	}
	request, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(text))
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+b.Token())
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer map[string]any
	read, _ := io.ReadAll(response.Body)
	if err := json.NewDecoder(bytes.NewReader(read)).Decode(&answer); err != nil {
		b.t.Fatalf("%s %s: %v: %s", method, path, err, read)
	}
	return response.StatusCode, answer
}

// one is a good single node, the newer way.
func one() compute.CreateCluster {
	return compute.CreateCluster{
		ClusterName: "one", SparkVersion: "16.4.x-scala2.12", NodeTypeId: "m5d.large", Kind: compute.KindClassicPreview, IsSingleNode: true,
		DockerImage: &compute.DockerImage{Url: "registry.example.com/spark:1"}, AutoterminationMinutes: 30, DataSecurityMode: compute.DataSecurityModeSingleUser,
	}
}

// older is one made the older way.
func older() compute.CreateCluster {
	return compute.CreateCluster{
		ClusterName: "older", SparkVersion: "16.4.x-scala2.12", NodeTypeId: "m5d.large", NumWorkers: 0, ForceSendFields: []string{"NumWorkers"},
		SparkConf:   map[string]string{profileKey: singleNode, masterKey: "local[*]"},
		CustomTags:  map[string]string{resourceTag: resourceNode},
		DockerImage: &compute.DockerImage{Url: "registry.example.com/spark:1"},
	}
}

func (b *bench) create(c compute.CreateCluster) string {
	b.t.Helper()
	wait, err := b.clusters.Create(b.t.Context(), c)
	if err != nil {
		b.t.Fatal(err)
	}
	return wait.ClusterId
}

// reach waits until the cluster is in a state.
func (b *bench) reach(id, state string) *compute.ClusterDetails {
	b.t.Helper()
	for range 400 {
		c, err := b.clusters.GetByClusterId(b.t.Context(), id)
		if err != nil {
			b.t.Fatal(err)
		}
		if string(c.State) == state {
			return c
		}
		time.Sleep(25 * time.Millisecond)
	}
	c, _ := b.clusters.GetByClusterId(b.t.Context(), id)
	b.t.Fatalf("%s does not become %s: %+v", id, state, c)
	return nil
}

// types are the cluster's events, oldest first.
func (b *bench) types(id string) (all []string) {
	b.t.Helper()
	events, err := b.clusters.EventsAll(b.t.Context(), compute.GetEvents{ClusterId: id, Order: compute.GetEventsOrderAsc})
	if err != nil {
		b.t.Fatal(err)
	}
	for _, e := range events {
		all = append(all, string(e.Type))
	}
	return all
}
