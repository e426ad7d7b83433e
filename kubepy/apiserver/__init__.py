"""HTTP in front of api/ and storage/. Only this package imports storage."""
