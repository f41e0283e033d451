"""What a user's own script does with a workspace, with Databricks' SDK for Python: host and token come from its environment.

Usage: sdk.py IMAGE [launch]    launch: commands are run, too
REGISTRY_USER is who pulls the image, with the password that the secret registry/password has; without it nobody is asked.
"""

import base64
import io
import os
import sys
import time

from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import DatabricksError, InvalidParameterValue, NotFound, ResourceAlreadyExists
from databricks.sdk.service import compute, iam, workspace
from databricks.sdk.service.compute import ContextStatus, DataSecurityMode, EventType, Kind, Language, State

image, launched = sys.argv[1], "launch" in sys.argv[2:]
docker = compute.DockerImage(url=image)
if user := os.environ.get("REGISTRY_USER"):
    docker.basic_auth = compute.DockerBasicAuth(username=user, password="{{secrets/registry/password}}")
w = WorkspaceClient()


def refused(error, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except error as e:
        return str(e)
    raise AssertionError(f"{call.__qualname__} was not refused")


# Who, and what there is.
me = w.current_user.me().user_name
assert "@" in me, me
runtime = w.clusters.select_spark_version(long_term_support=True, spark_version="3.5", scala="2.12")
node = w.clusters.select_node_type(local_disk=True, min_cores=2)
assert runtime == "16.4.x-scala2.12" and node == "m5d.large", (runtime, node)
assert w.clusters.list_zones().zones

# An init script in the workspace, one on a volume, a file on DBFS, a secret.
script = "#!/bin/bash\necho \"team ${TEAM:-none}\" >/var/tmp/told\n"
home = f"/Users/{me}/golden"
w.workspace.mkdirs(home)
w.workspace.upload(f"{home}/told.sh", script.encode(), format=workspace.ImportFormat.AUTO)
assert "already exists" in refused(ResourceAlreadyExists, w.workspace.upload, f"{home}/told.sh", script.encode(), format=workspace.ImportFormat.AUTO)
assert w.workspace.download(f"{home}/told.sh").read().decode() == script
assert base64.b64decode(w.workspace.export(f"{home}/told.sh").content).decode() == script
w.workspace.import_(f"{home}/notes", content=base64.b64encode(b"print(1)\n").decode(), format=workspace.ImportFormat.SOURCE, language=workspace.Language.PYTHON)
kinds = {o.path.rsplit("/", 1)[1]: o.object_type.value for o in w.workspace.list(home)}
assert kinds == {"told.sh": "FILE", "notes": "NOTEBOOK"}, kinds
w.files.create_directory("/Volumes/main/default/scripts")
w.files.upload("/Volumes/main/default/scripts/empty.sh", io.BytesIO(b"#!/bin/bash\n"))
assert [e.name for e in w.files.list_directory_contents("/Volumes/main/default/scripts")] == ["empty.sh"]
assert w.files.get_metadata("/Volumes/main/default/scripts/empty.sh").content_length == 12
assert w.files.download("/Volumes/main/default/scripts/empty.sh").contents.read() == b"#!/bin/bash\n"
with w.dbfs.open("/data/rows.csv", write=True, overwrite=True) as f:
    f.write(b"a,b\n1,2\n")
assert [e.path for e in w.dbfs.list("/data")] == ["/data/rows.csv"]
assert w.dbfs.open("/data/rows.csv", read=True).read() == b"a,b\n1,2\n"
w.secrets.create_scope("golden")
w.secrets.put_secret("golden", "team", string_value="platform")
assert [s.key for s in w.secrets.list_secrets("golden")] == ["team"]

# What is wrong is refused, as the platform does.
good = dict(
    cluster_name="golden", spark_version=runtime, node_type_id=node, kind=Kind.CLASSIC_PREVIEW, is_single_node=True,
    data_security_mode=DataSecurityMode.DATA_SECURITY_MODE_DEDICATED, autotermination_minutes=30, docker_image=docker,
    custom_tags={"team": "platform"}, spark_env_vars={"TEAM": "{{secrets/golden/team}}"},
    init_scripts=[
        compute.InitScriptInfo(workspace=compute.WorkspaceStorageInfo(destination=f"{home}/told.sh")),
        compute.InitScriptInfo(volumes=compute.VolumesStorageInfo(destination="/Volumes/main/default/scripts/empty.sh")),
    ],
)
assert "9.9.x" in refused(InvalidParameterValue, w.clusters.create, **{**good, "spark_version": "9.9.x-scala2.12"})
assert "does not exist" in refused(DatabricksError, w.clusters.get, "0000-000000-nothere")
refused(NotFound, w.workspace.get_status, "/Shared/not-there")

# Create, and wait as the SDK does.
cluster = w.clusters.create(**good).result()
assert cluster.state == State.RUNNING and cluster.custom_tags["ResourceClass"] == "SingleNode", cluster
events = [e.type for e in w.clusters.events(cluster.cluster_id, order=compute.GetEventsOrder.ASC, limit=2)]
assert events[0] == EventType.CREATING and EventType.INIT_SCRIPTS_FINISHED in events and events[-1] == EventType.DRIVER_HEALTHY, events
w.permissions.update("clusters", cluster.cluster_id, access_control_list=[iam.AccessControlRequest(group_name="users", permission_level=iam.PermissionLevel.CAN_RESTART)])
granted = {a.group_name: a.all_permissions[0].permission_level.value for a in w.permissions.get("clusters", cluster.cluster_id).access_control_list if a.group_name}
assert granted == {"users": "CAN_RESTART", "admins": "CAN_MANAGE"}, granted

if launched:
    context = w.command_execution.create(cluster.cluster_id, language=Language.PYTHON).result()
    assert context.status == ContextStatus.RUNNING

    def run(code):
        done = w.command_execution.execute(cluster.cluster_id, context_id=context.id, language=Language.PYTHON, command=code).result()
        return done.results

    assert run("rows = spark.range(1000).count()").result_type.value == "text"
    told = run("print(rows, open('/var/tmp/told').read().strip(), open('/dbfs/data/rows.csv').read().split())").data
    assert told == "1000 team platform ['a,b', '1,2']\n", told
    assert run("1 / 0").result_type.value == "error"
    slow = w.command_execution.execute(cluster.cluster_id, context_id=context.id, language=Language.PYTHON, command="import time; time.sleep(600)")
    time.sleep(1)
    w.command_execution.cancel(cluster_id=cluster.cluster_id, context_id=context.id, command_id=slow.command_id)
    assert run("print(rows)").data == "1000\n"
    w.command_execution.destroy(cluster.cluster_id, context.id)

# Change it: the whole, then one field; end it, start it, change its size.
edited = w.clusters.edit(cluster.cluster_id, **{**good, "autotermination_minutes": 45}).result()
assert edited.autotermination_minutes == 45 and edited.state == State.RUNNING
w.clusters.delete(cluster.cluster_id).result()
w.clusters.update(cluster.cluster_id, "custom_tags", cluster=compute.UpdateClusterResource(custom_tags={"team": "other"}))
assert w.clusters.get(cluster.cluster_id).custom_tags["team"] == "other"
assert "unexpected state" in refused(DatabricksError, w.clusters.restart, cluster.cluster_id)
w.clusters.start(cluster.cluster_id).result()
w.clusters.ensure_cluster_is_running(cluster.cluster_id)

# A pinned cluster stays; libraries are the image's.
w.clusters.pin(cluster.cluster_id)
assert "unpin the cluster first" in refused(DatabricksError, w.clusters.permanent_delete, cluster.cluster_id)
w.clusters.unpin(cluster.cluster_id)
w.libraries.install(cluster.cluster_id, [compute.Library(pypi=compute.PythonPyPiLibrary(package="six"))])
status = next(iter(w.libraries.cluster_status(cluster.cluster_id)))
assert status.status == compute.LibraryInstallStatus.FAILED and "image" in status.messages[0], status

# Policies and pools.
policy = w.cluster_policies.create(name="golden", definition='{"custom_tags.team": {"type": "fixed", "value": "platform"}, "autotermination_minutes": {"type": "range", "maxValue": 60}}')
assert "must be platform" in refused(DatabricksError, w.clusters.create, **{**good, "policy_id": policy.policy_id, "custom_tags": {"team": "other"}})
pool = w.instance_pools.create("golden", node, idle_instance_autotermination_minutes=10, preloaded_docker_images=[compute.DockerImage(url=image)])
assert [p.instance_pool_name for p in w.instance_pools.list()] == ["golden"]

# More of them, and the list page by page. These have no image: nothing is launched for them.
plain = dict(spark_version=runtime, num_workers=1, instance_pool_id=pool.instance_pool_id, policy_id=policy.policy_id, autotermination_minutes=20)
more = [w.clusters.create(cluster_name=f"more {i}", **plain).result() for i in range(5)]
assert more[0].node_type_id == node and more[0].custom_tags == {"team": "platform"}, more[0]
ours = {cluster.cluster_id, *(c.cluster_id for c in more)}
names = [c.cluster_name for c in w.clusters.list(page_size=2) if c.cluster_id in ours]
assert names == ["more 4", "more 3", "more 2", "more 1", "more 0", "golden"], names
resized = w.clusters.resize(more[0].cluster_id, num_workers=3).result()
assert resized.num_workers == 3 and resized.state == State.RUNNING, resized

# And everything goes.
for id in ours:
    w.clusters.permanent_delete(id)
assert not ours.intersection(c.cluster_id for c in w.clusters.list())
w.instance_pools.delete(pool.instance_pool_id)
w.cluster_policies.delete(policy.policy_id)
w.secrets.delete_scope("golden")
w.workspace.delete(home, recursive=True)
print("sdk.py: all is as it should be")
