package report

import (
	"path"
	"strconv"
	"strings"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// sentence is the headline of f: who holds what, and what the peer did.
func sentence(f *diagnose.Finding) paragraph {
	if f.Owner == nil {
		return nobody(f)
	}
	p := subject(f)
	switch {
	case f.Cause == diagnose.NeverAccepted:
		return p.say(" has not accepted ", connections(f), where(f), closedByPeer(f))
	case f.Cause == diagnose.Masked:
		return p.say(" still holds ", count(f.Count, "descriptor of a dead connection", "descriptors of dead connections"), place(f))
	case f.Cause == diagnose.HalfCloseInUse:
		return p.say(" uses ", count(f.Count, "half-closed connection", "half-closed connections"), place(f))
	case f.Cause == diagnose.PeerKeepsOpen:
		return p.say(" has ended its side of ", connections(f), where(f), " that ", who(f), verb(f, " keeps", " keep"), " open")
	case f.Cause == diagnose.FinUnacked:
		return p.say(" has closed ", connections(f), where(f), ", and ", who(f), verb(f, " does", " do"), " not acknowledge it")
	case f.Cause == diagnose.SendBlocked && f.State == tcp.CloseWait:
		return p.say(" cannot send on ", connections(f), where(f), closedByPeer(f))
	case f.Cause == diagnose.SendBlocked:
		return p.say(" has closed ", connections(f), where(f), " with data left that ", who(f), verb(f, " does", " do"), " not take")
	case f.State == tcp.CloseWait:
		return p.say(" holds ", connections(f), where(f), closedByPeer(f))
	}
	return p.say(" has ended its side of ", connections(f), where(f), " and does not read what ", who(f), " sent")
}

// nobody is sentence for sockets that no process holds.
func nobody(f *diagnose.Finding) paragraph {
	p := paragraph{}.add(strong, connections(f)).say(where(f))
	are := func(one, many string) string {
		if f.Count == 1 {
			return one
		}
		return many
	}
	switch {
	case f.Cause == diagnose.OrphanDraining:
		return p.say(are(" is", " are"), " closed here and ", are("waits", "wait"), " for ", who(f), " to finish")
	case drains(f):
		return p.say(are(" is", " are"), " closed here, and ", who(f), verb(f, " still takes", " still take"), " what is left")
	case f.Cause == diagnose.HalfCloseInUse:
		return p.say(are(" is", " are"), " half-closed and in use, by a process that could not be seen")
	case f.Cause == diagnose.FinUnacked:
		return p.say(are(" is", " are"), " closed here, and ", who(f), verb(f, " does", " do"), " not acknowledge it")
	case f.Cause == diagnose.SendBlocked && f.State != tcp.CloseWait:
		return p.say(are(" is", " are"), " closed here with data left that ", who(f), verb(f, " does", " do"), " not take")
	case f.Cause == diagnose.NeverAccepted:
		return p.say(closedByPeer(f), are(" was", " were"), " never accepted")
	}
	if f.State == tcp.CloseWait {
		return p.say(closedByPeer(f), are(" belongs", " belong"), " to no process that could be seen")
	}
	// Half-closed here, and the peer's FIN has not come.
	return p.say(" that ", who(f), verb(f, " keeps", " keep"), " open", are(" belongs", " belong"), " to no process that could be seen")
}

// drains: no application uses them any more; the kernel sends what is left. That nobody
// was seen to hold them does not tell it, but their outlook does.
func drains(f *diagnose.Finding) bool {
	return f.Cause == diagnose.HalfCloseInUse && f.Owner == nil && f.Outlook.Kind == diagnose.Soon
}

func connections(f *diagnose.Finding) string { return count(f.Count, "connection", "connections") }

// where is the local end of connections, if it says anything: an outbound
// connection's port is the kernel's choice.
func where(f *diagnose.Finding) string {
	if f.Direction == diagnose.Outbound || f.Local == "" || f.Local == "*" {
		return ""
	}
	return " on " + f.Local
}

// place is the one end that tells the group's service.
func place(f *diagnose.Finding) string {
	if f.Direction != diagnose.Inbound && onePeer(f) {
		return " to " + f.Remote
	}
	return where(f)
}

func onePeer(f *diagnose.Finding) bool { return f.Remote != "" && f.Remote != "*" }

// who is the peer or peers of f as a subject.
func who(f *diagnose.Finding) string {
	switch {
	case onePeer(f):
		return f.Remote
	case f.Direction == diagnose.Inbound:
		return verb(f, "the client", "the clients")
	}
	return verb(f, "the peer", "their peers")
}

// verb is the form that agrees with who.
func verb(f *diagnose.Finding, one, many string) string {
	if f.Count == 1 || onePeer(f) {
		return one
	}
	return many
}

func closedByPeer(f *diagnose.Finding) string {
	if f.PeerHolds {
		return " that " + who(f) + verb(f, " has", " have") + " half-closed"
	}
	return " that " + who(f) + verb(f, " has", " have") + " closed"
}

// subject is the owner as the subject of a sentence: its name, where it runs
// and by what pid.
func subject(f *diagnose.Finding) paragraph {
	p := paragraph{}.add(strong, name(f.Owner))
	return p.say(" (", strings.Join(whereabouts(f.Owner, f.NetNS, 3), ", "), ")")
}

// nameColumns bounds a program's name: a title is as long as a process likes.
const nameColumns = 48

// name is what to call a program. A title says more than comm (mod_wsgi's comm
// is apache2 and its title "(wsgi:horizon)"), but not always enough alone.
func name(o *diagnose.Owner) string {
	title, comm := o.Title, o.Comm
	if strings.HasPrefix(title, "/") && !strings.ContainsAny(title, " :") {
		title = path.Base(title)
	}
	switch {
	case title == "" && comm == "" && o.Exe != "":
		return shorten(path.Base(o.Exe), nameColumns)
	case title == "" && comm == "":
		return "a process"
	case title == "" || strings.HasPrefix(comm, title):
		return shorten(comm, nameColumns)
	case strings.Contains(title, comm):
		return shorten(title, nameColumns)
	}
	return shorten(comm, nameColumns) + ` "` + shorten(title, nameColumns) + `"`
}

// whereabouts are the parts that tell one owner from its like.
func whereabouts(o *diagnose.Owner, ns diagnose.NetNS, most int) []string {
	parts := []string{pids(o, most)}
	switch {
	case o.Container != "":
		parts = append(parts, "container "+short(o.Container))
	case o.Unit != "":
		parts = append(parts, shorten(o.Unit, nameColumns))
	}
	if o.Pod != "" {
		parts = append(parts, "pod "+short(o.Pod))
	}
	if len(o.PIDs) > 0 && o.PIDs[0].NSPID != 0 {
		parts = append(parts, "pid "+strconv.Itoa(o.PIDs[0].NSPID)+" inside")
	}
	if ns.Name != "" {
		parts = append(parts, "netns "+shorten(ns.Name, nameColumns))
	}
	return parts
}

// short cuts an id as container tools do.
func short(id string) string {
	const n = 12
	if len(id) > n {
		return shorten(id[:n], n)
	}
	return clean(id)
}

// pids names the first processes of an owner, the one with the most first.
func pids(o *diagnose.Owner, most int) string {
	all := o.PIDs
	if len(all) == 0 {
		return "pid " + strconv.Itoa(o.PID)
	}
	var b strings.Builder
	b.WriteString("pid")
	if len(all) > 1 {
		b.WriteByte('s')
	}
	for i, p := range all[:min(most, len(all))] {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(" " + strconv.Itoa(p.PID))
	}
	if more := len(all) - most; more > 0 {
		b.WriteString(" and " + number(more) + " more")
	}
	return b.String()
}

// holders formats the descriptors of one socket: "2113/14".
func holders(all []observe.Holder) string {
	parts := make([]string, len(all))
	for i, h := range all {
		parts[i] = strconv.Itoa(int(h.PID)) + "/" + strconv.Itoa(int(h.FD))
	}
	return strings.Join(parts, " ")
}
