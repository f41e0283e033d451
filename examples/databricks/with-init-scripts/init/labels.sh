#!/bin/bash
# Tells the agent which cluster and which team the node belongs to. Teams change and the image does not, so this is no
# part of the image: a workspace keeps it in a volume or beside the notebooks.
set -euo pipefail

team=${METRICS_TEAM:-platform}
folder=/var/lib/node-exporter
if [ "${DB_IS_DRIVER:-FALSE}" = TRUE ]; then role=driver; else role=worker; fi

mkdir -p "$folder"
# Written beside and moved: the agent never reads half a file.
printf 'databricks_node_info{cluster="%s",role="%s",team="%s"} 1\n' "${DB_CLUSTER_ID:-}" "$role" "$team" >"$folder/node.prom.tmp"
mv "$folder/node.prom.tmp" "$folder/node.prom"
echo "this node is a $role of ${DB_CLUSTER_NAME:-a cluster without a name}, team $team"
