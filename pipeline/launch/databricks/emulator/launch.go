package emulator

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// reference is how a value names a secret: {{secrets/scope/key}}.
var reference = regexp.MustCompile(`\{\{\s*secrets/([^/{}\s]+)/([^/{}\s]+)\s*\}\}`)

// launch is what the cluster asks of its machine, or why it cannot be asked; the lock is held.
func (s *Server) launch(c *cluster) (Launch, *Ended) {
	l := Launch{ClusterID: c.id, ClusterName: c.spec.ClusterName, SparkVersion: c.spec.SparkVersion}
	var failed *Ended
	resolve := func(what, value string) string {
		return reference.ReplaceAllStringFunc(value, func(found string) string {
			parts := reference.FindStringSubmatch(found)
			secret, known := s.secret(parts[1], parts[2])
			if !known && failed == nil {
				failed = &Ended{Code: "SECRET_RESOLUTION_ERROR", Type: byClient, Parameters: map[string]string{
					messageParameter: "Failed to resolve the secret of " + what + ": Secret does not exist with scope: " + parts[1] + " and key: " + parts[2],
				}}
			}
			return string(secret)
		})
	}
	if image := c.spec.DockerImage; image != nil {
		l.Image = image.URL
		if image.BasicAuth != nil {
			l.Username, l.Password = resolve("docker_image.basic_auth.username", image.BasicAuth.Username), resolve("docker_image.basic_auth.password", image.BasicAuth.Password)
		}
	}
	l.Conf, l.Env = map[string]string{}, map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(c.spec.SparkConf)) {
		l.Conf[key] = resolve("spark_conf "+key, c.spec.SparkConf[key])
	}
	for _, key := range slices.Sorted(maps.Keys(c.spec.SparkEnvVars)) {
		l.Env[key] = resolve("spark_env_vars "+key, c.spec.SparkEnvVars[key])
	}
	if failed != nil {
		return l, failed
	}
	var results []ScriptResult
	for _, script := range c.spec.InitScripts {
		kind, destination := script.destination()
		if inside, isInside := strings.CutPrefix(destination, "file:"); kind == "file" && isInside {
			l.Scripts = append(l.Scripts, Script{Name: destination, Inside: "/" + strings.TrimLeft(inside, "/")})
			results = append(results, ScriptResult{Name: destination})
			continue
		}
		body, found := s.files.read(destination)
		if !found {
			why := "Cluster scoped init script " + destination + " failed: the file does not exist"
			if kind == "s3" || kind == "abfss" || kind == "gcs" {
				why += " (the emulator has no cloud storage: put the file with PUT " + adminPath + "files?path=" + destination + ")"
			}
			return l, &Ended{Code: "INIT_SCRIPT_FAILURE", Type: byClient, Parameters: map[string]string{"instance_id": c.instanceID, messageParameter: why}, Scripts: append(results, ScriptResult{Name: destination, ExitCode: fetchFailed, Stderr: why})}
		}
		l.Scripts = append(l.Scripts, Script{Name: destination, Body: body})
		results = append(results, ScriptResult{Name: destination})
	}
	return l, nil
}
