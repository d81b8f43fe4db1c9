package e2e

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/closewait/closewait/internal/misbehave"
)

// partVariable tells a re-executed test binary which part it plays.
const partVariable = "CLOSEWAIT_E2E"

// parts are what this binary does when it is started again: each runs until it
// has done its work or is killed, and returns what went wrong.
var parts = map[string]func() error{
	"look":  lookOnce,
	"watch": lookAgainAndAgain,
	"leak":  leakInside,
	"churn": churnAbout,
	"leaf":  beLeaf,
	"apart": keepApart,
}

// sideBySide lets more tests run at once than there are processors, unless the
// command line says how many: most of their time connections only grow older.
func sideBySide() {
	flag.Parse()
	asked := false
	flag.Visit(func(f *flag.Flag) { asked = asked || f.Name == "test.parallel" })
	if !asked {
		_ = flag.Set("test.parallel", strconv.Itoa(2*runtime.GOMAXPROCS(0)))
	}
}

func TestMain(m *testing.M) {
	misbehave.Child()
	name := os.Getenv(partVariable)
	if name == "" {
		sideBySide()
		os.Exit(m.Run())
	}
	_ = os.Unsetenv(partVariable)
	part, ok := parts[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "%s=%s is no part to play\n", partVariable, name)
		os.Exit(2)
	}
	if err := part(); err != nil {
		fmt.Fprintln(os.Stderr, name+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}
