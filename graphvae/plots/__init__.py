"""Pictures, written without a window."""
