"""Stand-ins for the services that cannot run on a laptop: Microsoft Graph and GOV.UK Notify."""
