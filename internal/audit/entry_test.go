package audit_test

import (
	"fmt"
	"strings"
	"testing"

	json "github.com/go-json-experiment/json"

	"github.com/jotgate/jotgate/internal/audit"
)

func TestASecretNeverPrints(t *testing.T) {
	s := audit.Secret("hvs.very-secret")
	js, err := json.Marshal(map[string]any{"t": s})
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s, s), string(js)} {
		if want := "very-secret"; strings.Contains(got, want) {
			t.Errorf("%q shows the secret", got)
		}
	}
	if audit.Secret("").String() != "" {
		t.Error("an absent secret looks present")
	}
}
