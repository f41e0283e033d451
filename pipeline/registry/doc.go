// Package registry reaches registries: it finds credentials, chooses between HTTPS and plain HTTP, waits out rate
// limits and outages, moves blobs and manifests, and serves the registry that Hallmark brings along.
//
// One chain of round trippers carries every request, our own as well as those that go-containerregistry and cosign
// make with RemoteOptions:
//
//	scheme  -> HTTPS unless asked otherwise or on loopback; answers the libraries' pings without the network
//	resumer -> goes on with a blob's download where the connection broke
//	retrier -> waits and repeats what is safe to repeat, within a number of tries and a total time, and says why
//	author  -> credentials and tokens, fetched when the registry first asks for them
//	idle    -> ends a request on which nothing moves
//
// A credential for a host is looked for in Options.Auth, then in the environment (HALLMARK_REGISTRY_HOST with
// HALLMARK_REGISTRY_USERNAME and HALLMARK_REGISTRY_PASSWORD, or with HALLMARK_REGISTRY_TOKEN), then in what `docker
// login` left, helpers included; for Azure's registries at last in who the job is (Options.Azure). It is looked for when a registry first asks, and again whenever a token runs out.
//
// The package must not know what is in an image, who signed it, or whether it may be promoted. It never prints:
// waits and bytes are told through package progress.
package registry
