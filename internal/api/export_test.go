package api

// UnmarshalStrict is tried by tests directly.
var UnmarshalStrict = unmarshalStrict
