"""Makes the modules beside it (console_serving, console_racing) importable from the folders below."""
