"""Bytes, tables and foreign graph objects in; validated graphs, splits and data sets out; knows no model."""
