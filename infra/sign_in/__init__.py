"""The registration by which people sign in to the app: `python3 -m infra.sign_in --help`."""
