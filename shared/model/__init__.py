"""The records and rules that every other package shares: accounts, migrations, plans, profiles, reasons. Pure."""
