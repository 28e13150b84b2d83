"""The HTTP API: routes, and a module a resource."""
