"""Joins one phone leg and one room."""
