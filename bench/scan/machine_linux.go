package main

import (
	"context"
	"os/exec"
	"strings"

	"github.com/closewait/closewait/internal/figure"
)

// machine is what the figures hang on.
type machine struct {
	figure.Machine
	SS string `json:"ss"`
}

func thisMachine(ctx context.Context, ss string) machine {
	m := machine{Machine: figure.ThisMachine(), SS: "unknown"}
	if out, err := exec.CommandContext(ctx, ss, "-V").Output(); err == nil {
		m.SS = strings.TrimSpace(string(out))
	}
	return m
}
