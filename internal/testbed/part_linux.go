package testbed

import (
	"fmt"
	"io"
	"os"
)

// variable tells a test binary that is started again which part it plays.
const variable = "CLOSEWAIT_TEST_PART"

// Part is what a test binary does when it is started again, with the arguments
// that it was started with. Its error is the process's failure.
type Part func(args []string) error

// Play plays the part that this process was started for and ends it. Otherwise it
// does nothing. It is for TestMain.
func Play(parts map[string]Part) {
	name := os.Getenv(variable)
	if name == "" {
		return
	}
	part, ok := parts[name]
	if !ok {
		fmt.Fprintf(os.Stderr, "%s=%s is no part to play\n", variable, name)
		os.Exit(2)
	}
	if err := part(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Plays reports whether this process was started for a part.
func Plays(part string) bool { return os.Getenv(variable) == part }

// Environ is this process's environment for one that plays a part.
func Environ(part string) []string { return append(os.Environ(), variable+"="+part) }

// Hold is for a part: it prints a line of "ready" and the words, and returns when
// the test has no more use for the process.
func Hold(words ...any) error {
	fmt.Println(append([]any{"ready"}, words...)...)
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}
