package symbols

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"github.com/closewait/closewait/internal/privilege"
)

// What a recorder records.
const (
	connecting = 1 // SYN_SENT was entered
	zeroRead   = 2 // a read returned zero
)

// sample is one stack as the recorder's BPF program writes it.
type sample struct {
	Kind, Size   int64
	SP, BP, R14  uint64
	Addrs        [64]uint64
	Top, G       [64]uint64
	pidOfProcess int
}

const (
	sampleSize = 8 * (5 + 3*64)
	atSP       = 16
	atBP       = 24
	atR14      = 32
	atAddrs    = 40
	atTop      = atAddrs + 512
	atG        = atTop + 512
)

func (s sample) stack(top int) Stack {
	n := max(0, int(s.Size)/8)
	return Stack{PID: s.pidOfProcess, Addrs: s.Addrs[:n], SP: s.SP, BP: s.BP, Top: s.Top[:top], Creators: s.G[32:64]}
}

// recorder records the user stacks of one process with its own BPF programs, as a
// sensor would.
type recorder struct {
	t   *testing.T
	pid int
	in  *ringbuf.Reader
}

func record(t *testing.T, pid int) *recorder {
	t.Helper()
	privilege.Need(t, "names on stacks that BPF recorded")
	ring, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.RingBuf, MaxEntries: 1 << 18})
	refused(t, err)
	t.Cleanup(func() { ring.Close() })
	const synSent = 2
	attach(t, "inet_sock_set_state", program(ring.FD(), pid, connecting, 16, synSent))
	attach(t, "sock_recv_length", program(ring.FD(), pid, zeroRead, 8, 0))
	in, err := ringbuf.NewReader(ring)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close() })
	return &recorder{t, pid, in}
}

func refused(t *testing.T, err error) {
	t.Helper()
	if errors.Is(err, unix.EPERM) {
		privilege.Refused(t, "names on stacks that BPF recorded", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func attach(t *testing.T, tracepoint string, code asm.Instructions) {
	t.Helper()
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: tracepoint, Instructions: code, License: "GPL",
	})
	refused(t, err)
	l, err := link.AttachTracing(link.TracingOptions{Program: p})
	p.Close()
	refused(t, err)
	t.Cleanup(func() { l.Close() })
}

// program records a sample if the process is pid and the tracepoint's argument at
// an offset has a value.
func program(ring, pid, kind int, argument int16, value int32) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R6, asm.R1),
		asm.FnGetCurrentPidTgid.Call(),
		asm.RSh.Imm(asm.R0, 32),
		asm.JNE.Imm(asm.R0, int32(pid), "exit"),
		asm.LoadMem(asm.R1, asm.R6, argument, asm.DWord),
		asm.JNE.Imm32(asm.R1, value, "exit"),

		asm.LoadMapPtr(asm.R1, ring),
		asm.Mov.Imm(asm.R2, sampleSize),
		asm.Mov.Imm(asm.R3, 0),
		asm.FnRingbufReserve.Call(),
		asm.JEq.Imm(asm.R0, 0, "exit"),
		asm.Mov.Reg(asm.R7, asm.R0),
		asm.Mov.Imm(asm.R1, int32(kind)),
		asm.StoreMem(asm.R7, 0, asm.R1, asm.DWord),

		asm.Mov.Reg(asm.R1, asm.R6),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Add.Imm(asm.R2, atAddrs),
		asm.Mov.Imm(asm.R3, 512),
		asm.Mov.Imm(asm.R4, 256), // BPF_F_USER_STACK
		asm.FnGetStack.Call(),
		asm.StoreMem(asm.R7, 8, asm.R0, asm.DWord),

		asm.FnGetCurrentTaskBtf.Call(),
		asm.Mov.Reg(asm.R1, asm.R0),
		asm.FnTaskPtRegs.Call(),
		asm.Mov.Reg(asm.R8, asm.R0),
		asm.LoadMem(asm.R1, asm.R8, 152, asm.DWord), // arch/x86/include/asm/ptrace.h: sp
		asm.StoreMem(asm.R7, atSP, asm.R1, asm.DWord),
		asm.LoadMem(asm.R1, asm.R8, 32, asm.DWord), // bp
		asm.StoreMem(asm.R7, atBP, asm.R1, asm.DWord),
		asm.LoadMem(asm.R1, asm.R8, 8, asm.DWord), // r14
		asm.StoreMem(asm.R7, atR14, asm.R1, asm.DWord),

		asm.Mov.Reg(asm.R1, asm.R7),
		asm.Add.Imm(asm.R1, atTop),
		asm.Mov.Imm(asm.R2, 512),
		asm.LoadMem(asm.R3, asm.R7, atSP, asm.DWord),
		asm.FnProbeReadUser.Call(),
		asm.Mov.Reg(asm.R1, asm.R7),
		asm.Add.Imm(asm.R1, atG),
		asm.Mov.Imm(asm.R2, 512),
		asm.LoadMem(asm.R3, asm.R7, atR14, asm.DWord),
		asm.FnProbeReadUser.Call(),

		asm.Mov.Reg(asm.R1, asm.R7),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRingbufSubmit.Call(),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("exit"),
		asm.Return(),
	}
}

// next returns the next sample of a kind.
func (r *recorder) next(kind int64) sample {
	r.t.Helper()
	r.in.SetDeadline(time.Now().Add(20 * time.Second))
	for {
		rec, err := r.in.Read()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			r.t.Fatalf("process %d: no stack of kind %d", r.pid, kind)
		}
		if err != nil {
			r.t.Fatal(err)
		}
		var raw struct {
			Kind, Size    int64
			SP, BP, R14   uint64
			Addrs, Top, G [64]uint64
		}
		if err := binary.Read(bytes.NewReader(rec.RawSample), binary.LittleEndian, &raw); err != nil {
			r.t.Fatal(err)
		}
		if raw.Kind == kind {
			return sample{raw.Kind, raw.Size, raw.SP, raw.BP, raw.R14, raw.Addrs, raw.Top, raw.G, r.pid}
		}
	}
}
