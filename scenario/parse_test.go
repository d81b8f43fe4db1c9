package scenario

import (
	"strings"
	"testing"
)

// TestMistakesAreNamedExactly: file, line, what was wanted there and what was
// got instead.
func TestMistakesAreNamedExactly(t *testing.T) {
	for _, row := range []struct{ src, want string }{
		{"lokal reads", `x.story:1: wanted a statement: "local reads", "the link loses …", "wait …" or "expect …", got "lokal"`},
		{"\n# prose\nexpect local CLOSEWAITING", `x.story:3: wanted a state such as CLOSE_WAIT, or gone, held, recv-q, send-q, timer, no timer, forever, got "CLOSEWAITING"`},
		{"expect remot CLOSED", `x.story:1: wanted local or remote, got "remot"`},
		{"expect local CLOSED; local CLOSED", `x.story:1: wanted the other host, for this one has been described, got "CLOSED"`},
		{"expect local CLOSED with recv-q many", `x.story:1: wanted octets, 0 to 1073741824, got "many"`},
		{"expect local timer unknown", `x.story:1: wanted retransmission, probe, wait or keepalive, got "unknown"`},
		{"local reads → FIVE", `x.story:1: wanted what the call returns: octets, "some", "?", or an error such as EAGAIN, got "FIVE"`},
		{"local closes → 5", `x.story:1: wanted what the call returns: "ok", "?", or an error such as ECONNREFUSED, got "5"`},
		{"local writes", `x.story:1: wanted octets, 1 to 1073741824, got the end of the line`},
		{"local writes 5 → 5 → 6", `x.story:1: wanted the end of the line, got "→"`},
		{"local sets keepalive", `x.story:1: wanted keepalive on, keepalive off, user-timeout or linger2, got "keepalive"`},
		{"local shuts down", `x.story:1: wanted writing, reading or both, got the end of the line`},
		{"local jumps", `x.story:1: wanted what the host does: listens, connects, accepts, reads, writes, shuts down, closes, aborts, exits, destroys, takes error, sets or tunes, got "jumps"`},
		{"wait soon", `x.story:1: wanted a length of time such as 200ms, 90s or 2h, got "soon"`},
		{"wait until local CLOSED", `x.story:1: wanted "at", got the end of the line`},
		{"the link loses 3 RSTs", `x.story:1: wanted "the", got "3"`},
		{"the link loses the 2st FIN", `x.story:1: wanted "first", "first 3", or "2nd", got "2st"`},
		{"the link loses every packet", `x.story:1: wanted segment, SYN, SYN|ACK, FIN, RST, ACK or data segment, got "packet"`},
		{"the link delays the first FIN", `x.story:1: wanted "by", got the end of the line`},
		{"the link breaks", `x.story:1: wanted "recovers", "loses", "duplicates" or "delays", got "breaks"`},
		{"expect wire FIN", `x.story:1: wanted who sends: local→remote, got "FIN"`},
		{"expect wire local→local FIN", `x.story:1: wanted the other host: a host sends nothing to itself, got "local"`},
		{"expect wire local→remote 10", `x.story:1: wanted "bytes", got the end of the line`},
		{"expect wire local→remote FINE", `x.story:1: wanted a segment: SYN, SYN|ACK, FIN, RST, RST|ACK, ACK, probe, data, or 10 bytes, got "FINE"`},
		{"claim 8 text", `x.story:1: wanted a claim's id, such as C8, got "8"`},
		{"claim C8", `x.story:1: wanted what the claim says, got the end of the line`},
		{"wait 1s\nclaim C8 late", `x.story:2: wanted a step, for a story's head ends where its steps begin, got "claim"`},
		{"hosts a a", `x.story:1: wanted two hosts of different names, got the end of the line`},
		{"hosts the wait", `x.story:1: wanted a host's name: small letters, digits and hyphens, got "the"`},
		{"profile Linux", `x.story:1: wanted a profile's or engine's name, such as linux, got "Linux"`},
		{"on linux holds", `x.story:1: wanted "because" and the reason, with its source, got none`},
		{"on linux breaks because of rain", `x.story:1: wanted "holds", "does not hold" or "depends", got "breaks"`},
		{"wait 1s\non linux expect wire nothing because", `x.story:2: wanted "because" and the reason, with its source, got none`},
		{"wait 1s\non linux expect wire nothing because so", `x.story:2: wanted a call or an expectation above, for this line to differ from, got "on"`},
		{"expect wire nothing\non linux → 5 because so", `x.story:2: wanted "expect", got "→"`},
		{"  wait 1s", `x.story:1: wanted a statement at the left edge, or one above that this indented line continues, got "wait 1s"`},
		{"# only prose\n    and more", `x.story:2: wanted a statement at the left edge, or one above that this indented line continues, got "and more"`},
		{"wait 1s\x1b[31m", `x.story:1: wanted printable text, got '\x1b'`},
		{"wait\xff", `x.story:1: wanted printable text, got the byte 0xff`},
	} {
		_, err := Parse("x.story", []byte(row.src))
		if err == nil || err.Error() != row.want {
			t.Errorf("%q:\n got %v\nwant %s", row.src, err, row.want)
		}
	}
}

// TestEveryStatementHasOneForm: left what may be written, right what Format
// makes of it.
func TestEveryStatementHasOneForm(t *testing.T) {
	for _, row := range []struct{ src, want string }{
		{"local and remote are connected", ""},
		{"remote listens", ""},
		{"remote stops listening → EBADF", ""},
		{"local connects → ECONNREFUSED", ""},
		{"local connects -> ok", "local connects → ok"},
		{"local accepts → ?", ""},
		{"local reads", ""},
		{"local reads 5 → some", ""},
		{"local writes 5 bytes → 5", "local writes 5 → 5"},
		{"local writes until blocked → some", ""},
		{"local shuts down both", ""},
		{"local closes  # at last", ""},
		{"local aborts", ""},
		{"local exits", ""},
		{"local destroys", ""},
		{"local takes error → EPIPE", ""},
		{"local sets keepalive on idle 60s every 1s probes 3", "local sets keepalive on idle 1m every 1s probes 3"},
		{"local sets keepalive off", ""},
		{"local sets user-timeout 30s", ""},
		{"local sets linger2 never", ""},
		{"local sets linger2 5s", ""},
		{"remote tunes fin-wait-2 10m", ""},
		{"remote tunes retries 3", ""},
		{"the link loses everything", ""},
		{"the link loses every segment from local", "the link loses everything from local"},
		{"the link loses every RST", ""},
		{"the link loses the first ACK from remote", ""},
		{"the link loses the first 3 data segments from local", ""},
		{"the link loses the 2nd data segment", ""},
		{"the link loses the 11th SYN|ACK", ""},
		{"the link loses the 1st SYN", "the link loses the first SYN"},
		{"the link duplicates the first FIN from local", ""},
		{"the link delays the 22nd FIN by 1m30s", ""},
		{"the link recovers", ""},
		{"wait 90s", "wait 1m30s"},
		{"wait until local close-wait at most 2h0m", "wait until local CLOSE_WAIT, at most 2h"},
		{"wait until remote gone, at most 20m", ""},
		{"expect local CLOSE_WAIT, held and recv-q 1, no timer, remote FIN_WAIT_2, held by nobody",
			"expect local CLOSE_WAIT held with recv-q 1 and no timer; remote FIN_WAIT_2 held by nobody"},
		{"expect local CLOSE_WAIT held forever; remote gone", ""},
		{"expect remote with send-q 0 and timer wait", ""},
		{"expect wire nothing", ""},
		{"expect wire ... local->remote FIN, remote->local ACK and RST lost", "expect wire … local→remote FIN; remote→local ACK, RST lost"},
		{"expect wire local→remote SYN; remote→local SYN|ACK; local→remote ACK, 1 byte, 10 bytes again", ""},
		{"expect wire local→remote data lost, probe, RST|ACK", ""},
	} {
		if row.want == "" {
			row.want = row.src
		}
		s, err := Parse("x.story", []byte(row.src))
		if err != nil {
			t.Error(err)
			continue
		}
		if got := strings.TrimSuffix(string(Format(s)), "\n"); got != row.want {
			t.Errorf("%q becomes %q, want %q", row.src, got, row.want)
		}
	}
}

func TestFormatKeepsProseAndBreaksLongLines(t *testing.T) {
	const src = `

# A title
#   indented prose
claim C8 If the remote called close() and not shutdown(SHUT_WR), data sent by local draws a RST and the RST ends it.


local reads → 0   # nothing more
on linux → EPIPE because the reason for this is a rather long one which does not fit (some_file.c)   # see
`
	const want = `# A title
#   indented prose
claim C8 If the remote called close() and not shutdown(SHUT_WR), data sent by local draws a RST and
    the RST ends it.

local reads → 0  # nothing more
# see
on linux → EPIPE
    because the reason for this is a rather long one which does not fit (some_file.c) and is wide
`
	s, err := Parse("x.story", []byte(strings.Replace(src, "(some_file.c)", "(some_file.c) and is wide", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(Format(s)); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if s.Title != "A title" || s.Claims[0].ID != "C8" || !strings.HasSuffix(s.Claims[0].Text, "ends it.") {
		t.Errorf("title %q, claims %+v", s.Title, s.Claims)
	}
}

// TestMadeStoriesCanBeWritten: a story that a program made, and never parsed,
// reads back the same.
func TestMadeStoriesCanBeWritten(t *testing.T) {
	want := Want{Return: Return{Of: Read}}
	made := &Story{
		Title: "Made", Hosts: [2]string{"client", "server"}, Profiles: []string{"linux"},
		Claims:   []Claim{{ID: "C2", Text: "so"}, {ID: "C3", Text: "not so", Correction: true}},
		Verdicts: []Verdict{{On: []string{"linux"}, Holding: Depends, Because: "of this"}},
		Steps: []Step{
			&Meet{}, &Act{Host: 1, Call: Call{Op: Close}},
			&Link{Rule: Rule{Fate: Lose, Class: RST, From: -1, First: 1, Last: 1}}, &Wait{Most: 1e9}, &Recover{},
			&Act{Call: Call{Op: Read}, Want: &want, Else: []ElseReturn{{Apart{On: []string{"xnu"}, Because: "x"}, Want{Any: true}}}},
			&ExpectWire{From: true, Items: []WireItem{{From: 1, Class: FIN}, {Class: Data, N: 2, Again: true}}},
			&Expect{Hosts: []HostWant{{State: 8, RecvQ: -1, SendQ: 3}}},
		},
	}
	const text = `# Made
hosts client server
profile linux
claim C2 so
corrects C3 not so
on linux depends because of this
client and server are connected
server closes
the link loses the first RST
wait 1s
the link recovers
client reads → 0
on xnu → ? because x
expect wire … server→client FIN; client→server 2 bytes again
expect client CLOSE_WAIT with send-q 3
`
	if got := string(Format(made)); got != text {
		t.Fatalf("got:\n%s", got)
	}
	s, err := Parse("made.story", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(Format(s)); got != text {
		t.Errorf("reads back as:\n%s", got)
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range Library() {
		src, _ := Source(name)
		f.Add(src)
	}
	f.Add([]byte("hosts a b\na reads 3 → 3 # x\non y → ? because z\nthe link delays the 2nd FIN by 3s"))
	f.Fuzz(func(t *testing.T, src []byte) {
		s, err := Parse("fuzz.story", src)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "fuzz.story:") {
				t.Fatalf("an error without a place: %v", err)
			}
			return
		}
		once := Format(s)
		again, err := Parse("fuzz.story", once)
		if err != nil {
			t.Fatalf("%v\nin what Format made of %q:\n%s", err, src, once)
		}
		if twice := Format(again); string(twice) != string(once) {
			t.Fatalf("Format is not its own fixed point:\n%s\n%s", once, twice)
		}
		if len(again.Steps) != len(s.Steps) || len(again.Claims) != len(s.Claims) || len(again.Verdicts) != len(s.Verdicts) {
			t.Fatalf("Format lost something of:\n%s", src)
		}
	})
}
