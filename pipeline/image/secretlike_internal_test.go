package image

import (
	"strings"
	"testing"
)

func TestSecretReason(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, value string
		secret      bool
	}{
		{"DB_PASSWORD", "hunter2", true},
		{"dbPassword", "hunter2", true},
		{"MYSQL_PWD", "hunter2", true},
		{"API_KEY", "0123456789", true},
		{"AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI", true},
		{"GITHUB_TOKEN", "x1y2z3x1y2z3", true},
		{"CLIENT_SECRET", "a-b-c-d", true},
		{"ANYTHING", "AKIAIOSFODNN7EXAMPLE", true},
		{"ANYTHING", "-----BEGIN RSA PRIVATE KEY-----\nMIIE", true},
		{"ANYTHING", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc", true},
		{"ANYTHING", "dapi0123456789abcdef0123456789abcdef", true},
		{"PIP_INDEX_URL", "https://user:pass@pypi.example.com/simple", true},
		{"AZURE", "DefaultEndpointsProtocol=https;AccountKey=" + strings.Repeat("a", 86) + "==", true},

		{"PASSWORD", "", false},
		{"DB_PASSWORD_FILE", "/run/secrets/db", false},
		{"DB_PASSWORD", "/run/secrets/db", false},
		{"DB_PASSWORD", "${DB_PASSWORD}", false},
		{"DB_PASSWORD", "$DB", false},
		{"REQUIRE_PASSWORD", "true", false},
		{"TOKEN_TTL", "3600", false},
		{"TOKEN_LIMIT", "4096", false},
		{"PWD", "/work", false},
		{"OLDPWD", "somewhere", false},
		{"GPG_KEY", "E3FF2839C048B25C084DEBE9B26995E310250568", false},
		{"GPG_KEY", "literal key", true},
		{"SSH_PUBLIC_KEY", "ssh-ed25519 AAAA", false},
		{"KEYBOARD", "de", false},
		{"MONKEY", "banana", false},
		{"PATH", "/usr/bin:/bin", false},
		{"JAVA_HOME", "/usr/lib/jvm", false},
		{"PIP_INDEX_URL", "https://pypi.example.com:8443/simple", false},
		{"PIP_INDEX_URL", "https://user:$PASS@pypi.example.com/simple", false},
		{"", "", false},
	} {
		if reason := secretReason(test.name, test.value); (reason != "") != test.secret {
			t.Errorf("%s=%s: reason %q, want secret %v", test.name, test.value, reason, test.secret)
		}
	}
}

func TestMaskAssignments(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`|2 TOKEN=abcdef VERSION=1 /bin/sh -c make`:        `|2 TOKEN=*** VERSION=1 /bin/sh -c make`,
		`RUN PASSWORD="a b c" ./setup`:                     `RUN PASSWORD=*** ./setup`,
		`RUN login --password hunter2 --user me`:           `RUN login --password *** --user me`,
		`RUN login --password=hunter2`:                     `RUN login --password=***`,
		`RUN docker login --password-stdin registry`:       `RUN docker login --password-stdin registry`,
		`RUN pip install -i https://u:p@example.com/ x`:    `RUN pip install -i ***example.com/ x`,
		`RUN echo AKIAIOSFODNN7EXAMPLE`:                    `RUN echo ***`,
		`RUN --mount=type=secret,id=token cat /run/secret`: `RUN --mount=type=secret,id=token cat /run/secret`,
		`ENV PATH=/usr/bin LANG=C.UTF-8`:                   `ENV PATH=/usr/bin LANG=C.UTF-8`,
	} {
		if got, reason := maskAssignments(text); got != want || (got != text) != (reason != "") {
			t.Errorf("%s becomes %s (%q), want %s", text, got, reason, want)
		}
	}
}
