package api_test

import (
	"flag"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write golden files")

// A changed description is a changed contract: fields are only ever added.
func TestDescriptionIsTheGoldenOne(t *testing.T) {
	const golden = "testdata/openapi.json"
	d := newDoor(t)
	got := d.send("GET", "/openapi.json", nil, "Authorization", "").text
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(golden, []byte(got+"\n"), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), got+"\n")
}
