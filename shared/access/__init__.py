"""Who asks over HTTP, what that person may do, and how every handler answers."""
