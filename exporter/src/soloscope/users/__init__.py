"""What is known about one user: records in Redis, lines in Loki.

records   the keys that `apps.<name>.user` declares, as sections of fields
people    who a phone number belongs to
"""
