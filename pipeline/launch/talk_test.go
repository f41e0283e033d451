package launch

import "testing"

func TestProperties(t *testing.T) {
	t.Parallel()
	got := Properties(map[string]string{"spark.b": "x = y # z", "spark.a": "C:\\tmp\nline", "odd key:": "v"})
	if want := "odd\\ key\\: v\nspark.a C:\\\\tmp\\nline\nspark.b x = y # z\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
