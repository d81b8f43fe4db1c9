package closewaittest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/closewait/closewait/closewaittest"
	"github.com/closewait/closewait/tcp"
)

// TestMain fails the whole binary for what its tests leave behind, with or
// without a Check of their own:
//
//	func TestMain(m *testing.M) { closewaittest.VerifyTestMain(m) }
func ExampleVerifyTestMain() {}

func ExampleCheck() {
	test := func(t *testing.T) {
		closewaittest.Check(t)

		server := httptest.NewServer(http.NotFoundHandler())
		defer server.Close()
		response, err := http.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close() // without this line the test fails
		if _, err := io.Copy(io.Discard, response.Body); err != nil {
			t.Fatal(err)
		}
	}
	_ = test
}

func ExampleOptions_Check() {
	test := func(t *testing.T) {
		closewaittest.Options{
			Grace: 5 * time.Second, // a slow shutdown
			Allow: func(s closewaittest.Socket) bool { return s.Remote.Port() == 5432 },
		}.Check(t)
	}
	_ = test
}

// A failure names each socket like this.
func ExampleSocket_String() {
	fmt.Println(closewaittest.Socket{
		FDs: []int{7}, State: tcp.CloseWait, RecvQ: 5014,
		Local: netip.MustParseAddrPort("127.0.0.1:41234"), Remote: netip.MustParseAddrPort("127.0.0.1:8080"),
		AtLeast: 2003 * time.Millisecond, AtMost: 2011 * time.Millisecond,
		Candidates: []string{"TestUpload", "TestDownload"},
	})
	// Output:
	// fd 7: 127.0.0.1:41234 → 127.0.0.1:8080, CLOSE_WAIT, Recv-Q 5014, for 2.003s: the peer has closed, 5013 bytes are unread: read to the end and close (net/http: Response.Body.Close) (ambiguous: made while TestUpload and TestDownload ran)
}

// What the example shows works.
func TestCheckPassesForAClosedBody(t *testing.T) {
	closewaittest.Check(t)
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	response, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		t.Fatal(err)
	}
}
