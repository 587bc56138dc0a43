"""Other people's code, called with Variables: what differentiates as it stands, and what does not."""
