"""Closed forms of deep learning, each proved or measured by a test that ran."""
