"""The shares of the directory's and the message service's limits that the app uses. Pure."""
