package lab

import (
	"fmt"
	"io"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	"github.com/closewait/closewait/scenario"
)

// recording writes what the hosts sent as pcapng: an interface for each host,
// every segment once, as its sender sent it, and with the time of the world. A
// segment is written when it is known whether it arrived.
type recording struct {
	w *pcapgo.NgWriter
	// at is the time of the last one: they are written in the order of sending.
	at time.Time
}

// newRecording begins a file.
func newRecording(w io.Writer, hosts [2]string) (*recording, error) {
	options := pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{Application: "closewait lab"}}
	ng, err := pcapgo.NewNgWriterInterface(w, sender(hosts[0]), options)
	if err == nil {
		_, err = ng.AddInterface(sender(hosts[1]))
	}
	if err != nil {
		return nil, fmt.Errorf("write the capture: %w", err)
	}
	return &recording{w: ng}, nil
}

func sender(host string) pcapgo.NgInterface {
	return pcapgo.NgInterface{
		Name: host, Description: "what " + host + " sent", LinkType: layers.LinkTypeEthernet,
		TimestampResolution: 9, SnapLength: 1 << 16,
	}
}

// write adds a segment.
func (r *recording) write(p *passage) error {
	f, ok := parseFrame(p.data)
	if !ok {
		return nil // can not be: it was read from a frame
	}
	if r.at.Before(p.at) {
		r.at = p.at
	}
	data := f.finished(p.data)
	info := gopacket.CaptureInfo{Timestamp: r.at, CaptureLength: len(data), Length: len(data), InterfaceIndex: p.From}
	err := r.w.WritePacketWithOptions(info, data, pcapgo.NgPacketOptions{Comments: p.remarks()})
	if err != nil {
		return fmt.Errorf("write the capture: %w", err)
	}
	return nil
}

// remarks say what became of the segment.
func (p *passage) remarks() []string {
	remarks := []string{"sent at " + p.Sent.Round(time.Microsecond).String() + " of the story"}
	switch {
	case p.Lost:
		remarks = append(remarks, "the link lost it")
	case p.Copies > 0:
		remarks = append(remarks, "the link made a copy of it")
	case p.Arrived-p.Sent > 0 && p.fate.By > 0:
		remarks = append(remarks, "the link delayed it by "+scenario.Span(p.fate.By))
	}
	return remarks
}

// end writes out what is left.
func (r *recording) end() error {
	if err := r.w.Flush(); err != nil {
		return fmt.Errorf("write the capture: %w", err)
	}
	return nil
}
