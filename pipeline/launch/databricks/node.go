package databricks

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/databricks/databricks-sdk-go/service/compute"
)

// Node types that are chosen, not named.
const (
	Smallest = "smallest" // with a local disk, for Spark wants one
	GPU      = "gpu"      // the smallest with a GPU
)

// leastMemory is what a driver of the platform needs beside an image's own processes, in MiB.
const leastMemory = 8 << 10

// arm are the names that the clouds give to machines with ARM processors; is_graviton tells of Amazon's alone.
var arm = regexp.MustCompile(`^(Standard_[A-Z]+\d+p[a-z]*_v\d|[a-z]+\d+g[a-z]*(-flex)?\.|(c4a|t2a|n4a)-)`)

func isARM(n compute.NodeType) bool { return n.IsGraviton || arm.MatchString(n.NodeTypeId) }

// checkNode chooses the node type, or takes the pool's. Of two pools it is the driver's that the single node comes from.
func (w *workspace) checkNode(ctx context.Context, o Options, made *plan, found *findings, n int) error {
	wanted := o.NodeType
	if from := cmp.Or(o.DriverPool, o.Pool); from != "" {
		pool, err := w.checkPool(ctx, from, found, n)
		if err != nil || pool == nil {
			return err
		}
		wanted = pool.NodeTypeId
	}
	var offered *compute.ListNodeTypesResponse
	err := w.call(ctx, "asking for the node types that there are", harmless, func(ctx context.Context) (err error) {
		offered, err = w.clusters.ListNodeTypes(ctx)
		return err
	})
	if err != nil {
		return err
	}
	chosen, why := chooseNode(offered.NodeTypes, wanted)
	if why != "" {
		found.problem(n, why, "Correct launch.databricks.node_type, or write smallest")
		return nil
	}
	made.nodeType = chosen
	return nil
}

// chooseNode returns the node type that is meant, or why there is none.
func chooseNode(offered []compute.NodeType, wanted string) (chosen, why string) {
	if wanted == Smallest || wanted == GPU {
		var fit []compute.NodeType
		for _, n := range offered {
			if fits(n, wanted == GPU) {
				fit = append(fit, n)
			}
		}
		if len(fit) == 0 {
			return "", map[string]string{Smallest: "the workspace offers no node type with a local disk", GPU: "the workspace offers no node type with a GPU"}[wanted]
		}
		least := slices.MinFunc(fit, func(a, b compute.NodeType) int {
			return cmp.Or(cmp.Compare(a.NumGpus, b.NumGpus), cmp.Compare(a.NumCores, b.NumCores), cmp.Compare(a.MemoryMb, b.MemoryMb), cmp.Compare(a.NodeTypeId, b.NodeTypeId))
		})
		return least.NodeTypeId, ""
	}
	i := slices.IndexFunc(offered, func(n compute.NodeType) bool { return n.NodeTypeId == wanted })
	switch {
	case i < 0:
		return "", fmt.Sprintf("the workspace has no node type %s%s", wanted, near(offered, wanted))
	case isARM(offered[i]):
		return "", fmt.Sprintf("the node type %s has ARM processors, on which no images are taken", wanted)
	case unavailable(offered[i]):
		return "", fmt.Sprintf("the node type %s is not to be had in the workspace's region or subscription", wanted)
	}
	return wanted, ""
}

// fits says whether a node type may be chosen without being named.
func fits(n compute.NodeType, gpu bool) bool {
	disks := n.NodeInstanceType
	local := disks == nil || disks.LocalDisks > 0 || disks.LocalNvmeDisks > 0
	return !isARM(n) && !unavailable(n) && !n.IsDeprecated && !n.IsHidden && !strings.Contains(n.NodeTypeId, "-fleet.") &&
		n.MemoryMb >= leastMemory && (n.NumGpus > 0) == gpu && (gpu || local)
}

func unavailable(n compute.NodeType) bool {
	return n.NodeInfo != nil && slices.ContainsFunc(n.NodeInfo.Status, func(s compute.CloudProviderNodeStatus) bool {
		return s == compute.CloudProviderNodeStatusNotAvailableInRegion || s == compute.CloudProviderNodeStatusNotEnabledOnSubscription
	})
}

// near names a node type that differs in case alone, or the first few that begin alike.
func near(offered []compute.NodeType, wanted string) string {
	var alike []string
	for _, n := range offered {
		if strings.EqualFold(n.NodeTypeId, wanted) {
			return "; there is " + n.NodeTypeId
		}
		if len(wanted) > 4 && strings.HasPrefix(strings.ToLower(n.NodeTypeId), strings.ToLower(wanted[:min(len(wanted), 11)])) && !isARM(n) {
			alike = append(alike, n.NodeTypeId)
		}
	}
	if len(alike) == 0 {
		return ""
	}
	slices.Sort(alike)
	return "; there is " + strings.Join(alike[:min(len(alike), 5)], ", ")
}

// checkPool looks a pool up; nil: it is not there, which is told.
func (w *workspace) checkPool(ctx context.Context, id string, found *findings, n int) (*compute.GetInstancePool, error) {
	var pool *compute.GetInstancePool
	err := w.call(ctx, "looking up the instance pool "+id, harmless, func(ctx context.Context) (err error) {
		pool, err = w.pools.Get(ctx, compute.GetInstancePoolRequest{InstancePoolId: id})
		return err
	})
	if e := (*fault)(nil); errors.As(err, &e) && (gone(e.of.Cause) || status(e.of.Cause) == http.StatusForbidden || status(e.of.Cause) == http.StatusBadRequest) {
		found.problem(n, fmt.Sprintf("there is no instance pool %s that may be used here", id), "Correct the pool's id in launch.databricks")
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if pool.State != "" && pool.State != compute.InstancePoolStateActive {
		found.problem(n, fmt.Sprintf("the instance pool %s is %s", id, strings.ToLower(string(pool.State))), "Choose an active pool")
		return nil, nil
	}
	return pool, nil
}
