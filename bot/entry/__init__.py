"""Where a program starts: service, command line, demo."""
