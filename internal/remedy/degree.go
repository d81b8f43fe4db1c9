package remedy

import (
	"fmt"
	"strings"
)

// Degree is how far a remedy goes.
type Degree string

// The degrees, the gentlest first.
const (
	// Auto takes the gentlest degree that can end the connection.
	Auto Degree = "auto"
	// Room raises the owner's soft limit of open files. It ends nothing.
	Room Degree = "room"
	// KeepAlive turns SO_KEEPALIVE on: the connection ends if the peer is gone (C9).
	KeepAlive Degree = "keepalive"
	// Shutdown shuts down both directions: a FIN to the peer, a wake-up for the
	// application.
	Shutdown Degree = "shutdown"
	// Destroy ends the connection: a RST to the peer, an error for the application.
	Destroy Degree = "destroy"
)

// degrees are those that act, the gentlest first.
var degrees = [...]Degree{Room, KeepAlive, Shutdown, Destroy}

// Degrees lists the degrees that can be asked for.
func Degrees() []Degree { return append([]Degree{Auto}, degrees[:]...) }

// ParseDegree reads a degree's name, or its number from 0 (room) to 3 (destroy).
func ParseDegree(s string) (Degree, error) {
	for i, d := range degrees {
		if s == string(d) || s == fmt.Sprint(i) {
			return d, nil
		}
	}
	if s == string(Auto) {
		return Auto, nil
	}
	var all []string
	for _, d := range Degrees() {
		all = append(all, string(d))
	}
	return "", fmt.Errorf("unknown degree %q: use %s", s, strings.Join(all, ", "))
}
