"""Keeps Loki's folder under its budget.

budget  the folder's size, and the retention that follows from it
state   the state between two runs
keep    one run
"""
