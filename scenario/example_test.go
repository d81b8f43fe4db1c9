package scenario_test

import (
	"fmt"

	"github.com/closewait/closewait/internal/sim"
	"github.com/closewait/closewait/scenario"
)

// A story is text. What does not come true is told with its line.
func ExampleRun() {
	s, err := scenario.Parse("leak.story", []byte(`# A client ignores the server's FIN
hosts client server

client and server are connected
server closes
client reads → 0
wait 1h
expect server gone
expect client CLOSED
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := scenario.Run(s, sim.NewEngine(sim.Options{}))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, f := range r.Failures {
		fmt.Println(f)
	}
	fmt.Println("at the end, client:", r.End[0].State)
	// Output:
	// leak.story:9: wanted client CLOSED, got client CLOSE_WAIT
	// at the end, client: CLOSE_WAIT
}

// A mistake is named exactly.
func ExampleParse() {
	_, err := scenario.Parse("leak.story", []byte("remote closes\nexpect local CLOSEWAITS"))
	fmt.Println(err)
	// Output:
	// leak.story:2: wanted a state such as CLOSE_WAIT, or gone, held, recv-q, send-q, timer, no timer, forever, got "CLOSEWAITS"
}

// What can be written in more than one way has one usual form.
func ExampleFormat() {
	s, err := scenario.Parse("x.story", []byte("expect wire ... remote->local FIN, remote->local RST lost"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(string(scenario.Format(s)))
	// Output:
	// expect wire … remote→local FIN, RST lost
}
