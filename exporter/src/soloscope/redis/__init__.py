"""How Redis is asked."""
