"""Who sends an HTTP request, what that person may do, and how every handler answers."""
