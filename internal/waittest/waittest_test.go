package waittest

import (
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// failing is a test whose failure is wanted.
type failing struct {
	testing.TB

	said   string
	failed bool
}

func (*failing) Helper() {}

func (f *failing) FailNow() { f.failed = true; runtime.Goexit() }

func (f *failing) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	f.FailNow()
}

// of runs wait as a test of its own and returns how that went.
func of(t *testing.T, timeout time.Duration, met func(testing.TB) error) *failing {
	t.Helper()
	f, done := &failing{TB: t}, make(chan struct{})
	go func() {
		defer close(done)
		wait(f, timeout, closely, "a sign", func() error { return met(f) })
	}()
	<-done
	return f
}

func TestWhatComesTrueIsWaitedFor(t *testing.T) {
	t.Parallel()
	asked := 0
	Until(t, "the third time", func() error {
		asked++
		return Is(asked == 3, "asked %d times", asked)
	})
	require.Equal(t, 3, asked)
}

func TestATimeoutSaysWhatItWaitedForAndWhatWasInstead(t *testing.T) {
	t.Parallel()
	f := of(t, 50*time.Millisecond, func(testing.TB) error { return errors.New("silence") })
	require.True(t, f.failed)
	require.Regexp(t, `^waited 50ms for a sign; .*: silence$`, f.said)
}

func TestAQuestionWithoutAnAnswerEndsTheWaitToo(t *testing.T) {
	t.Parallel()
	release, asked := make(chan struct{}), 0
	defer close(release)
	f := of(t, 100*time.Millisecond, func(testing.TB) error {
		if asked++; asked == 2 {
			<-release
		}
		return errors.New("not yet")
	})
	require.True(t, f.failed)
	require.Contains(t, f.said, "waited 100ms for a sign; the last question has no answer after ")
	require.Contains(t, f.said, "before it: not yet")
}

func TestAQuestionThatFailsTheTestEndsTheWait(t *testing.T) {
	t.Parallel()
	f := of(t, time.Minute, func(tb testing.TB) error {
		tb.FailNow()
		return nil
	})
	require.True(t, f.failed)
	require.Empty(t, f.said)
}
