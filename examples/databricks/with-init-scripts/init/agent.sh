#!/bin/bash
# Starts the agent that the image brings, and waits until it answers: a cluster whose agent does not run does not start.
# Init scripts run as root, on every node, at every start: this one may find the agent running.
set -euo pipefail

port=9100
log=/var/log/node-exporter.log

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; }

if answers; then
	echo "the agent runs already"
	exit 0
fi
nohup prometheus-node-exporter --web.listen-address=":$port" --collector.disable-defaults \
	--collector.cpu --collector.meminfo --collector.loadavg --collector.filesystem \
	--collector.textfile --collector.textfile.directory=/var/lib/node-exporter >"$log" 2>&1 &
for _ in $(seq 50); do
	if answers; then
		echo "the agent answers on port $port of ${DB_CONTAINER_IP:-this node} (driver: ${DB_IS_DRIVER:-unknown})"
		exit 0
	fi
	sleep 0.2
done
echo "the agent does not answer on port $port; its log ends:" >&2
tail -n 5 "$log" >&2
exit 1
