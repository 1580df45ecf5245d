"""How each record is kept in the tables: one module for each kind of record."""
