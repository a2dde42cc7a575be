"""The peer of the API's benchmarks: the console's own settings around one view that does nothing."""
