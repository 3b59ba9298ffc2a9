package syntax

import (
	"slices"
	"testing"
)

func TestParse(t *testing.T) {
	const text = "SELECT a, count(*) FROM t WHERE b = $1 AND t.c = ANY($2) LIMIT $3"
	tree, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if tree.Kind != "SelectStmt" || len(tree.List("targetList")) != 2 {
		t.Errorf("kind %s with %d targets", tree.Kind, len(tree.List("targetList")))
	}
	var parameters []int
	tree.Walk(func(n *Node) bool {
		if n.Kind == "ParamRef" {
			at, ok := n.Location()
			if !ok || text[at] != '$' {
				t.Errorf("parameter %d at %d", n.Number("number"), at)
			}
			parameters = append(parameters, n.Number("number"))
		}
		return true
	})
	slices.Sort(parameters)
	if !slices.Equal(parameters, []int{1, 2, 3}) {
		t.Errorf("parameters %v", parameters)
	}
	if tree.Child("whereClause").Text("boolop") != "AND_EXPR" {
		t.Errorf("the condition is %+v", tree.Child("whereClause"))
	}
	if from := tree.List("fromClause"); len(from) != 1 || from[0].Text("relname") != "t" || !from[0].Is("inh") {
		t.Errorf("from %+v", from)
	}
}

func TestTargetWithoutKind(t *testing.T) {
	tree, err := Parse("INSERT INTO s.t VALUES ($1) ON CONFLICT (a) DO NOTHING")
	if err != nil {
		t.Fatal(err)
	}
	if target := tree.Child("relation"); target.Text("schemaname") != "s" || target.Text("relname") != "t" {
		t.Errorf("target %+v", target)
	}
	if tree.Has("cols") || !tree.Has("onConflictClause") {
		t.Error("the insert has other fields than it should")
	}
}

func TestParseRefuses(t *testing.T) {
	for _, text := range []string{"SELEC 1", "SELECT 1; SELECT 2", "", "DELETE FROM t LIMIT 1"} {
		if tree, err := Parse(text); err == nil {
			t.Errorf("%q was read as %+v", text, tree)
		}
	}
}

func TestNilNode(t *testing.T) {
	var n *Node
	if _, known := n.Location(); known || n.Child("a") != nil || n.List("a") != nil || n.Text("a") != "" || n.Number("a") != 0 || n.Is("a") || n.Has("a") {
		t.Error("a node that is not there has something")
	}
	n.Walk(func(*Node) bool { t.Error("visited"); return true })
}
