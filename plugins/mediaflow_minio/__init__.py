"""Objects on any S3 server, through the minio client."""
