"""Tables, blobs and queues on Azure Storage."""
