"""The gate, the fair shares and the work queries. Pure."""
