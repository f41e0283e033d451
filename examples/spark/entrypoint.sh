#!/bin/bash
# Starts what Kubernetes asks this image for:
#
#   driver ARGS…     spark-submit in client mode, the driver listening on $SPARK_DRIVER_BIND_ADDRESS
#   executor ARGS…   one executor, told by $SPARK_EXECUTOR_* and $SPARK_DRIVER_URL where to report
#   anything else    is run as it stands: spark-submit by hand, a shell, a standalone master or worker
#
# Everything runs below tini, which reaps the processes that Spark's own scripts orphan and hands signals on.
set -euo pipefail

: "${SPARK_HOME:=/opt/spark}"
java=${JAVA_HOME:+$JAVA_HOME/bin/}java

# Clusters that give every namespace uids of its own start us as somebody without a name, which Hadoop's login refuses.
name_ourselves() {
	local uid gid
	uid=$(id -u) gid=$(id -g)
	if ! getent passwd "$uid" >/dev/null && [[ -w /etc/passwd ]]; then
		echo "spark-$uid:x:$uid:$gid:anonymous Spark user:$SPARK_HOME/work-dir:/bin/false" >>/etc/passwd
	fi
}

# SPARK_JAVA_OPT_0, SPARK_JAVA_OPT_1, … are the executor's JVM options, in the order of their numbers.
java_options() {
	local names
	names=$(compgen -e | grep -E '^SPARK_JAVA_OPT_[0-9]+$' | sort -t_ -k4 -n || true)
	options=()
	for name in $names; do
		options+=("${!name}")
	done
}

classpath() {
	local path="${SPARK_CLASSPATH:-}:$SPARK_HOME/jars/*"
	if [[ -n ${HADOOP_HOME:-} && -z ${SPARK_DIST_CLASSPATH:-} && -x $HADOOP_HOME/bin/hadoop ]]; then
		SPARK_DIST_CLASSPATH=$("$HADOOP_HOME/bin/hadoop" classpath)
		export SPARK_DIST_CLASSPATH
	fi
	path+=${SPARK_EXTRA_CLASSPATH:+:$SPARK_EXTRA_CLASSPATH}
	path+=${SPARK_DIST_CLASSPATH:+:$SPARK_DIST_CLASSPATH}
	# The site's configuration wins over what the jars carry.
	echo "${SPARK_CONF_DIR:+$SPARK_CONF_DIR:}${HADOOP_CONF_DIR:+$HADOOP_CONF_DIR:}${path#:}:${PWD}"
}

name_ourselves
# Python workers start with the interpreter that the driver was told to use.
export PYSPARK_DRIVER_PYTHON="${PYSPARK_DRIVER_PYTHON:-${PYSPARK_PYTHON:-python3}}"
export PYSPARK_PYTHON="${PYSPARK_PYTHON:-python3}"

case "${1:-}" in
driver)
	shift
	command=(
		"$SPARK_HOME/bin/spark-submit"
		--conf "spark.driver.bindAddress=${SPARK_DRIVER_BIND_ADDRESS:?the driver needs an address to listen on}"
		--conf "spark.executorEnv.SPARK_DRIVER_POD_IP=$SPARK_DRIVER_BIND_ADDRESS"
		--deploy-mode client
		"$@"
	)
	;;
executor)
	shift
	java_options
	command=(
		"$java" "${options[@]}"
		"-Xms${SPARK_EXECUTOR_MEMORY:?}" "-Xmx$SPARK_EXECUTOR_MEMORY"
		-cp "$(classpath)"
		org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend
		--driver-url "${SPARK_DRIVER_URL:?}"
		--executor-id "${SPARK_EXECUTOR_ID:?}"
		--cores "${SPARK_EXECUTOR_CORES:?}"
		--app-id "${SPARK_APPLICATION_ID:?}"
		--hostname "${SPARK_EXECUTOR_POD_IP:?}"
		--resourceProfileId "${SPARK_RESOURCE_PROFILE_ID:-0}"
		--podName "${SPARK_EXECUTOR_POD_NAME:-}"
		"$@"
	)
	;;
"")
	echo "entrypoint: nothing to run: say driver, executor or a command" >&2
	exit 64
	;;
*)
	command=("$@")
	;;
esac

exec tini -s -- "${command[@]}"
