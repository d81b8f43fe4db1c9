package main

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/closewait/closewait/internal/report"
	"github.com/closewait/closewait/scenario"
)

// tableOf makes the table of the claims that stories are about: a row for each
// claim, in the order of their numbers, a cell of it for each column.
func tableOf(stories []*scenario.Story, columns []string, cell func(s *scenario.Story, column int) (report.ClaimCell, error)) (*report.Claims, error) {
	table := &report.Claims{Columns: columns}
	for _, s := range stories {
		cells := make([]report.ClaimCell, len(columns))
		for i := range columns {
			var err error
			if cells[i], err = cell(s, i); err != nil {
				return nil, err
			}
		}
		for _, c := range s.Claims {
			rows := &table.Rows
			if c.Correction {
				rows = &table.Corrections
			}
			addClaim(rows, c, cells)
		}
	}
	byNumber := func(a, b report.ClaimRow) int { return cmp.Compare(numberOf(a.ID), numberOf(b.ID)) }
	slices.SortStableFunc(table.Rows, byNumber)
	slices.SortStableFunc(table.Corrections, byNumber)
	return table, nil
}

// anyFailed reports whether any story did not go as it says.
func anyFailed(c *report.Claims) bool {
	for _, r := range slices.Concat(c.Rows, c.Corrections) {
		for _, cell := range r.Cells {
			if cell.Verdict == report.VerdictFailed {
				return true
			}
		}
	}
	return false
}

// numberOf is the 8 of C8.
func numberOf(id string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(id, "C"))
	if err != nil {
		return 0
	}
	return n
}

// cellOf is what a story that was played shows.
func cellOf(column string, s *scenario.Story, r *scenario.Result, err error) (report.ClaimCell, error) {
	cell := report.ClaimCell{Column: column, Stories: []string{strings.TrimSuffix(s.File, ".story")}}
	if errors.Is(err, scenario.ErrUnsupported) {
		return cell, nil
	}
	if err != nil {
		return cell, err
	}
	v, _ := s.VerdictFor(r.Names...)
	cell.Verdict, cell.Because = v.Holding.String(), v.Because
	for _, f := range r.Failures {
		cell.Verdict = report.VerdictFailed
		cell.Failures = append(cell.Failures, f.Error())
	}
	return cell, nil
}

// addClaim adds what one story shows to the row of its claim. A correction has
// a row for each of its sentences.
func addClaim(rows *[]report.ClaimRow, c scenario.Claim, cells []report.ClaimCell) {
	at := slices.IndexFunc(*rows, func(r report.ClaimRow) bool { return r.ID == c.ID && (!c.Correction || r.Text == c.Text) })
	if at < 0 {
		*rows = append(*rows, report.ClaimRow{ID: c.ID, Text: c.Text, Cells: slices.Clone(cells)})
		return
	}
	row := &(*rows)[at]
	for i := range row.Cells {
		row.Cells[i] = joined(row.Cells[i], cells[i])
	}
}

// joined is one cell of what two stories show. The second decides where it says
// more: it failed, or it is about this stack in particular.
func joined(a, b report.ClaimCell) report.ClaimCell {
	if b.Verdict == "" {
		return a
	}
	stories, took := slices.Concat(a.Stories, b.Stories), a.TookMS+b.TookMS
	if a.Verdict != report.VerdictFailed && (a.Verdict == "" || b.Because != "" || b.Verdict == report.VerdictFailed) {
		a = b
	}
	a.Stories, a.TookMS = stories, took
	return a
}
