package bpfiter

import (
	"errors"
	"strings"
	"testing"
)

func TestUnavailableSaysTheWayOut(t *testing.T) {
	cause := errors.New("refused")
	for lack, want := range map[Lack]string{
		LackPrivilege: "CAP_BPF and CAP_PERFMON", LackBTF: "CONFIG_DEBUG_INFO_BTF", LackKernel: "Linux 5.12",
	} {
		err := error(&UnavailableError{Lack: lack, Err: cause})
		if !strings.Contains(err.Error(), want) || !errors.Is(err, cause) {
			t.Errorf("%s: %v", lack, err)
		}
	}
}
