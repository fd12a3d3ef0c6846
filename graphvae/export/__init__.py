"""Embeddings to files and back."""
