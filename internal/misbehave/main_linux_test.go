package misbehave_test

import (
	"os"
	"testing"

	"github.com/closewait/closewait/internal/misbehave"
	"github.com/closewait/closewait/internal/testbed"
)

func TestMain(m *testing.M) {
	misbehave.Child()
	testbed.Play(map[string]testbed.Part{"hang": hang})
	os.Exit(m.Run())
}
