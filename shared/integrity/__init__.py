"""Find out if the app may trust its tables and its pseudonym key, and make the nightly backup."""
