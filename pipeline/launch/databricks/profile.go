package databricks

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"

	"github.com/databricks/databricks-sdk-go/config"
)

// agreed says whether the profile that the launch's own settings name is the one that counts. Databricks' tools let the
// environment win over a profile, without a word: a launch would then be made in a workspace that its configuration does not
// mean. resolved is what they have concluded.
func agreed(options Options, resolved *config.Config) error {
	if options.Profile == "" || options.Host != "" {
		return nil
	}
	file, err := config.LoadFile(resolved.ConfigFile)
	if errors.Is(err, fs.ErrNotExist) {
		return configuration(fmt.Sprintf("launch.databricks.profile names the profile %s, and there is no file %s", options.Profile, cmp.Or(resolved.ConfigFile, "~/.databrickscfg")),
			"Write the profile there, or leave launch.databricks.profile out where the environment's variables say who logs in")
	}
	if err != nil {
		return nil // the SDK has read it, and has told what is wrong
	}
	meant := file.Section(options.Profile).Key("host").String()
	if meant == "" || sameHost(meant, resolved.Host) {
		return nil
	}
	return configuration(fmt.Sprintf("two workspaces are named: the profile %s is of %s, and DATABRICKS_HOST says %s", options.Profile, short(errors.New(meant)), resolved.Host),
		"Unset DATABRICKS_HOST, or leave launch.databricks.profile out; launch.databricks.host stands above both")
}

// sameHost compares two addresses of workspaces, of which one may be without scheme.
func sameHost(a, b string) bool {
	host := func(address string) string {
		if !strings.Contains(address, "://") {
			address = "https://" + address
		}
		u, err := url.Parse(address)
		if err != nil {
			return address
		}
		return u.Host
	}
	return strings.EqualFold(host(a), host(b))
}
