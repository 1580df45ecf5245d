"""The app's settings and the councils' profiles, read once at the start."""
