// Package emulator is a Databricks workspace for tests: an http.Handler that speaks the platform's REST API as far as
// launching a cluster from an image needs it. Clusters 2.1, contexts and commands 1.2, secrets, files, policies, pools,
// tokens and the workspace's settings are there; jobs, SQL warehouses and the catalog are not.
//
// What it is sent, it looks at as the platform would, and a little more strictly: a field that nobody knows is refused.
// Clusters go through the platform's states with its events. What they run on is a Machine; package pipeline plugs in the
// sandbox, so that the image is really pulled and commands really run in it.
//
// It can be told to fail, for one cluster (Next) or for requests (Inject), in the ways that the platform does.
//
// Paths, field names and error bodies follow the platform's reference; where that is silent, the official Go client's
// types decide. None of that client's types are in here.
package emulator
