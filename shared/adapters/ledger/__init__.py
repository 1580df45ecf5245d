"""The parts of the ledger on tables, one file for each subject. `table_ledger.py` puts them together."""
