package config

import (
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "10m": 10 * time.Minute, "48h": 48 * time.Hour, "7d": 168 * time.Hour, "2w": 336 * time.Hour,
		"1h30m": 90 * time.Minute, "1.5d": 36 * time.Hour, "0": 0, "0s": 0, "500ms": 500 * time.Millisecond, "1d12h": 36 * time.Hour,
	} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || d.Std() != want {
			t.Errorf("%s: got %s, %v", text, d, err)
		}
		var again Duration
		if err := again.UnmarshalText([]byte(d.String())); err != nil || again != d {
			t.Errorf("%s is written %s, which is read as %s, %v", text, d, again, err)
		}
	}
	for _, text := range []string{"", "10", "m", "10 m", "-1h", "1y", "1h-", "9999999999d", "999999999h999999999h", "1e3s", "०s"} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken as %s", text, d)
		}
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"3Gi": 3 << 30, "3GiB": 3 << 30, "512MB": 512e6, "512M": 512e6, "1.5Gi": 3 << 29, "1024": 1024, "0": 0, "1 kB": 1000, "7B": 7, "2Ti": 2 << 40,
	} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || int64(s) != want {
			t.Errorf("%s: got %d, %v", text, int64(s), err)
		}
		var again Size
		if err := again.UnmarshalText([]byte(s.String())); err != nil || again != s {
			t.Errorf("%s is written %s, which is read as %d, %v", text, s, int64(again), err)
		}
	}
	for _, text := range []string{"", "Gi", "-1Gi", "3g", "512m", "3Xi", "1e30", "99999999Ti", "three"} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was taken as %d", text, int64(s))
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"fail_on", "fixable_only", "secrets", "ignore", "vex", "database"}
	for word, want := range map[string]string{
		"failon": "fail_on", "Fail-On": "fail_on", "fial_on": "fail_on", "databse": "database", "secret": "secrets", "vxe": "vex",
		"severity": "", "x": "", "": "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}
