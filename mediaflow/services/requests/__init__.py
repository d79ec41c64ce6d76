"""What concerns every request, whatever it asks for: rate limits, repeats, the audit log, addresses."""
