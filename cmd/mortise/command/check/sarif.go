package check

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/mortise-storage/mortise/storage/check"
	"github.com/mortise-storage/mortise/storage/problem"
)

// The parts of SARIF 2.1.0 (OASIS, Static Analysis Results Interchange Format) that a report needs. They
// are written by hand: the libraries print every field with a marker for "not given" (offsets of -1),
// which readers have to forgive.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string         `json:"id"`
		ShortDescription sarifText      `json:"shortDescription"`
		FullDescription  sarifText      `json:"fullDescription"`
		Help             sarifText      `json:"help"`
		Configuration    sarifLevel     `json:"defaultConfiguration"`
		Properties       map[string]any `json:"properties,omitempty"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifLevel struct {
		Level string `json:"level"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations,omitempty"`
		Fingerprints map[string]string `json:"partialFingerprints"`
	}
	sarifLocation struct {
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
	}
	sarifLogical struct {
		Name string `json:"fullyQualifiedName"`
		Kind string `json:"kind"`
	}
)

// printSARIF prints one run with the rules that have results.
func printSARIF(w io.Writer, problems problem.List) error {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{},
		Tool: sarifTool{Driver: sarifDriver{Name: "Mortise", Version: version(), InformationURI: "https://github.com/mortise-storage/mortise", Rules: []sarifRule{}}}}
	index, times := map[string]int{}, map[string]int{}
	for _, p := range problems {
		at, known := index[p.Rule]
		if !known {
			at = len(run.Tool.Driver.Rules)
			index[p.Rule] = at
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, ruleOf(p))
		}
		text := p.Message
		if p.Fix != "" {
			text += "\nFix: " + p.Fix
		}
		fingerprint := fingerprint(p)
		times[fingerprint]++
		run.Results = append(run.Results, sarifResult{RuleID: p.Rule, RuleIndex: at, Level: levelOf(p.Severity), Message: sarifText{text},
			Locations: locationOf(p), Fingerprints: map[string]string{"mortise/v1": fmt.Sprintf("%s:%d", fingerprint, times[fingerprint])}})
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

// ruleOf describes the rule of a problem. A rule without a description has its name for one.
func ruleOf(p problem.Problem) sarifRule {
	rule, _, ok := check.Find(p.Rule)
	if !ok {
		name := strings.ReplaceAll(p.Rule, "-", " ")
		rule = check.Rule{Name: p.Rule, Title: name, Explanation: name, Severity: p.Severity}
	}
	r := sarifRule{ID: p.Rule, ShortDescription: sarifText{rule.Title}, FullDescription: sarifText{rule.Explanation},
		Help: sarifText{rule.Explanation}, Configuration: sarifLevel{levelOf(rule.Severity)}}
	if rule.Source != "" {
		r.Properties = map[string]any{"source": rule.Source}
	}
	return r
}

func levelOf(s problem.Severity) string {
	switch s {
	case problem.Info:
		return "note"
	case problem.Warning:
		return "warning"
	default:
		return "error"
	}
}

func locationOf(p problem.Problem) []sarifLocation {
	var location sarifLocation
	if p.File != "" {
		location.Physical = &sarifPhysical{Artifact: sarifArtifact{URI: uriOf(p.File)}}
		if p.Line > 0 {
			location.Physical.Region = &sarifRegion{StartLine: p.Line, StartColumn: p.Column}
		}
	}
	if p.Key != "" {
		location.Logical = []sarifLogical{{Name: p.Key, Kind: "member"}}
	}
	if location.Physical == nil && location.Logical == nil {
		return nil
	}
	return []sarifLocation{location}
}

// uriOf writes a path as SARIF wants it: relative paths stay relative, to the repository in most tools.
func uriOf(path string) string {
	u := url.URL{Path: filepath.ToSlash(path)}
	if filepath.IsAbs(path) {
		u.Scheme = "file"
	}
	return u.String()
}

// fingerprint is the same for a problem that only moved to other lines.
func fingerprint(p problem.Problem) string {
	sum := sha256.Sum256([]byte(p.Rule + "\x00" + p.Key + "\x00" + p.Message))
	return fmt.Sprintf("%x", sum[:12])
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "(devel)" {
		return ""
	}
	return strings.TrimPrefix(info.Main.Version, "v")
}
