package api

import (
	"net/http"
	"slices"

	"github.com/rs/cors"
)

// crossOrigin lets pages of the listed origins, and of no other, use next from
// a browser. No cookie proves anything here, so none is asked for.
func crossOrigin(next http.Handler, origins []string) http.Handler {
	if len(origins) == 0 {
		return next
	}
	const remembered = 600 // seconds that a browser keeps a preflight's answer
	return cors.New(cors.Options{
		AllowOriginFunc: func(origin string) bool { return slices.Contains(origins, origin) },
		AllowedMethods:  []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete},
		AllowedHeaders:  []string{"Authorization", "Content-Type", lastEventID},
		ExposedHeaders:  []string{"Retry-After", lastEventID},
		MaxAge:          remembered, OptionsSuccessStatus: http.StatusNoContent,
	}).Handler(next)
}
