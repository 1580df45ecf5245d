"""What the shared directory must have before this app may work in it: `python3 -m infra.directory --help`."""
