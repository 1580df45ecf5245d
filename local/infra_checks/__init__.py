"""The offline gate for the Bicep in `infra/`: what can be known of it without Azure and Bicep's own compiler."""
