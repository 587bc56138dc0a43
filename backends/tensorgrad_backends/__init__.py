"""The array libraries that tensorgrad knows, one module each; reached through entry points only."""
