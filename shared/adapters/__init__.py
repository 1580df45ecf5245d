"""The outside world behind the ports: <technology>_<port>.py, and every port in memory."""
