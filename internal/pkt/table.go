package pkt

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/closewait/closewait/internal/sim"
	"github.com/closewait/closewait/tcp"
)

// table is a list of the host's sockets as one of the tools prints it, without
// its heading: scripts pipe it into grep.
func (r *runner) table(words []string) ([]string, error) {
	switch words[0] {
	case "sockstat":
		return r.sockstat(words[1:])
	case "ss":
		return r.ss(words[1:])
	}
	return r.netstat(words[1:])
}

// process is what every script greps for: packetdrill, as long as FreeBSD shows
// a command's name.
const process = "packetdril"

// sockstat is FreeBSD's.
func (r *runner) sockstat(words []string) ([]string, error) {
	states, port, listening, connected := false, "", false, false
	for i := 0; i < len(words); i++ {
		switch w := words[i]; w {
		case "-P", "-p":
			i++
			if i == len(words) {
				return nil, fmt.Errorf("sockstat %s without a value", w)
			}
			if w == "-p" {
				port = words[i]
			} else if words[i] != "tcp" {
				return nil, fmt.Errorf("sockstat -P %s", words[i])
			}
		default:
			for _, letter := range strings.TrimPrefix(w, "-") {
				switch letter {
				case '4', '6', 'n', 'q', 'w':
				case 's':
					states = true
				case 'l':
					listening = true
				case 'c':
					connected = true
				default:
					return nil, fmt.Errorf("sockstat %s", clip(w, 40))
				}
			}
			if !strings.HasPrefix(w, "-") {
				return nil, fmt.Errorf("sockstat %s", clip(w, 40))
			}
		}
	}
	var out []string
	for _, row := range r.rows() {
		listens := row.Conn.State() == tcp.Listen
		if listening != connected && listens != listening || port != "" && !atPort(row, port) {
			continue
		}
		owner := "?        ?          ?     ? "
		if len(row.FDs) > 0 {
			owner = fmt.Sprintf("root     %s 100   %d ", process, row.FDs[0])
		}
		line := owner + "tcp" + r.version + "   " + address(row.Flow.Local, ":") + " " + address(row.Flow.Remote, ":")
		if states {
			line += " " + bsdState(row.Conn.State())
		}
		out = append(out, line)
	}
	return out, nil
}

// netstat is Linux's or BSD's.
func (r *runner) netstat(words []string) ([]string, error) {
	all, listening := false, false
	for i := 0; i < len(words); i++ {
		w := words[i]
		if w == "-p" && i+1 < len(words) && words[i+1] == "tcp" || w == "-f" && i+1 < len(words) {
			i++
			continue
		}
		if !strings.HasPrefix(w, "-") {
			return nil, fmt.Errorf("netstat %s", clip(w, 40))
		}
		for _, letter := range w[1:] {
			switch letter {
			case 'n', 't', '4', '6', 'p', 'W', 'o', 'e':
			case 'a':
				all = true
			case 'l':
				listening = true
			default:
				return nil, fmt.Errorf("netstat -%c", letter)
			}
		}
	}
	var out []string
	for _, row := range r.rows() {
		listens := row.Conn.State() == tcp.Listen
		if !all && listens != listening {
			continue
		}
		state := bsdState(row.Conn.State())
		if r.linux() {
			state = linuxState(row.Conn.State())
		}
		out = append(out, fmt.Sprintf("tcp%s 0 0 %s %s %s", r.version, address(row.Flow.Local, "."), address(row.Flow.Remote, "."), state))
	}
	return out, nil
}

// ss is Linux's; its filters are states, and ports.
func (r *runner) ss(words []string) ([]string, error) {
	q, err := parseSS(words)
	if err != nil {
		return nil, err
	}
	if q.kill {
		return nil, fmt.Errorf("ss -K in a pipeline")
	}
	var out []string
	for _, row := range r.rows() {
		if !q.shows(row) {
			continue
		}
		user := ""
		if q.processes && len(row.FDs) > 0 {
			user = fmt.Sprintf(` users:(("packetdrill",pid=100,fd=%d))`, row.FDs[0])
		}
		out = append(out, fmt.Sprintf("%s %d %d %s %s%s", ssState(row.Conn.State()), row.Conn.RecvQ(), row.Conn.SendQ(),
			address(row.Flow.Local, ":"), address(row.Flow.Remote, ":"), user))
	}
	return out, nil
}

// ssQuery is what an ss command asks for.
type ssQuery struct {
	kill, all, listening, processes bool
	state                           tcp.State
	bySource, byTarget              string
}

// shows reports whether ss would list a socket.
func (q ssQuery) shows(row sim.Row) bool {
	state := row.Conn.State()
	port := func(a netip.AddrPort) string { return strconv.Itoa(int(a.Port())) }
	switch {
	case q.bySource != "" && port(row.Flow.Local) != q.bySource, q.byTarget != "" && port(row.Flow.Remote) != q.byTarget:
		return false
	case q.state != 0:
		return state == q.state
	case q.all:
		return true
	case q.listening:
		return state == tcp.Listen
	}
	return state != tcp.Listen && state != tcp.Closed && state != tcp.TimeWait && state != tcp.SynReceived
}

// parseSS reads ss's arguments.
func parseSS(words []string) (ssQuery, error) {
	var q ssQuery
	words = strings.Fields(strings.NewReplacer("(", " ", ")", " ", "==", "=", "=", " = ").Replace(strings.Join(words, " ")))
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case strings.HasPrefix(w, "--"):
			return q, fmt.Errorf("ss %s", clip(w, 40))
		case strings.HasPrefix(w, "-"):
			for _, letter := range w[1:] {
				switch letter {
				case 'K':
					q.kill = true
				case 'a':
					q.all = true
				case 'l':
					q.listening = true
				case 'p':
					q.processes = true
				case 't', 'n', 'H', 'o', 'i', 'e', 'm', '4', '6', 'O':
				default:
					return q, fmt.Errorf("ss -%c", letter)
				}
			}
		case w == "state" && i+1 < len(words):
			i++
			state, err := tcp.ParseState(words[i])
			if err != nil {
				return q, fmt.Errorf("ss state %s", clip(words[i], 40))
			}
			q.state = state
		case (w == "sport" || w == "dport") && i+2 < len(words) && (words[i+1] == "=" || words[i+1] == "eq"):
			port := strings.TrimPrefix(words[i+2], ":")
			if w == "sport" {
				q.bySource = port
			} else {
				q.byTarget = port
			}
			i += 2
		default:
			return q, fmt.Errorf("the filter %q of ss", clip(w, 40))
		}
	}
	return q, nil
}

// rows are the sockets that the tools know of: those that were ever more than a
// bare descriptor.
func (r *runner) rows() []sim.Row {
	var out []sim.Row
	for _, row := range r.host.Sockets() {
		if row.Flow.Local.Port() != 0 {
			out = append(out, row)
		}
	}
	return out
}

func atPort(row sim.Row, port string) bool {
	return strconv.Itoa(int(row.Flow.Local.Port())) == port || strconv.Itoa(int(row.Flow.Remote.Port())) == port
}

// address writes an address as the tools do; "*" for none.
func address(a netip.AddrPort, colon string) string {
	if !a.IsValid() {
		return "*" + colon + "*"
	}
	return a.Addr().String() + colon + strconv.Itoa(int(a.Port()))
}

// bsdState is a state's name in BSD's tools (sys/netinet/tcp_fsm.h).
func bsdState(s tcp.State) string {
	if s == tcp.SynReceived {
		return "SYN_RCVD"
	}
	return s.String()
}

// linuxState is a state's name in netstat of net-tools.
func linuxState(s tcp.State) string {
	switch s {
	case tcp.SynReceived:
		return "SYN_RECV"
	case tcp.FinWait1:
		return "FIN_WAIT1"
	case tcp.FinWait2:
		return "FIN_WAIT2"
	case tcp.Closed:
		return "CLOSE"
	}
	return s.String()
}

// ssState is a state's name in ss.
func ssState(s tcp.State) string {
	switch s {
	case tcp.Established:
		return "ESTAB"
	case tcp.SynReceived:
		return "SYN-RECV"
	case tcp.Closed:
		return "UNCONN"
	}
	return strings.ReplaceAll(s.String(), "_", "-")
}
