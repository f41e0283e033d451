package engine

import (
	"slices"
	"testing"
)

var testKey = []byte("0123456789abcdef0123456789abcdef")

func TestOrderTravelsSealed(t *testing.T) {
	t.Parallel()
	sealed := seal(testKey, []byte(`{"token":"T","limits":{"memory":5}}`))
	ask, env, err := takeOrder(testKey, []string{"A=b", orderVariable + "=" + sealed, "C=d"})
	if err != nil || ask == nil || ask.Token != "T" || ask.Limits.Memory != 5 || !slices.Equal(env, []string{"A=b", "C=d"}) {
		t.Errorf("got %+v, %q, %v", ask, env, err)
	}
	if ask, env, err := takeOrder(testKey, []string{"A=b"}); ask != nil || err != nil || len(env) != 1 {
		t.Errorf("without an order: %+v, %q, %v", ask, env, err)
	}
	for _, forged := range []string{seal([]byte("another key"), []byte("{}")), sealed + "A", "x" + sealed, "e30.", ".", "no", seal(testKey, []byte("not JSON"))} {
		if _, _, err := takeOrder(testKey, []string{orderVariable + "=" + forged}); err == nil {
			t.Errorf("%q was accepted", forged)
		}
	}
}

func FuzzUnseal(f *testing.F) {
	good := seal(testKey, []byte(`{"token":"T"}`))
	f.Add(good)
	f.Add("a.b")
	f.Fuzz(func(t *testing.T, text string) {
		if ask, err := unseal(testKey, text); err == nil && text != good {
			t.Errorf("%q was accepted as %+v", text, ask)
		}
	})
}
