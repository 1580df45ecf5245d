"""Messages to customers and to staff, and what happened to them."""
