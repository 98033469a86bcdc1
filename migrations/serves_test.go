package migrations

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestASchemaServesWhoKnowsItAndWhomItsRowNames(t *testing.T) {
	t.Parallel()
	latest := Latest()
	for name, c := range map[string]struct {
		version, oldest int32
		says            string
	}{
		"the same":                       {latest, latest, ""},
		"the same, which serves others":  {latest, 1, ""},
		"none":                           {0, 0, "starter migrate"},
		"older":                          {latest - 1, latest - 1, "starter migrate"},
		"older, which served others":     {latest - 1, 1, "starter migrate"},
		"newer":                          {latest + 1, latest + 1, "use a newer program"},
		"newer, and it serves this one":  {latest + 1, latest, ""},
		"newer, and it serves older":     {latest + 9, 1, ""},
		"newer, and it says nothing":     {latest + 1, 0, "use a newer program"},
		"newer, and it says what is odd": {latest + 1, -1, "use a newer program"},
	} {
		err := Serves(c.version, c.oldest)
		if c.says == "" {
			require.NoError(t, err, name)
			continue
		}
		require.ErrorIs(t, err, ErrOtherSchema, name)
		require.ErrorContains(t, err, c.says, name)
	}
}

// A version that says nothing serves nobody else: who forgets to say it stops
// older programs, and lets none go on with what they do not know.
func TestAVersionServesOnlyItselfUnlessItsMigrationSaysOtherwise(t *testing.T) {
	t.Parallel()
	var served int
	require.NoError(t, migrated(t).QueryRow(ctx, `SELECT count(*) FROM interlock.schema_serves`).Scan(&served))
	require.Zero(t, served)
}

func TestAProgramEndsWhenTheSchemaIsMovedAndNotWhileItCannotBeSeen(t *testing.T) {
	t.Parallel()
	latest := Latest()
	readings := []func() (int32, int32, error){
		func() (int32, int32, error) { return latest, latest, nil },
		func() (int32, int32, error) { return 0, 0, errors.New("connection refused") },
		func() (int32, int32, error) { return 0, 0, nil },
		func() (int32, int32, error) { return latest + 1, latest, nil },
		func() (int32, int32, error) { return latest + 2, latest + 1, nil },
	}
	read := 0
	err := Watch(t.Context(), time.Millisecond, func(context.Context) (int32, int32, error) {
		read++
		return readings[read-1]()
	})
	require.ErrorIs(t, err, ErrOtherSchema)
	require.Len(t, readings, read)
	over, end := context.WithCancel(t.Context())
	end()
	require.NoError(t, Watch(over, time.Hour, nil))
}
