"""Messages to customers and to staff, and what became of them."""
