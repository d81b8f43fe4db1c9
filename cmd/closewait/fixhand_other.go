//go:build !linux

package main

import (
	"context"
	"errors"

	"github.com/closewait/closewait/internal/remedy"
)

// hand does nothing on systems other than Linux, where there is nothing to look
// at either.
type hand struct{}

var errNoHand = errors.New("only a Linux kernel can be acted on")

func newHand() *hand { return &hand{} }

func (h *hand) close() {}

// KeepAlive implements remedy.Hand, as the others do.
func (h *hand) KeepAlive(context.Context, *remedy.Act) (remedy.Change, error) { return h.refuse() }

// Shutdown refuses.
func (h *hand) Shutdown(context.Context, *remedy.Act) (remedy.Change, error) { return h.refuse() }

// Destroy refuses.
func (h *hand) Destroy(context.Context, *remedy.Act) (remedy.Change, error) { return h.refuse() }

// Raise refuses.
func (h *hand) Raise(context.Context, *remedy.Act) (remedy.Change, error) { return h.refuse() }

// Look refuses.
func (h *hand) Look(context.Context, *remedy.Act) (remedy.Sight, error) {
	return remedy.Sight{}, errNoHand
}

// Held knows nothing.
func (h *hand) Held(*remedy.Act) (held, known bool) { return false, false }

// OpenFiles knows nothing.
func (h *hand) OpenFiles(int, uint64) (int, bool) { return 0, false }

func (h *hand) refuse() (remedy.Change, error) {
	return remedy.Change{}, &remedy.Refusal{Kind: remedy.Unsupported, Err: errNoHand}
}
