"""What Azure and the directories must have: Bicep for `azd`, and two scripts for what Bicep cannot make."""
