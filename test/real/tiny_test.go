//go:build real

package real

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/hallmark-ci/hallmark/pipeline/report"
)

// tiny is a project whose image holds one static program: a run of it takes seconds.
type tiny struct {
	image string // its name; empty: tiny
	stamp string // whatever is in here makes another digest
	slow  bool   // its build takes some seconds
	probe string // a probe of its launch, besides the page
}

// project writes the project into a folder and returns that.
func (p tiny) project(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp(work, "tiny-")
	if err != nil {
		t.Fatal(err)
	}
	if p.image == "" {
		p.image = "tiny"
	}
	body, err := os.ReadFile(service)
	if err != nil {
		t.Fatal(err)
	}
	wait := ""
	if p.slow {
		wait = "RUN [\"/service\", \"sleep\", \"6\"]\n"
	}
	if p.probe != "" {
		p.probe = "\n      - " + p.probe
	}
	for name, text := range map[string]string{
		"service": string(body),
		"stamp":   p.stamp,
		"Dockerfile": "FROM scratch\nCOPY --chmod=0755 service /service\n" + wait + `COPY stamp /stamp
LABEL org.opencontainers.image.title="tiny" org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/hallmark-ci/hallmark" org.opencontainers.image.revision="1"
USER 65532:65532
ENTRYPOINT ["/service"]
CMD ["serve"]
`,
		"hallmark.yaml": fmt.Sprintf(`image: %s
build: {source_date_epoch: 2026-01-01}
check: {packs: [base], params: {base: {allow_no_os: true}}}
launch:
  - target: sandbox
    profile: service
    timeout: 2m
    limits: {memory: 128Mi, cpus: 1, pids: 64}
    probes:
      - http: {port: 8080, expect: the service answers}%s
promote: {tags: [golden]}
`, p.image, p.probe),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// isGolden fails the test unless the run ended with its digest under the golden tag, and the verification of that tag holds.
func isGolden(t *testing.T, h home, o outcome, more ...string) report.Verification {
	t.Helper()
	if len(o.report.Golden) != 1 {
		t.Fatalf("golden tags %+v: %s", o.report.Golden, o)
	}
	v := verify(t, h, o.report.Golden[0].Ref, 0, more...)
	if v.Subject != o.report.Subject {
		t.Errorf("golden is %s, the run was about %s", v.Subject, o.report.Subject)
	}
	return v
}

type golden = report.Golden
