package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/tcp"
)

// states are those a cause is found in.
var states = map[diagnose.Cause][]tcp.State{
	diagnose.DataUnread:     {tcp.CloseWait, tcp.FinWait2},
	diagnose.HalfCloseInUse: {tcp.CloseWait, tcp.FinWait1, tcp.FinWait2},
	diagnose.SendBlocked:    {tcp.CloseWait, tcp.FinWait1},
	diagnose.Ownerless:      {tcp.CloseWait, tcp.FinWait2},
	diagnose.Masked:         {tcp.Closed},
	diagnose.PeerKeepsOpen:  {tcp.FinWait2},
	diagnose.OrphanDraining: {tcp.FinWait2},
	diagnose.FinUnacked:     {tcp.LastAck},
}

// Every headline that can come up, to be read by a person.
func TestSentencesGolden(t *testing.T) {
	var b strings.Builder
	for _, cause := range diagnose.Causes {
		in := states[cause]
		if in == nil {
			in = []tcp.State{tcp.CloseWait}
		}
		for _, state := range in {
			fmt.Fprintf(&b, "%s in %s\n", cause, state)
			for _, f := range variants(cause, state) {
				fmt.Fprintf(&b, "  %s\n", flat(sentence(&f)))
			}
		}
	}
	golden(t, "sentences.txt", []byte(b.String()))
}

func variants(cause diagnose.Cause, state tcp.State) []diagnose.Finding {
	var all []diagnose.Finding
	for _, owner := range []*diagnose.Owner{{PID: 7, Comm: "nginx"}, nil} {
		orphan := cause == diagnose.Ownerless || cause == diagnose.OrphanDraining
		if orphan && owner != nil || cause == diagnose.Masked && owner == nil {
			continue
		}
		ends := diagnose.Outlook{Kind: diagnose.Never}
		if cause == diagnose.HalfCloseInUse && state == tcp.FinWait1 && owner == nil {
			ends.Kind = diagnose.Soon // what nobody holds is the kernel's to send
		}
		for _, n := range []int{2, 1} {
			f := diagnose.Finding{Cause: cause, State: state, Count: n, Owner: owner, Outlook: ends, Direction: diagnose.Outbound, Local: "*", Remote: "10.0.0.5:80"}
			all = append(all, f)
			f.Direction, f.Local, f.Remote = diagnose.Inbound, ":8080", "*"
			all = append(all, f)
		}
		if cause == diagnose.EOFIgnored && owner != nil {
			all = append(all, diagnose.Finding{Cause: cause, State: state, Count: 2, Owner: owner, PeerHolds: true, Direction: diagnose.Inbound, Local: ":8080", Remote: "*"})
		}
		f := diagnose.Finding{Cause: cause, State: state, Count: 2, Owner: owner, Outlook: ends, Direction: diagnose.DirectionUnknown, Local: "10.0.0.7:40000", Remote: "10.0.0.5:80"}
		all = append(all, f)
	}
	return all
}

func flat(p paragraph) string {
	var b strings.Builder
	for _, r := range p {
		b.WriteString(r.text)
	}
	return b.String()
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ title, comm, exe, want string }{
		{"", "nginx", "/usr/sbin/nginx", "nginx"},
		{"nginx: worker process", "nginx", "", "nginx: worker process"},
		{"(wsgi:horizon)", "apache2", "", `apache2 "(wsgi:horizon)"`},
		{"/usr/sbin/apache2", "apache2", "", "apache2"},
		{"/usr/bin/python3.11", "python3.11", "", "python3.11"},
		{"", "", "/usr/bin/x", "x"},
		{"", "", "", "a process"},
		{"gunicorn: worker [" + strings.Repeat("a", 90) + "]", "gunicorn", "", "gunicorn: worker [" + strings.Repeat("a", 29) + "…"},
	} {
		if got := name(&diagnose.Owner{Title: c.title, Comm: c.comm, Exe: c.exe}); got != c.want {
			t.Errorf("name of %+v is %q, want %q", c, got, c.want)
		}
	}
}
