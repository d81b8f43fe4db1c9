package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"

	"github.com/closewait/closewait/internal/kernel/sensor"
)

// idler is an attached program that does nothing.
type idler struct {
	program *ebpf.Program
	link    link.Link
}

func doNothing(tracepoint string) (*idler, error) {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Type: ebpf.Tracing, AttachType: ebpf.AttachTraceRawTp, AttachTo: tracepoint, License: "GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		return nil, fmt.Errorf("load a program that does nothing: %w", err)
	}
	l, err := link.AttachTracing(link.TracingOptions{Program: p})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("attach a program that does nothing: %w", err), p.Close())
	}
	return &idler{p, l}, nil
}

func (d *idler) close() error { return errors.Join(d.link.Close(), d.program.Close()) }

// withIdlers has a program that does nothing wherever the sensor has one: no sensor
// at these tracepoints can cost less.
func withIdlers(context.Context) (stop func() error, err error) {
	var all []*idler
	stop = func() (err error) {
		for _, d := range all {
			err = errors.Join(err, d.close())
		}
		return err
	}
	for _, name := range sensor.Tracepoints() {
		d, err := doNothing(name)
		if err != nil {
			return nil, errors.Join(err, stop())
		}
		all = append(all, d)
	}
	return stop, nil
}
