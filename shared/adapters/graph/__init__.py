"""The shared directory on Microsoft Graph, by msgraph-sdk."""
