package analyst

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"interlock/internal/listen/listentest"
)

func TestModelsAreListedWithoutACall(t *testing.T) {
	for _, c := range []struct {
		status int
		body   string
		want   error
		names  []string
	}{
		{200, `{"data":[{"id":"b"},{"id":"a"}]}`, nil, []string{"a", "b"}},
		{401, `{"error":{"message":"Incorrect API key: hunter2"}}`, ErrKey, nil}, {403, `no`, ErrKey, nil},
		{404, `<html>`, ErrNoList, nil}, {200, `{}`, ErrNoList, nil}, {200, `<html>`, ErrNoList, nil}, {307, ``, ErrNoList, nil},
	} {
		var asked []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.Method+" "+r.URL.Path)
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		}))
		names, err := New(Config{BaseURL: server.URL + "/v1", Key: "hunter2", Timeout: 5 * time.Minute}).Models(t.Context())
		server.Close()
		require.ErrorIs(t, err, c.want)
		require.Equal(t, c.names, names)
		require.Equal(t, []string{"GET /v1/models"}, asked)
		if err != nil {
			require.NotContains(t, err.Error(), "hunter2")
		}
	}
}

func TestAModelServerThatIsDownIsNoAnswer(t *testing.T) {
	_, err := New(Config{BaseURL: "http://" + listentest.Refusing(t), Timeout: 5 * time.Second}).Models(t.Context())
	require.Error(t, err)
	require.NotErrorIs(t, err, ErrNoList)
	require.NotErrorIs(t, err, ErrKey)
}
