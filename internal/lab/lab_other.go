//go:build !linux

package lab

import (
	"context"
	"fmt"

	"github.com/closewait/closewait/scenario"
)

var errNotLinux = fmt.Errorf("%w: it plays on Linux's own TCP, and this is another system", ErrUnavailable)

// Child does nothing: there are no hosts here.
func Child() {}

// Privileged reports false.
func Privileged() bool { return false }

// Reenter can not help.
func Reenter(context.Context) (status int, again bool, err error) { return 0, false, errNotLinux }

// Play can not be.
func Play(context.Context, *scenario.Story, Options) (*Run, error) { return nil, errNotLinux }

// PlayAll can not be.
func PlayAll(_ context.Context, stories []*scenario.Story, _ Options, _ int, done func(i int, r *Run, err error)) error {
	for i := range stories {
		done(i, nil, errNotLinux)
	}
	return nil
}
