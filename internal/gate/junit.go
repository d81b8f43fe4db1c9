package gate

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/closewait/closewait/internal/diagnose"
	"github.com/closewait/closewait/internal/report"
)

// The elements that JUnit's own report has and CI systems read.
type (
	testSuite struct {
		XMLName   xml.Name   `xml:"testsuite"`
		Name      string     `xml:"name,attr"`
		Tests     int        `xml:"tests,attr"`
		Failures  int        `xml:"failures,attr"`
		Errors    int        `xml:"errors,attr"`
		Time      string     `xml:"time,attr"`
		Timestamp string     `xml:"timestamp,attr"`
		Cases     []testCase `xml:"testcase"`
		Out       string     `xml:"system-out"`
	}
	testCase struct {
		Class   string   `xml:"classname,attr"`
		Name    string   `xml:"name,attr"`
		Time    string   `xml:"time,attr"`
		Failure *failure `xml:"failure"`
		Out     string   `xml:"system-out,omitempty"`
	}
	failure struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes o as a JUnit test suite: a test case for each finding, failed if
// the run leaked, and one that passes if there is none. The error is that of w.
func (o *Outcome) JUnit(w io.Writer) error {
	suite := testSuite{
		Name: "closewait run", Time: fmt.Sprintf("%.3f", o.Took.Seconds()),
		Timestamp: o.StartedAt.UTC().Format("2006-01-02T15:04:05"),
	}
	var out bytes.Buffer
	if err := o.Text(&out, report.Style{}); err != nil {
		return err
	}
	suite.Out = out.String()
	for i := range o.Report.Findings {
		c, err := o.testCase(&o.Report.Findings[i])
		if err != nil {
			return err
		}
		suite.Cases = append(suite.Cases, c)
		if c.Failure != nil {
			suite.Failures++
		}
	}
	distinguish(suite.Cases, o.Report.Findings)
	if len(suite.Cases) == 0 {
		suite.Cases = []testCase{{Class: "closewait", Name: "no connection is left half-closed", Time: suite.Time}}
	}
	suite.Tests = len(suite.Cases)
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(suite); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (o *Outcome) testCase(f *diagnose.Finding) (testCase, error) {
	one := *o.Report
	one.Findings = []diagnose.Finding{*f}
	var text bytes.Buffer
	if err := report.Findings(&text, past(&one), report.Style{}); err != nil {
		return testCase{}, err
	}
	c := testCase{Class: "closewait." + string(f.Cause), Name: title(f), Time: fmt.Sprintf("%.3f", f.Oldest.AtLeastS)}
	if !o.Leaked() {
		c.Out = text.String()
		return c, nil
	}
	headline, _, _ := strings.Cut(text.String(), "\n")
	c.Failure = &failure{Message: strings.Join(strings.Fields(headline), " "), Type: string(f.Cause), Text: text.String()}
	return c, nil
}

// distinguish adds to names that several have who opened the connections, and else a
// number: of cases with one name GitLab shows the first only.
func distinguish(cases []testCase, findings []diagnose.Finding) {
	for _, more := range []func(i int) string{
		func(i int) string { return ", opened by " + opener(&findings[i]) },
		func(i int) string { return fmt.Sprintf(" (%d)", i+1) },
	} {
		count := map[string]int{}
		for _, c := range cases {
			count[c.Class+c.Name]++
		}
		for i := range cases {
			if c := &cases[i]; count[c.Class+c.Name] > 1 {
				c.Name += more(i)
			}
		}
	}
}

// opener is the application's function that opened a finding's connections.
func opener(f *diagnose.Finding) string {
	name := "unknown code"
	for _, at := range f.OpenedBy {
		switch {
		case !at.Tells:
		case at.Function != "":
			name = at.Function
		default:
			name = fmt.Sprintf("%s+%#x", path.Base(at.Module), at.Offset)
		}
	}
	return name
}

// title names a finding, the same from run to run.
func title(f *diagnose.Finding) string {
	who := "nobody"
	if f.Owner != nil {
		who = f.Owner.Title
		if who == "" {
			who = f.Owner.Comm
		}
	}
	switch {
	case f.Direction == diagnose.Inbound && f.Local != "*":
		who += " on " + f.Local
	case f.Remote != "*":
		who += " to " + f.Remote
	}
	return who + " leaves no connection " + string(f.Cause)
}
