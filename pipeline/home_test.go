package pipeline

import (
	"errors"
	"path/filepath"
	"testing"
)

func TestDataFolder(t *testing.T) {
	t.Parallel()
	root := t.TempDir() // absolute paths look different on each system
	at := func(parts ...string) string { return filepath.Join(append([]string{root}, parts...)...) }
	user := func() (string, error) { return at("ada"), nil }
	for name, test := range map[string]struct {
		goos string
		env  map[string]string
		want string
	}{
		"Linux":                    {"linux", nil, at("ada", ".local", "share")},
		"macOS":                    {"darwin", nil, at("ada", ".local", "share")},
		"XDG":                      {"linux", map[string]string{"XDG_DATA_HOME": at("data")}, at("data")},
		"XDG that leads nowhere":   {"linux", map[string]string{"XDG_DATA_HOME": "data"}, at("ada", ".local", "share")},
		"Windows":                  {"windows", map[string]string{"LocalAppData": at("local")}, at("local")},
		"Windows without a name":   {"windows", nil, at("ada", "AppData", "Local")},
		"Windows' name on Linux":   {"linux", map[string]string{"LocalAppData": at("local")}, at("ada", ".local", "share")},
		"XDG on Windows, as asked": {"windows", map[string]string{"XDG_DATA_HOME": at("data"), "LocalAppData": at("local")}, at("data")},
	} {
		got, err := dataFolder(test.goos, func(name string) string { return test.env[name] }, user)
		if err != nil || got != test.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, test.want)
		}
	}
	nobody := errors.New("nobody")
	if _, err := dataFolder("linux", func(string) string { return "" }, func() (string, error) { return "", nobody }); !errors.Is(err, nobody) {
		t.Errorf("a user without a home: %v", err)
	}
}
