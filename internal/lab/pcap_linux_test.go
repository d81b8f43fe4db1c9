package lab

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/closewait/closewait/internal/privilege"
)

// TestTheCaptureIsWhatWasSent: once each, by its sender, in order, with right
// checksums, and a remark on what was lost.
func TestTheCaptureIsWhatWasSent(t *testing.T) {
	privilege.Need(t, "the capture of a story")
	s := parse(t, `
local and remote are connected
the link loses the first RST from remote
remote closes
local writes 10
wait until local CLOSED, at most 10s
`)
	var file bytes.Buffer
	if _, err := Play(t.Context(), s, Options{Pcap: &file}); err != nil {
		t.Fatal(err)
	}
	r, err := pcapgo.NewNgReader(&file, pcapgo.DefaultNgReaderOptions)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	var last time.Time
	for {
		data, info, options, err := r.ReadPacketDataWithOptions()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if info.Timestamp.Before(last) {
			t.Errorf("packet %d goes back in time", len(told))
		}
		last = info.Timestamp
		packet := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.Default)
		seg, ok := packet.TransportLayer().(*layers.TCP)
		if !ok {
			t.Fatalf("packet %d is no TCP", len(told))
		}
		if err := seg.SetNetworkLayerForChecksum(packet.NetworkLayer()); err != nil {
			t.Fatal(err)
		}
		if bad, wrong := packet.VerifyChecksums(); bad != nil || len(wrong) > 0 {
			t.Errorf("packet %d: checksums %v %v", len(told), bad, wrong)
		}
		told = append(told, tell(info.InterfaceIndex, seg, options.Comments))
	}
	const want = "0 SYN, 1 SYN ACK, 0 ACK, 1 FIN ACK, 0 ACK, 0 ACK 10, 1 RST lost, 0 ACK 10, 1 RST"
	if got := strings.Join(told, ", "); got != want {
		t.Errorf("captured %s\nwant %s", got, want)
	}
	for i, name := range []string{"local", "remote"} {
		if in, err := r.Interface(i); err != nil || in.Name != name {
			t.Errorf("interface %d is %q, %v", i, in.Name, err)
		}
	}
}

func tell(from int, seg *layers.TCP, comments []string) string {
	words := []string{strconv.Itoa(from)}
	for _, f := range []struct {
		name string
		set  bool
	}{{"SYN", seg.SYN}, {"FIN", seg.FIN}, {"RST", seg.RST}, {"ACK", seg.ACK}} {
		if f.set {
			words = append(words, f.name)
		}
	}
	if n := len(seg.Payload); n > 0 {
		words = append(words, strconv.Itoa(n))
	}
	if strings.Contains(strings.Join(comments, "\n"), "the link lost it") {
		words = append(words, "lost")
	}
	return strings.Join(words, " ")
}
