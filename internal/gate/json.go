package gate

import (
	"bytes"
	"encoding/json"
	"io"
	"time"

	"github.com/closewait/closewait/internal/report"
)

// Schema names the JSON form of an outcome. Fields may be added; none is renamed
// or removed.
const Schema = "closewait-run/v1"

// document is that form; docs/run.md documents it.
type document struct {
	Schema    string    `json:"schema"`
	Command   []string  `json:"command"`
	StartedAt time.Time `json:"started_at"`
	TookS     float64   `json:"took_s"`
	// ExitCode is null if a signal ended the program, and Signal empty if none did.
	ExitCode *int   `json:"exit_code"`
	Signal   string `json:"signal"`
	// Status is closewait's own exit status.
	Status    int             `json:"status"`
	Leaked    bool            `json:"leaked"`
	MaxStuck  int             `json:"max_stuck"`
	GraceS    float64         `json:"grace_s"`
	Counts    counts          `json:"counts"`
	Witness   Description     `json:"witness"`
	Survivors []Survivor      `json:"survivors"`
	Report    json.RawMessage `json:"report"`
}

type counts struct {
	Stuck    int `json:"stuck"`
	Died     int `json:"died"`
	Inferred int `json:"inferred"`
	Peak     int `json:"peak"`
}

// JSON writes o as one object; "report" is that of the report contract. The
// error is that of w.
func (o *Outcome) JSON(w io.Writer) error {
	var nested bytes.Buffer
	if err := report.JSON(&nested, o.Report); err != nil {
		return err
	}
	d := document{
		Schema: Schema, Command: o.Command, StartedAt: o.StartedAt, TookS: o.Took.Seconds(), Signal: o.Exit.Signal,
		Status: o.Status(), Leaked: o.Leaked(), MaxStuck: o.MaxStuck, GraceS: o.Grace.Seconds(),
		Counts: counts{o.Stuck, o.Died, o.Inferred, o.Peak}, Witness: o.Witness, Survivors: append([]Survivor{}, o.Survivors...),
		Report: nested.Bytes(),
	}
	if o.Exit.Signal == "" {
		d.ExitCode = &o.Exit.Code
	}
	return report.JSONValue(w, d)
}
