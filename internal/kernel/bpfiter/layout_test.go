//go:build linux

package bpfiter

import (
	"reflect"
	"testing"

	"github.com/cilium/ebpf/btf"
)

// The kernel's side of the record is struct record, in the committed object.
func layout(t *testing.T) *btf.Struct {
	t.Helper()
	spec, err := loadSockets()
	if err != nil {
		t.Fatal(err)
	}
	var record *btf.Struct
	if err := spec.Types.TypeByName("record", &record); err != nil {
		t.Fatal(err)
	}
	return record
}

func TestSizesAreThoseOfTheObject(t *testing.T) {
	record := layout(t)
	if record.Size != sizeRecord {
		t.Errorf("struct record has %d bytes, the decoder reads %d", record.Size, sizeRecord)
	}
	for _, m := range record.Members {
		switch at := m.Offset.Bytes(); {
		case m.Name == "inode" && at != sizeHeader:
			t.Errorf("the short form ends at %d, the decoder reads %d", at, sizeHeader)
		case m.Name == "local" && at != sizeHeld:
			t.Errorf("a held record ends at %d, the decoder reads %d", at, sizeHeld)
		}
	}
}

// Each member of struct record, and the one field of Record that it sets.
var members = map[string]string{
	"state": "State", "protocol": "Protocol", "tgid": "PID", "tid": "TID", "fd": "FD", "netns": "NetNS",
	"inode": "Inode", "cookie": "Cookie", "local": "Local", "remote": "Remote", "local_port": "Local",
	"remote_port": "Remote", "uid": "UID", "recv_q": "RecvQ", "send_q": "SendQ", "timer": "Timer",
	"retries": "Retries", "shutdown": "Shutdown", "backoff": "Backoff", "expires": "Expires",
	"bytes_received": "BytesReceived", "bytes_sent": "BytesSent", "bytes_acked": "BytesAcked",
	"last_data_sent": "LastDataSent", "last_data_recv": "LastDataRecv", "last_ack_recv": "LastAckRecv",
	"segs_in": "SegsIn", "data_segs_in": "DataSegsIn", "data_segs_out": "DataSegsOut", "rto": "RTO",
	"rto_min": "RTOMin", "rto_max": "RTOMax", "keepalive_time": "KeepIdle", "keepalive_intvl": "KeepIntvl",
	"user_timeout": "UserTimeout", "linger2": "Linger2", "retrans_age": "RetransAge", "err": "Err",
	"keepalive_probes": "KeepProbes",
	"kind":             "", "size": "", "flags": "", "family": "", "pad": "",
}

func TestEveryMemberOfTheObjectIsDecoded(t *testing.T) {
	plain := decoded(t, encodeSocket(familyIPv4))
	for _, m := range layout(t).Members {
		field, known := members[m.Name]
		if !known {
			t.Errorf("struct record has a member %s that the decoder does not know", m.Name)
		}
		if field == "" {
			continue
		}
		b := encodeSocket(familyIPv4)
		b[m.Offset.Bytes()] = 9
		if got := changed(plain, decoded(t, b)); len(got) != 1 || got[0] != field {
			t.Errorf("%s at byte %d changes %v, want %s", m.Name, m.Offset.Bytes(), got, field)
		}
	}
}

// changed names the fields in which two records differ.
func changed(a, b Record) (names []string) {
	va, vb := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range va.NumField() {
		if va.Field(i).Interface() != vb.Field(i).Interface() {
			names = append(names, va.Type().Field(i).Name)
		}
	}
	return names
}
