"""The built-in webhooks: every event of one's assets, posted to an address of one's choice, signed."""
