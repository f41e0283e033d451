package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// targets are the ratios that the project wants to stay below.
var targets = map[string]float64{"cold": 0.5, "layer": 0.25, "same": 0.1}

var meanings = map[string]string{
	"cold": "cold: no cache of build, scan or registry", "layer": "one new top layer", "same": "nothing new",
}

func median(rounds []measured, of func(measured) time.Duration) time.Duration {
	all := make([]time.Duration, len(rounds))
	for i, m := range rounds {
		all[i] = of(m)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// table prints one line for each scenario: Hallmark's median against that of the faster chain.
func table(to *strings.Builder, results []result) {
	fmt.Fprintf(to, "\n| scenario | Hallmark | chain | ratio | range of ratios | without RUN | ratio without RUN | wanted |\n|---|---|---|---|---|---|---|---|\n")
	whole := func(m measured) time.Duration { return m.whole }
	for _, ours := range results {
		if ours.contestant != "hallmark" {
			continue
		}
		var best *result
		for i := range results {
			r := &results[i]
			if r.scenario == ours.scenario && r.contestant != ours.contestant && (best == nil || median(r.rounds, whole) < median(best.rounds, whole)) {
				best = r
			}
		}
		if best == nil {
			fmt.Fprintf(to, "| %s | %.2f s | | | | %.2f s | | %g |\n", meanings[ours.scenario], median(ours.rounds, whole).Seconds(),
				median(ours.rounds, measured.own).Seconds(), targets[ours.scenario])
			continue
		}
		mine, theirs := median(ours.rounds, whole), median(best.rounds, whole)
		low, high := ratios(ours.rounds, best.rounds)
		mineOwn, theirsOwn := median(ours.rounds, measured.own), median(best.rounds, measured.own)
		fmt.Fprintf(to, "| %s | %.2f s | %.2f s (%s) | **%.2f** | %.2f to %.2f | %.2f s : %.2f s | **%.2f** | %g |\n", meanings[ours.scenario],
			mine.Seconds(), theirs.Seconds(), strings.TrimPrefix(best.contestant, "chain, "), ratio(mine, theirs), low, high,
			mineOwn.Seconds(), theirsOwn.Seconds(), ratio(mineOwn, theirsOwn), targets[ours.scenario])
	}
	fmt.Fprintln(to, "\nSteps of the median round, in seconds:")
	fmt.Fprintln(to)
	for _, r := range results {
		middle := slices.Clone(r.rounds)
		slices.SortFunc(middle, func(a, b measured) int { return int(a.whole - b.whole) })
		m := middle[len(middle)/2]
		fmt.Fprintf(to, "- %s, %s: %.2f %s\n", r.scenario, r.contestant, m.whole.Seconds(), stepsText(m.steps))
	}
}

func ratio(a, b time.Duration) float64 { return a.Seconds() / b.Seconds() }

// ratios are the lowest and the highest of any single round.
func ratios(ours, theirs []measured) (low, high float64) {
	for i := range min(len(ours), len(theirs)) {
		r := ratio(ours[i].whole, theirs[i].whole)
		if i == 0 {
			low, high = r, r
		}
		low, high = min(low, r), max(high, r)
	}
	return low, high
}

// describe says what kind of machine this is and how busy, and not whose.
func describe(to *strings.Builder, when string) {
	load, _ := os.ReadFile("/proc/loadavg")
	if when == "before" {
		var name unix.Utsname
		_ = unix.Uname(&name)
		fmt.Fprintf(to, "%s, %s; %d processors (%s), %s of memory, Linux %s, %s.\n", time.Now().Format(time.DateOnly), runtime.Version(), runtime.NumCPU(),
			field("/proc/cpuinfo", "model name"), field("/proc/meminfo", "MemTotal"), unix.ByteSliceToString(name.Release[:]), runtime.GOARCH)
	}
	fmt.Fprintf(to, "Load %s: %s\n", when, strings.Join(strings.Fields(string(load))[:3], " "))
}

func field(path, name string) string {
	file, err := os.Open(path)
	if err != nil {
		return "?"
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if key, value, found := strings.Cut(lines.Text(), ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "?"
}
