package emulator

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/compute"
)

func TestResize(t *testing.T) {
	t.Parallel()
	b := open(t, Options{Pace: 100 * time.Millisecond})
	_, made := b.post("/api/2.1/clusters/create", changes{"cluster_name": "r", "spark_version": "16.4.x-scala2.12", "node_type_id": "m5d.large", "num_workers": 1})
	id, _ := made["cluster_id"].(string)
	if status, answer := b.post("/api/2.1/clusters/resize", changes{"cluster_id": id, "num_workers": 2}); status != 400 || answer["error_code"] != "INVALID_STATE" {
		t.Errorf("a cluster that is pending: %d %v", status, answer)
	}
	b.reach(id, "RUNNING")
	for _, wrong := range []changes{{}, {"num_workers": 2, "autoscale": changes{"min_workers": 1, "max_workers": 2}}, {"num_workers": -1}, {"workers": 2}} {
		wrong["cluster_id"] = id
		if status, answer := b.post("/api/2.1/clusters/resize", wrong); status != 400 {
			t.Errorf("%v: %d %v", wrong, status, answer)
		}
	}
	wait, err := b.clusters.Resize(t.Context(), compute.ResizeCluster{ClusterId: id, NumWorkers: 3})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := b.clusters.GetByClusterId(t.Context(), id); err != nil || got.State != compute.StateResizing || got.NumWorkers != 3 {
		t.Errorf("at first %+v, %v", got, err)
	}
	if status, answer := b.post("/api/2.1/clusters/edit", changes{"cluster_id": id, "spark_version": "16.4.x-scala2.12"}); status != 400 || answer["error_code"] != "INVALID_STATE" {
		t.Errorf("an edit meanwhile: %d %v", status, answer)
	}
	if got, err := wait.Get(); err != nil || got.State != compute.StateRunning || got.NumWorkers != 3 {
		t.Errorf("then %+v, %v", got, err)
	}
	if got := b.types(id); !slices.Equal(got[len(got)-2:], []string{"RESIZING", "UPSIZE_COMPLETED"}) {
		t.Errorf("events %v", got)
	}
	if _, err := b.clusters.Resize(t.Context(), compute.ResizeCluster{ClusterId: id, Autoscale: &compute.AutoScale{MinWorkers: 1, MaxWorkers: 4}}); err != nil {
		t.Fatal(err)
	}
	if got := b.reach(id, "RUNNING"); got.Autoscale == nil || got.Autoscale.MaxWorkers != 4 {
		t.Errorf("scaled %+v", got)
	}
}

func TestUpdateChangesWhatItsMaskNames(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	c := one()
	c.CustomTags = map[string]string{"team": "a", "kept": "yes"}
	id := b.create(c)
	b.reach(id, "RUNNING")
	if _, err := b.clusters.DeleteByClusterIdAndWait(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		body changes
		want string // of the error; empty: none
	}{
		{changes{"cluster": changes{"custom_tags": changes{"team": "b"}}}, "update_mask"},
		{changes{"update_mask": "custom_tags", "cluster": changes{"tags": 1}}, "tags"},
		{changes{"update_mask": "spark_version"}, "spark_version"},
		{changes{"update_mask": "docker_image.url", "cluster": changes{"docker_image": changes{"url": "https://x"}}}, "no image"},
		{changes{"update_mask": "autotermination_minutes,docker_image.url", "cluster": changes{"autotermination_minutes": 45, "cluster_name": "not named", "docker_image": changes{"url": "x/y:z"}}}, ""},
	} {
		test.body["cluster_id"] = id
		status, answer := b.post("/api/2.1/clusters/update", test.body)
		if message, _ := answer["message"].(string); (status == 200) != (test.want == "") || !strings.Contains(message, test.want) {
			t.Errorf("%v: %d %v", test.body, status, answer)
		}
	}
	got := b.reach(id, "TERMINATED")
	if got.AutoterminationMinutes != 45 || got.DockerImage.Url != "x/y:z" || got.ClusterName != "one" || got.CustomTags["kept"] != "yes" {
		t.Errorf("updated to %+v", got)
	}
}

func TestPinnedClustersStay(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	id := b.create(one())
	b.reach(id, "RUNNING")
	if err := b.clusters.PinByClusterId(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	// Terraform's provider looks for these words, and unpins.
	if err := b.clusters.PermanentDeleteByClusterId(t.Context(), id); err == nil || !strings.Contains(err.Error(), "unpin the cluster first") {
		t.Errorf("got %v", err)
	}
}

// Access modes have two names each; the platform shows the older one, and keeps what was sent.
func TestModesAreShownByTheirOlderNames(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	c := one()
	c.DataSecurityMode = compute.DataSecurityModeDataSecurityModeDedicated
	if got := b.reach(b.create(c), "RUNNING"); got.DataSecurityMode != compute.DataSecurityModeSingleUser || got.Spec.DataSecurityMode != compute.DataSecurityModeDataSecurityModeDedicated {
		t.Errorf("shown as %s, sent as %s", got.DataSecurityMode, got.Spec.DataSecurityMode)
	}
}

func TestLibrariesAreTheImages(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	libraries := compute.NewLibraries(b.api())
	id := b.create(one())
	b.reach(id, "RUNNING")
	six := []compute.Library{{Pypi: &compute.PythonPyPiLibrary{Package: "six"}}}
	for range 2 { // the second changes nothing
		if err := libraries.Install(t.Context(), compute.InstallLibraries{ClusterId: id, Libraries: six}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := libraries.ClusterStatusByClusterId(t.Context(), id)
	if err != nil || len(got.LibraryStatuses) != 1 || got.LibraryStatuses[0].Status != compute.LibraryInstallStatusFailed || got.LibraryStatuses[0].Messages[0] != noLibraries {
		t.Errorf("%+v, %v", got, err)
	}
	if all, err := libraries.AllClusterStatusesAll(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	for _, wrong := range []compute.Library{{}, {Jar: "a", Whl: "b"}, {Maven: &compute.MavenLibrary{}}} {
		if err := libraries.Install(t.Context(), compute.InstallLibraries{ClusterId: id, Libraries: []compute.Library{wrong}}); err == nil {
			t.Errorf("%+v is taken", wrong)
		}
	}
	if err := libraries.Uninstall(t.Context(), compute.UninstallLibraries{ClusterId: id, Libraries: six}); err != nil {
		t.Fatal(err)
	}
	if got, err := libraries.ClusterStatusByClusterId(t.Context(), id); err != nil || len(got.LibraryStatuses) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}
