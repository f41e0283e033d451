package emulator

import (
	"testing"
	"time"
)

// A token holds for as long as its cluster has not ended.
func TestATokenEndsWithItsCluster(t *testing.T) {
	t.Parallel()
	b := open(t, Options{})
	body := wanted(changes{"idempotency_token": "once"})
	made := func() string {
		_, answer := b.post("/api/2.1/clusters/create", body)
		id, _ := answer["cluster_id"].(string)
		if id == "" {
			t.Fatalf("%v", answer)
		}
		return id
	}
	first := made()
	b.post("/api/2.1/clusters/delete", map[string]any{"cluster_id": first})
	for deadline := time.Now().Add(10 * time.Second); b.State().Clusters[first] != terminated; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not end")
		}
	}
	second := made()
	if second == first || made() != second {
		t.Errorf("after the end of %s there is %s", first, second)
	}
	b.post("/api/2.1/clusters/permanent-delete", map[string]any{"cluster_id": second})
	if third := made(); third == first || third == second {
		t.Errorf("after the deletion of %s there is %s", second, third)
	}
}
