//go:build !linux

package misbehave_test

import (
	"errors"
	"testing"

	"github.com/closewait/closewait/internal/misbehave"
)

func TestElsewhereItSaysSo(t *testing.T) {
	misbehave.Child()
	if _, err := misbehave.Start(t.Context(), misbehave.Spec{Kind: misbehave.EOFUnread}); !errors.Is(err, misbehave.ErrUnsupported) {
		t.Errorf("start gave %v", err)
	}
}
