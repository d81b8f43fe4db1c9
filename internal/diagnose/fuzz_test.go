package diagnose

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/closewait/closewait/internal/observe"
	"github.com/closewait/closewait/tcp"
)

// FuzzDiagnose feeds saved snapshots, whole and mutated, to one and to two looks.
func FuzzDiagnose(f *testing.F) {
	for _, w := range []*world{newWorld(), crowd(), busy()} {
		var saved bytes.Buffer
		if err := observe.Write(&saved, &w.Snapshot); err != nil {
			f.Fatal(err)
		}
		f.Add(saved.Bytes(), []byte("grow"), int64(time.Second))
		f.Add(saved.Bytes(), []byte{255, 3, 128, 7, 0, 0, 9, 200, 31, 77, 12, 250}, int64(time.Hour))
	}
	f.Fuzz(func(t *testing.T, saved, noise []byte, interval int64) {
		_, cur, err := observe.Read(bytes.NewReader(saved))
		if err != nil {
			return
		}
		_, prev, err := observe.Read(bytes.NewReader(saved))
		if err != nil {
			t.Fatal("read once, and not twice:", err)
		}
		mutate(cur, noise)
		prev.TakenAt, prev.Uptime = cur.TakenAt.Add(-time.Duration(interval)), 0
		for _, first := range []*observe.Snapshot{nil, prev} {
			if problem := unsound(cur, Diagnose(first, cur, Options{Sockets: true})); problem != "" {
				t.Fatal(problem)
			}
		}
	})
}

// busy has what growth, relays and exhaustion reckon with.
func busy() *world {
	w := newWorld()
	hung(w, appPID, appPID)
	w.aged(every(20, 30)...)
	w.addMany(5, dead)
	for i := range 10 {
		w.add(recvQ(1), remote("10.0.1."+strconv.Itoa(i)+":443"))
	}
	w.add(sendQ(5), timer(retransmit, 2, 5), rto(3, 5), options(observe.Options{UserTimeout: 5000}))
	w.add(sendQ(5), timer(probe, 2, 3), rto(3, 5))
	w.add(state(tcp.LastAck), noFile, sendQ(1), timer(retransmit, 2, 5), rto(3, 5))
	w.add(state(tcp.Established), quiet(1, 1, 1))
	return w
}

// mutate changes a snapshot by bytes: which socket, which field, which value.
// The values are such as a kernel's types can hold.
func mutate(s *observe.Snapshot, noise []byte) {
	for ; len(noise) >= 4 && len(s.Sockets) > 0; noise = noise[4:] {
		x := &s.Sockets[int(noise[0])%len(s.Sockets)]
		value := uint64(noise[2]) | 1<<(noise[3]%64)
		switch noise[1] % 22 {
		case 0:
			x.State = tcp.State(1 + noise[2]%12)
		case 1:
			x.RecvQ = uint32(value)
		case 2:
			x.SendQ = uint32(value)
		case 3:
			x.Timer = observe.Timer{Kind: observe.TimerKind(noise[2]), Expires: observe.Millis(value), Retries: noise[3]}
		case 4:
			x.Info = nil
		case 5:
			x.Info = &observe.Info{LastDataSent: observe.Millis(value), SegsIn: 1, BytesReceived: value}
		case 6:
			x.Info = &observe.Info{LastDataRecv: observe.Millis(value), LastAckRecv: observe.Millis(noise[2]), RTO: observe.Millis(value), Backoff: noise[3], BytesAcked: 5, SegsIn: 1}
		case 7:
			x.Options = &observe.Options{KeepAlive: noise[2]&1 > 0, KeepIdle: observe.Millis(value), KeepIntvl: observe.Millis(noise[3]), KeepCnt: noise[2], UserTimeout: observe.Millis(value)}
		case 8:
			x.Options = &observe.Options{RTOMax: observe.Millis(value), RTOMin: observe.Millis(noise[2]), RetransSince: observe.Millis(value), Linger2MS: int32(value)}
		case 9:
			x.Inode = value
		case 10:
			x.Cookie = uint64(noise[2])
		case 11:
			x.Holders = nil
		case 12:
			x.Holders = append(x.Holders, observe.Holder{PID: int32(value), FD: int32(noise[2])})
		case 13:
			x.NetNS = uint64(noise[2])
		case 14:
			x.Local, x.Remote = x.Remote, x.Local
		case 15:
			x.MPTCP = !x.MPTCP
		case 16:
			s.Limits = append(s.Limits, observe.Limit{Code: []observe.LimitCode{observe.LimitTorn, observe.LimitOwners, observe.LimitSomeOwners}[noise[2]%3]})
		case 17:
			s.Sockets = append(s.Sockets, *x)
		case 18:
			s.Namespaces = append(s.Namespaces, observe.Namespace{ID: uint64(noise[2]), Entered: true, Sysctl: observe.Sysctl{
				KeepaliveProbes: int(value), Retries2: int(value), OrphanRetries: -int(noise[3]), RTOMax: observe.Millis(value), RTOMin: observe.Millis(noise[2]),
				FinTimeout: observe.Millis(value), LocalPorts: [2]int{int(noise[2]), int(noise[3])},
			}})
		case 19:
			s.Processes = append(s.Processes, observe.Process{PID: int(value), OpenFiles: int(noise[2]), NoFileSoft: value, Cgroups: []string{string(noise)}, Cmdline: []string{string(noise)}})
		case 20:
			s.TookMS = float64(value)
		case 21:
			x.Local, x.Remote = x.Flow().Local, x.Flow().Remote
		}
	}
}

// unsound says what is wrong with a report, whatever it is about; "" for nothing.
func unsound(s *observe.Snapshot, r *Report) string {
	candidates, inFindings, stuck := 0, 0, 0
	for i := range s.Sockets {
		if x := &s.Sockets[i]; x.State.HalfClosed() || x.Dead() {
			candidates++
		}
	}
	ids := map[string]bool{}
	for i := range r.Findings {
		f := &r.Findings[i]
		inFindings += f.Count
		if f.Stuck {
			stuck += f.Count
		}
		ends, pids := 0, 0
		for _, n := range f.Outlooks {
			ends += n
		}
		if f.Owner != nil {
			for _, p := range f.Owner.PIDs {
				if p.Count > f.Count {
					return fmt.Sprintf("%s: pid %d holds %d of %d", f.Cause, p.PID, p.Count, f.Count)
				}
				pids += p.Count
			}
		}
		switch {
		case f.Count == 0 || f.Count != len(f.Sockets) || f.Count != ends:
			return fmt.Sprintf("%s: count %d, %d listed, %d outlooks", f.Cause, f.Count, len(f.Sockets), ends)
		case f.Owner != nil && f.Cause != NeverAccepted && pids < f.Count && len(f.AlsoHeldBy) == 0:
			return fmt.Sprintf("%s: the owner's pids hold %d of %d", f.Cause, pids, f.Count)
		case f.Oldest.AtMostS != nil && *f.Oldest.AtMostS < f.Oldest.AtLeastS, f.Oldest.AtLeastS < 0:
			return fmt.Sprintf("%s: age %v to %v", f.Cause, f.Oldest.AtLeastS, *f.Oldest.AtMostS)
		case f.Outlook.At != nil && f.Outlook.At.Before(s.TakenAt.Truncate(time.Millisecond)):
			return fmt.Sprintf("%s: ended at %v, before the look at %v", f.Cause, f.Outlook.At, s.TakenAt)
		case !f.Stuck && f.Severity != Info:
			return fmt.Sprintf("%s: %s, and not stuck", f.Cause, f.Severity)
		case f.ID == "" || f.Cause == "" || f.Outlook.Why == "" || len(f.Evidence) == 0:
			return fmt.Sprintf("%+v lacks something", *f)
		}
		ids[f.ID] = true
	}
	for i := range r.Findings {
		for _, id := range r.Findings[i].Related {
			if !ids[id] {
				return "related to nothing: " + id
			}
		}
	}
	t := r.Totals
	if inFindings != candidates || t.Stuck+t.NotStuck != candidates || t.Stuck != stuck {
		return fmt.Sprintf("%d half-closed or dead sockets, %d in findings, totals %+v", candidates, inFindings, t)
	}
	if _, err := json.Marshal(r); err != nil {
		return err.Error()
	}
	return ""
}
