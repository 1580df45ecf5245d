"""What the doctor asks the storage account, the directory and the message service."""
