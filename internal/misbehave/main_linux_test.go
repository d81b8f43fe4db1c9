package misbehave_test

import (
	"os"
	"testing"

	"github.com/closewait/closewait/internal/misbehave"
)

func TestMain(m *testing.M) {
	misbehave.Child()
	if os.Getenv(startAndHang) != "" {
		hang()
	}
	os.Exit(m.Run())
}
