"""The command line for people who run migrations. A client of the app's HTTP functions. It holds no key."""
