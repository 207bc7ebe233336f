"""Keeps Loki's folder under its budget.

budget  what the folder holds, and the retention that follows from it
state   what one run leaves for the next
keep    one run
"""
