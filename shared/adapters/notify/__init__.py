"""The message service GOV.UK Notify, by its official client."""
