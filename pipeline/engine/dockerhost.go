package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/hallmark-ci/hallmark/pipeline/verdict"
)

// Where Docker's daemon listens is found as Docker's own command line finds it.
const (
	dockerVariable  = "DOCKER_HOST"
	contextVariable = "DOCKER_CONTEXT"
	configVariable  = "DOCKER_CONFIG"
	unixScheme      = "unix://"
	pipeScheme      = "npipe://" // of Windows
)

// usualDocker is where a daemon listens that nobody has told to listen elsewhere.
func usualDocker(goos string) string {
	if goos == "windows" {
		return pipeScheme + "//./pipe/docker_engine"
	}
	return unixScheme + "/var/run/docker.sock"
}

// dockerHost is an address with the reason why it is that.
type dockerHost struct{ address, from string }

func (h dockerHost) String() string { return h.address + h.from }

// socket is the file of a local socket, or the name of a pipe.
func (h dockerHost) socket(goos string) (string, error) {
	if socket, found := strings.CutPrefix(h.address, unixScheme); found {
		return socket, nil
	}
	kinds := unixScheme
	if goos == "windows" {
		if pipe, found := strings.CutPrefix(h.address, pipeScheme); found {
			return strings.ReplaceAll(pipe, "/", `\`), nil
		}
		kinds += " or " + pipeScheme
	}
	return "", fmt.Errorf("%w: Docker at %s: only a local socket (%s) is supported as a build engine. Set %s to one, or set %s to the address of a BuildKit",
		verdict.ErrUsage, h, kinds, dockerVariable, hostVariable)
}

// findDocker is the address that DOCKER_HOST names; else that of the context that DOCKER_CONTEXT or Docker's
// configuration names; else the usual socket.
func findDocker() (dockerHost, error) {
	if host := os.Getenv(dockerVariable); host != "" {
		return dockerHost{address: host}, nil
	}
	folder := os.Getenv(configVariable)
	if folder == "" {
		if home, err := os.UserHomeDir(); err == nil {
			folder = filepath.Join(home, ".docker")
		}
	}
	name, from := os.Getenv(contextVariable), contextVariable
	if name == "" {
		var file struct {
			CurrentContext string `json:"currentContext"`
		}
		path := filepath.Join(folder, "config.json")
		if err := readJSON(path, &file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return dockerHost{}, fmt.Errorf("%w: Docker's configuration: %w", verdict.ErrUsage, err)
		}
		name, from = file.CurrentContext, path
	}
	if name == "" || name == "default" {
		return dockerHost{address: usualDocker(runtime.GOOS)}, nil
	}
	var found struct {
		Endpoints map[string]struct{ Host string }
	}
	sum := sha256.Sum256([]byte(name))
	if err := readJSON(filepath.Join(folder, "contexts", "meta", hex.EncodeToString(sum[:]), "meta.json"), &found); err != nil {
		return dockerHost{}, fmt.Errorf("%w: Docker's context %q, which %s names: %w. Choose another with docker context use, or set %s",
			verdict.ErrUsage, name, from, err, dockerVariable)
	}
	address := cmp.Or(found.Endpoints["docker"].Host, usualDocker(runtime.GOOS))
	return dockerHost{address: address, from: fmt.Sprintf(" (context %s)", name)}, nil
}

// maxSettings bounds what is read of Docker's configuration.
const maxSettings = 1 << 20

func readJSON(path string, into any) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() > maxSettings {
		return fmt.Errorf("%s holds %d bytes, more than the %d that are read", path, info.Size(), maxSettings)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// dockerReachable says whether a connection to Docker's socket can be opened by this user.
func dockerReachable() bool {
	host, err := findDocker()
	if err != nil {
		return false
	}
	socket, err := host.socket(runtime.GOOS)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := dialLocal(ctx, socket)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
