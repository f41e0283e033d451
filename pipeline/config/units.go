package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a span of time, written as 90s, 10m, 48h, 7d, or several of them: 1h30m.
type Duration time.Duration

// Std is the duration in the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// UnmarshalText reads a duration; a day is 24 hours and a week seven days.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	if _, err := strconv.ParseFloat(s, 64); err == nil && s != "0" {
		return hinted(fmt.Errorf("the duration %q has no unit", s), "write "+s+"s for seconds or "+s+"m for minutes")
	}
	var total time.Duration
	rest := s
	for rest != "" {
		end := strings.IndexFunc(rest, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
		unit := end
		for unit >= 0 && unit < len(rest) && rest[unit] != '.' && (rest[unit] < '0' || rest[unit] > '9') {
			unit++
		}
		if end < 0 {
			end, unit = len(rest), len(rest)
		}
		part, err := oneDuration(rest[:end], rest[end:unit])
		if err != nil {
			return hinted(fmt.Errorf("%q is not a duration", s), "write it as 90s, 10m, 48h or 7d")
		}
		if total > math.MaxInt64-part {
			return fmt.Errorf("the duration %q is too long", s)
		}
		total, rest = total+part, rest[unit:]
	}
	if s == "" {
		return errors.New("the duration is empty")
	}
	*d = Duration(total)
	return nil
}

func oneDuration(number, unit string) (time.Duration, error) {
	hours := map[string]float64{"d": 24, "w": 7 * 24}[unit]
	if hours == 0 {
		if number == "0" && unit == "" {
			return 0, nil
		}
		return time.ParseDuration(number + unit)
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n*hours*float64(time.Hour) >= math.MaxInt64 {
		return 0, errors.New("out of range")
	}
	return time.Duration(n * hours * float64(time.Hour)), nil
}

// String is the duration without units that say nothing: 48h, not 48h0m0s.
func (d Duration) String() string {
	if day := Duration(24 * time.Hour); d >= 3*day && d%day == 0 {
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	if s == "0s" {
		return "0"
	}
	return s
}

// MarshalText is String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// Size is a number of bytes, written as 3Gi, 512MB or plain bytes.
type Size int64

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{
	{"Ki", 1 << 10},
	{"Mi", 1 << 20},
	{"Gi", 1 << 30},
	{"Ti", 1 << 40},
	{"k", 1e3},
	{"M", 1e6},
	{"G", 1e9},
	{"T", 1e12},
	{"", 1},
}

// UnmarshalText reads a size. Units are those of Kubernetes, with or without a B: k, M, G, T count in thousands, Ki,
// Mi, Gi, Ti in 1024s.
func (s *Size) UnmarshalText(text []byte) error {
	written := string(text)
	end := strings.IndexFunc(written, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end < 0 {
		end = len(written)
	}
	unit := strings.TrimSuffix(strings.TrimSpace(written[end:]), "B")
	number, err := strconv.ParseFloat(written[:end], 64)
	if err != nil {
		return hinted(fmt.Errorf("%q is not a size", written), "write it as 3Gi, 512Mi or 512MB")
	}
	for _, u := range sizeUnits {
		if u.suffix != unit {
			continue
		}
		if number*float64(u.bytes) >= math.MaxInt64 {
			return fmt.Errorf("the size %q is too large", written)
		}
		*s = Size(number * float64(u.bytes))
		return nil
	}
	for _, u := range sizeUnits {
		if strings.EqualFold(u.suffix, unit) || strings.EqualFold(u.suffix, unit+"i") {
			return hinted(fmt.Errorf("%q has the unknown unit %q", written, unit), "write "+written[:end]+u.suffix)
		}
	}
	return hinted(fmt.Errorf("%q has the unknown unit %q", written, unit), "units are k, M, G, T and Ki, Mi, Gi, Ti")
}

// String is the size in the largest unit that expresses it exactly.
func (s Size) String() string {
	for _, unit := range []int{3, 2, 1, 0, 7, 6, 5, 4} {
		if u := sizeUnits[unit]; s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalText is String.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Day is a date, YYYY-MM-DD.
type Day string

// UnmarshalText reads a date.
func (d *Day) UnmarshalText(text []byte) error {
	if _, err := time.Parse(time.DateOnly, string(text)); err != nil {
		return hinted(fmt.Errorf("%q is not a date", text), "write it as YYYY-MM-DD, for example 2027-01-31")
	}
	*d = Day(text)
	return nil
}

// Epoch is a moment in whole seconds since 1970; empty is none.
type Epoch string

// UnmarshalText reads seconds since 1970, a date, or a date and time (RFC 3339); it keeps the seconds.
func (e *Epoch) UnmarshalText(text []byte) error {
	s := string(text)
	if seconds, err := strconv.ParseInt(s, 10, 64); err == nil && seconds >= 0 {
		*e = Epoch(strconv.FormatInt(seconds, 10))
		return nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, s); err == nil && at.Unix() >= 0 {
			*e = Epoch(strconv.FormatInt(at.Unix(), 10))
			return nil
		}
	}
	return hinted(fmt.Errorf("%q is not a time", s), "write seconds since 1970, 2027-01-31, or 2027-01-31T00:00:00Z")
}

// Time is the moment, and whether there is one.
func (e Epoch) Time() (time.Time, bool) {
	seconds, err := strconv.ParseInt(string(e), 10, 64)
	return time.Unix(seconds, 0).UTC(), err == nil
}

// withHint is an error with a suggestion beside it.
type withHint struct {
	error
	hint string
}

func hinted(err error, hint string) error { return withHint{err, hint} }
