package configs

import (
	"strings"
	"testing"
)

func TestAdoptTakesWhatIsNamed(t *testing.T) {
	t.Parallel()
	to, fresh := DefaultWorker(), DefaultWorker()
	fresh.Capacity, fresh.Name, fresh.Limits.Tasks = 9, "other", 7
	fresh.Labels = map[string]string{"a": "b"}
	fresh.Server.Token = NewSecret(sesame)
	want := DefaultWorker()
	want.Capacity, want.Limits, want.Labels, want.Server.Token = 9, fresh.Limits, fresh.Labels, fresh.Server.Token
	Adopt(&to, fresh, func(key string) bool {
		return key == "capacity" || key == "labels" || key == "server.token" || strings.HasPrefix(key, "limits.")
	})
	if diff := diff(want, to); diff != "" {
		t.Errorf("Adopt (-want +got)\n%s", diff)
	}
	if to.Server.Token.Reveal() != sesame {
		t.Error("the token was not taken")
	}
}
