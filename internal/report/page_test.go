package report

import (
	"bytes"
	"testing"
)

const samplePage = `# eof-unread: the peer closed, and nobody reads this socket any more

Outbound: evict idle pooled connections before the server's idle timeout does, and close
responses and sessions. A *star* and an unclosed ` + "`" + ` and [brackets] stay as they are.

## What it means

` + "```" + `
client (pool)                                server
request            ------------------->

                   <-------------------      a line of code that is wider than sixty columns is never wrapped
` + "```" + `

- **requests, urllib3**: one long-lived ` + "`Session`" + ` or ` + "`PoolManager`" + `; see
  [the docs](https://example.org/docs) and <https://example.org/faq>.
  - nested: also hangs under its own bullet, however long the text of the item happens to be here
1. first
2. second

| a | b |
|---|---|
| 1 | 2 |
`

func TestPageGolden(t *testing.T) {
	for name, s := range map[string]Style{"page.txt": {}, "page.60.txt": {Width: 60}, "page.color.txt": {Color: true}} {
		var b bytes.Buffer
		if err := Page(&b, samplePage, s); err != nil {
			t.Fatal(err)
		}
		golden(t, name, b.Bytes())
	}
}
