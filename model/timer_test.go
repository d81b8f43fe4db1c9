package model

import (
	"strings"
	"testing"

	"github.com/closewait/closewait/tcp"
)

func TestTimersHaveNames(t *testing.T) {
	r := in(t, Linux(), tcp.CloseWait).do(Write(5)).do(KeepAlive(true, 0, 0, 0))
	on := []string{}
	for timer := range timers {
		if _, is := r.c.Deadline(timer); is {
			on = append(on, timer.String())
		}
	}
	if got := strings.Join(on, " "); got != "retransmission keepalive" {
		t.Errorf("%s are on", got)
	}
}
