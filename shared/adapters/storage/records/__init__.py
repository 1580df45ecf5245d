"""How each record is stored in the tables: one module for each kind of record."""
